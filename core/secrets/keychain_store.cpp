// SPDX-License-Identifier: Apache-2.0
#include "secrets/key_store.h"

#include "base/clock.h"
#include "secrets/key_index.h"
#include "secrets/secret_service.h"

#include <QTimer>
#include <algorithm>
#include <cstring>
#include <qt6keychain/keychain.h>

namespace coldframe::secrets {

namespace {

constexpr int kJobWithin = 5000; // ms
const char kServiceName[] = "coldframe";

std::string messageFor(KeychainState state)
{
    switch (state) {
    case KeychainState::NoBus:
    case KeychainState::NoService:
        return "No keychain is running, so keys cannot be stored or read; start GNOME Keyring or KWallet, or give a key for this "
               "run only.";
    case KeychainState::NoKeyring:
        return "The keychain has no default keyring yet; create one in the desktop's password settings.";
    case KeychainState::Locked:
        return "The keychain is locked; unlock it, for example by logging in at the desktop, and try again.";
    case KeychainState::NoAnswer:
        return "The keychain does not answer and may be locked; unlock it and try again.";
    case KeychainState::Ready:
        break;
    }
    return {};
}

Error errorOf(const QKeychain::Job& job, const std::string& service)
{
    const std::string detail = job.errorString().toStdString();
    switch (job.error()) {
    case QKeychain::EntryNotFound:
        return {ErrorCode::NotFound, "No key is stored for " + service + ".", detail};
    case QKeychain::AccessDeniedByUser:
    case QKeychain::AccessDenied:
        return {ErrorCode::NotAllowed, "The keychain refused access to the key for " + service + ".", detail};
    case QKeychain::NoBackendAvailable:
        return {ErrorCode::Unavailable, messageFor(KeychainState::NoService), detail};
    default:
        return {ErrorCode::Io, "The keychain failed on the key for " + service + "; try again.", detail};
    }
}

/// Starts a job and calls `done` once: with the finished job, or with null when it took too long. A late job is left to
/// end by itself, as QtKeychain cannot cancel one.
template <typename Job> void runJob(Job* job, std::function<void(Job*)> done)
{
    job->setAutoDelete(false);
    job->setInsecureFallback(false);
    const auto once = std::make_shared<std::function<void(Job*)>>(std::move(done));
    auto* timer = new QTimer(job);
    timer->setSingleShot(true);
    QObject::connect(timer, &QTimer::timeout, job, [once] {
        if (const auto call = std::exchange(*once, nullptr)) {
            call(nullptr);
        }
    });
    QObject::connect(job, &QKeychain::Job::finished, job, [once, job, timer] {
        timer->stop();
        if (const auto call = std::exchange(*once, nullptr)) {
            call(job);
        }
        job->deleteLater();
    });
    timer->start(kJobWithin);
    job->start();
}

class KeychainStore : public KeyStore
{
public:
    explicit KeychainStore(std::filesystem::path folder) : m_folder(std::move(folder))
    {
        if (const auto index = loadKeyIndex(m_folder); index && !index->backend.empty()) {
            choose(index->backend);
        }
    }

    void status(std::function<void(KeyStoreStatus)> done) override
    {
        const KeychainState state = probe();
        KeyStoreStatus status;
        status.backend = m_backend.empty() ? "none" : m_backend;
        status.available = state == KeychainState::Ready || state == KeychainState::Locked;
        status.locked = state == KeychainState::Locked || state == KeychainState::NoAnswer;
        status.message = messageFor(state);
        done(std::move(status));
    }

    void set(const std::string& service, SecretBuffer key, std::function<void(Result<void>)> done) override
    {
        if (service.empty() || key.empty()) {
            done(fail(ErrorCode::InvalidArgument, "The key is empty."));
            return;
        }
        auto index = loadKeyIndex(m_folder);
        if (!index) {
            done(tl::unexpected(index.error()));
            return;
        }
        if (const auto ready = usable(); !ready) {
            done(tl::unexpected(ready.error()));
            return;
        }
        // The pin goes first: a key in a keychain that nobody remembers would be lost.
        index->backend = m_backend;
        if (const auto pinned = saveKeyIndex(m_folder, *index); !pinned) {
            done(pinned);
            return;
        }
        auto* job = new QKeychain::WritePasswordJob(QLatin1String(kServiceName));
        job->setKey(QString::fromStdString(service));
        QByteArray bytes(key.view().data(), static_cast<qsizetype>(key.view().size()));
        job->setBinaryData(bytes);
        key.clear();
        // The job shares the bytes until it is done; they are wiped in place then.
        char* shared = const_cast<char*>(bytes.constData());
        const auto size = static_cast<std::size_t>(bytes.size());
        const auto keepAlive = std::make_shared<QByteArray>(std::move(bytes));
        runJob<QKeychain::WritePasswordJob>(job, [this, service, done = std::move(done), keepAlive, shared,
                                                  size](QKeychain::WritePasswordJob* finished) {
            if (!finished) {
                done(fail(ErrorCode::Unavailable, messageFor(KeychainState::NoAnswer)));
                return;
            }
            ::explicit_bzero(shared, size);
            if (finished->error() != QKeychain::NoError) {
                done(tl::unexpected(errorOf(*finished, service)));
                return;
            }
            done(remember(service));
        });
    }

