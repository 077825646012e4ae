// SPDX-License-Identifier: Apache-2.0
#include "vm/libvirt_connection.h"

#include "base/log.h"
#include "vm/session_daemon.h"

#include <cstdlib>
#include <libvirt/virterror.h>
#include <thread>
#include <unistd.h>

namespace coldframe::vm {
namespace {

// A daemon that does not answer for 5 × 5 s counts as dead.
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveCount = 5;
constexpr int kDroppedAttempts = 4;
constexpr std::chrono::milliseconds kDroppedPause{250};

// Each registration owns a copy of the callbacks; libvirt frees it when it is certain not to call again.
using Shared = std::shared_ptr<const ConnectionCallbacks>;

void freeShared(void* opaque)
{
    delete static_cast<Shared*>(opaque);
}

void onClosed(virConnectPtr, int, void* opaque)
{
    const Shared callbacks = *static_cast<Shared*>(opaque);
    topCatchAll("libvirt", [&] { callbacks->closed(); });
}

int onLifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque)
{
    const Shared callbacks = *static_cast<Shared*>(opaque);
    topCatchAll("libvirt", [&] {
        if (const char* name = virDomainGetName(domain)) {
            callbacks->lifecycle(name, event, detail);
        }
    });
    return 0;
}

} // namespace

LibvirtFailure lastLibvirtFailure()
{
    const virError* error = virGetLastError();
    if (error == nullptr) {
        return {};
    }
    return {error->code, error->domain, error->message != nullptr ? error->message : ""};
}

Result<std::shared_ptr<LibvirtConnection>> LibvirtConnection::open(ConnectionCallbacks callbacks)
{
    COLDFRAME_CHECK(checkSessionEnvironment(::getuid(), std::getenv("XDG_RUNTIME_DIR")));
    // A daemon that is just ending, or that has just been started and is not ready, may take a connection and drop it.
    for (int attempt = 0;; ++attempt) {
        auto opened = openOnce(callbacks);
        if (opened || attempt == kDroppedAttempts || !isConnectionFailure(lastLibvirtFailure())) {
            return opened;
        }
        std::this_thread::sleep_for(kDroppedPause);
    }
}

Result<std::shared_ptr<LibvirtConnection>> LibvirtConnection::openOnce(ConnectionCallbacks callbacks)
{
    const auto failed = [] {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), "Virtual machines are not available"));
    };
    const SessionDaemon daemon = sessionDaemon();
    virConnectPtr handle = virConnectOpen(daemon.uri.c_str());
    if (handle == nullptr && daemon.isPrivate) {
        COLDFRAME_CHECK(startPrivateDaemon(daemon));
        handle = virConnectOpen(daemon.uri.c_str());
    }
    if (handle == nullptr) {
        return failed();
    }
    std::shared_ptr<LibvirtConnection> connection(new LibvirtConnection(handle));
    const auto shared = std::make_shared<const ConnectionCallbacks>(std::move(callbacks));
    auto lifecycle = std::make_unique<Shared>(shared);
    // libvirt takes every kind of event through this one type; the cast back is by the event's id (libvirt-domain.h).
    connection->m_lifecycleCallback
        = virConnectDomainEventRegisterAny(handle, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                           VIR_DOMAIN_EVENT_CALLBACK(onLifecycle), lifecycle.get(), freeShared);
    if (connection->m_lifecycleCallback < 0) {
        return failed();
    }
    lifecycle.release();
    auto closed = std::make_unique<Shared>(shared);
    if (virConnectRegisterCloseCallback(handle, onClosed, closed.get(), freeShared) < 0) {
        return failed();
    }
    closed.release();
    if (virConnectSetKeepAlive(handle, kKeepAliveSeconds, kKeepAliveCount) < 0) {
        return failed();
    }
    return connection;
}

LibvirtConnection::~LibvirtConnection()
{
    virConnectUnregisterCloseCallback(m_handle, onClosed);
    if (m_lifecycleCallback >= 0) {
        virConnectDomainEventDeregisterAny(m_handle, m_lifecycleCallback);
    }
    virConnectClose(m_handle);
}

} // namespace coldframe::vm