    void get(const std::string& service, std::function<void(Result<SecretBuffer>)> done) override
    {
        if (const auto ready = usable(); !ready) {
            done(tl::unexpected(ready.error()));
            return;
        }
        auto* job = new QKeychain::ReadPasswordJob(QLatin1String(kServiceName));
        job->setKey(QString::fromStdString(service));
        runJob<QKeychain::ReadPasswordJob>(job, [this, service, done = std::move(done)](QKeychain::ReadPasswordJob* finished) {
            if (!finished) {
                done(fail(ErrorCode::Unavailable, messageFor(KeychainState::NoAnswer)));
                return;
            }
            if (finished->error() != QKeychain::NoError) {
                if (finished->error() == QKeychain::EntryNotFound) {
                    (void)forget(service); // removed with another tool
                }
                done(tl::unexpected(errorOf(*finished, service)));
                return;
            }
            QByteArray bytes = finished->binaryData();
            SecretBuffer key(std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
            // The job holds the same bytes; a detaching wipe would leave its copy.
            ::explicit_bzero(const_cast<char*>(bytes.constData()), static_cast<std::size_t>(bytes.size()));
            done(std::move(key));
        });
    }

    void remove(const std::string& service, std::function<void(Result<void>)> done) override
    {
        if (const auto ready = usable(); !ready) {
            done(tl::unexpected(ready.error()));
            return;
        }
        auto* job = new QKeychain::DeletePasswordJob(QLatin1String(kServiceName));
        job->setKey(QString::fromStdString(service));
        runJob<QKeychain::DeletePasswordJob>(job, [this, service, done = std::move(done)](QKeychain::DeletePasswordJob* finished) {
            if (!finished) {
                done(fail(ErrorCode::Unavailable, messageFor(KeychainState::NoAnswer)));
                return;
            }
            // Deleting what is not there is reported as success by some backends, so the index decides.
            const auto index = loadKeyIndex(m_folder);
            const bool wasListed = index && std::any_of(index->keys.begin(), index->keys.end(), [&](const StoredKey& stored) {
                                       return stored.service == service;
                                   });
            if (finished->error() != QKeychain::NoError && finished->error() != QKeychain::EntryNotFound) {
                done(tl::unexpected(errorOf(*finished, service)));
            } else if (!wasListed) {
                done(fail(ErrorCode::NotFound, "No key is stored for " + service + "."));
            } else {
                done(forget(service));
            }
        });
    }

    void list(std::function<void(Result<std::vector<StoredKey>>)> done) override
    {
        auto index = loadKeyIndex(m_folder);
        if (!index) {
            done(tl::unexpected(index.error()));
            return;
        }
        done(std::move(index->keys));
    }

private:
    /// QtKeychain 0.13 reads these variables once, at its first job, and looks nowhere else.
    void choose(const std::string& backend)
    {
        m_backend = backend;
        qputenv("XDG_CURRENT_DESKTOP", backend == "kwallet" ? "KDE" : "GNOME");
        if (backend == "kwallet") {
            qputenv("KDE_SESSION_VERSION", "5");
        }
    }

    KeychainState probe()
    {
        if (m_backend.empty()) {
            const std::string found = detectBackend();
            if (found == "none") {
                return KeychainState::NoService;
            }
            choose(found);
        }
        return probeKeychain(m_backend);
    }

    Result<void> usable()
    {
        const KeychainState state = probe();
        if (state != KeychainState::Ready) {
            return fail(ErrorCode::Unavailable, messageFor(state));
        }
        return {};
    }

    Result<void> remember(const std::string& service)
    {
        COLDFRAME_TRY(KeyIndex index, loadKeyIndex(m_folder));
        std::erase_if(index.keys, [&](const StoredKey& stored) { return stored.service == service; });
        index.keys.push_back({service, service, formatUtc(utcNow())});
        return saveKeyIndex(m_folder, index);
    }

    Result<void> forget(const std::string& service)
    {
        COLDFRAME_TRY(KeyIndex index, loadKeyIndex(m_folder));
        std::erase_if(index.keys, [&](const StoredKey& stored) { return stored.service == service; });
        return saveKeyIndex(m_folder, index);
    }

    std::filesystem::path m_folder;
    std::string m_backend;
};

} // namespace

std::unique_ptr<KeyStore> makeKeychainStore(const std::filesystem::path& folder)
{
    return std::make_unique<KeychainStore>(folder);
}

} // namespace coldframe::secrets
