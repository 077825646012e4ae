// SPDX-License-Identifier: Apache-2.0
#include "engine/sandbox_sync.h"

#include "api/path_encoding.h"
#include "base/log.h"
#include "channel/pump.h"
#include "engine/blocking.h"
#include "engine/helper_process.h"
#include "sync/session.h"

#include <algorithm>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <xxhash.h>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::string folderNameOf(const std::filesystem::path& root)
{
    char text[32];
    const auto digest = XXH3_64bits(root.native().data(), root.native().size());
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(digest));
    return text;
}

json notesJson(const std::vector<sync::Note>& notes)
{
    json all = json::array();
    for (const sync::Note& note : notes) {
        all.push_back({{"path", api::encodePath(note.path)}, {"text", note.text}});
    }
    return all;
}

json statusJsonOf(const std::string& path, const sync::SyncStatus& status)
{
    return {{"path", api::encodePath(path)},
            {"state", sync::syncStateName(status.state)},
            {"entriesToGo", status.entriesToGo},
            {"bytesToGo", status.bytesToGo},
            {"bytesBySeedDisk", status.bytesBySeedDisk},
            {"problems", notesJson(status.problems)},
            {"conflicts", notesJson(status.conflicts)},
            {"held", notesJson(status.held)},
            {"pauseReason", status.pauseReason},
            {"text", status.text}};
}

/// The worse comes first: what needs the user, then what is under way.
int severity(sync::SyncState state)
{
    using S = sync::SyncState;
    switch (state) {
    case S::Paused: return 6;
    case S::Conflicts: return 5;
    case S::Offline: return 4;
    case S::Scanning: return 3;
    case S::Syncing: return 3;
    case S::Held: return 2;
    case S::InStep: return 1;
    }
    return 0;
}

asio::awaitable<void> carry(channel::StreamPtr stream, std::shared_ptr<asio::posix::stream_descriptor> descriptor)
{
    co_await channel::pump(*stream, *descriptor);
}

} // namespace

struct SandboxSync::Root
{
    std::string path;
    std::shared_ptr<sync::Session> session; ///< a flush on the pool may outlast the root
};

SandboxSync::SandboxSync(EngineParts& parts, std::string sandboxId)
    : m_parts(parts), m_sandboxId(std::move(sandboxId)), m_changed(std::make_shared<asio::steady_timer>(parts.io))
{
}

SandboxSync::~SandboxSync() { stop(); }

asio::awaitable<Result<void>> SandboxSync::start(GuestLink& bulk, const SandboxRecord& record, std::filesystem::path seedDisk)
{
    stop();
    const auto seed = m_parts.settings.seedDisk ? sync::SeedDisk::open(seedDisk)
                                                : Result<std::shared_ptr<sync::SeedDisk>>(std::shared_ptr<sync::SeedDisk>());
    if (!seed) {
        logInfo("sync", seed.error().message + " " + seed.error().detail); // of a microVM that an older engine started
    }
    for (const Workspace& workspace : record.workspaces) {
        const auto root = std::make_shared<Root>();
        root->path = workspace.path.native();
        const std::filesystem::path folder = m_parts.store.folderOf(record.id);
        sync::SessionOptions options;
        options.root = workspace.path;
        options.stateFolder = folder / "sync" / folderNameOf(workspace.path);
        options.trashFolder = folder / "trash" / folderNameOf(workspace.path);
        options.readOnly = workspace.readOnly;
        options.seedDisk = seed.value_or(nullptr);
        options.onStatus = [&parts = m_parts, changed = m_changed, id = m_sandboxId, path = root->path](const sync::SyncStatus& status) {
            asio::post(parts.io, [&parts, changed, id, path, status] {
                changed->cancel();
                parts.emitEvent({{"type", "sync.changed"}, {"sandbox", id}, {"sync", statusJsonOf(path, status)}});
            });
        };
        auto session = sync::Session::open(std::move(options));
        if (!session) {
            co_return tl::unexpected(session.error());
        }
        root->session = std::move(*session);
        auto stream = co_await bulk.openSync(api::encodePath(workspace.inside().native()));
        if (!stream) {
            co_return tl::unexpected(stream.error());
        }
        auto pair = makeSocketPair(SOCK_STREAM);
        if (!pair) {
            co_return tl::unexpected(pair.error());
        }
        const auto descriptor = std::make_shared<asio::posix::stream_descriptor>(m_parts.io, pair->first.release());
        asio::co_spawn(m_parts.io, carry(*stream, descriptor), asio::detached);
        root->session->start(std::move(pair->second), sync::GuestIdentity{record.contentId, record.generation});
        m_roots.push_back(root);
    }
    co_return Result<void>();
}

asio::awaitable<Result<void>> SandboxSync::waitComplete(const Steps& steps)
{
    std::uint64_t most = 0;
    int offline = 0;
    for (;;) {
        bool complete = true;
        std::uint64_t toGo = 0;
        for (const auto& root : m_roots) {
            const sync::SyncStatus status = root->session->status();
            toGo += status.entriesToGo;
            complete = complete && (status.workspaceComplete || status.state == sync::SyncState::Paused);
            // A session that lost its guest and does not come back cannot complete.
            offline = status.state == sync::SyncState::Offline ? offline + 1 : 0;
        }
        if (complete) {
            co_return Result<void>();
        }
        if (offline > 600) {
            co_return fail(ErrorCode::Closed, "The workspace could not be brought into the sandbox: the connection ended.");
        }
        most = std::max(most, toGo);
        steps.say("workspace", "Bringing the workspace into the sandbox", static_cast<std::int64_t>(most - toGo),
                  static_cast<std::int64_t>(most));
        if (steps.isCancelled()) {
            co_return fail(ErrorCode::Cancelled, "Starting was stopped.");
        }
        std::error_code ignored;
        m_changed->expires_after(50ms);
        co_await m_changed->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

asio::awaitable<Result<void>> SandboxSync::flush(std::chrono::milliseconds within)
{
    const auto end = std::chrono::steady_clock::now() + within;
    // The microVM may end meanwhile, and stop() with it clear the list.
    std::vector<std::shared_ptr<sync::Session>> sessions;
    for (const auto& root : m_roots) {
        sessions.push_back(root->session);
    }
    for (const auto& session : sessions) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        auto flushOne = [session, left] { return session->flush(std::max(left, 0ms)); };
        Result<void> done = co_await onPool(m_parts.pool, std::move(flushOne));
        if (!done) {
            co_return done;
        }
    }
    co_return Result<void>();
}

void SandboxSync::stop()
{
    // Session::stop() waits for its thread, which may still be writing a file: not on the io thread. A flush that waits ends with it.
    for (const auto& root : m_roots) {
        asio::post(m_parts.pool, [session = std::move(root->session)] { session->stop(); });
    }
    m_roots.clear();
}

bool SandboxSync::isRunning() const { return !m_roots.empty(); }

json SandboxSync::statusJson() const
{
    json all = json::array();
    for (const auto& root : m_roots) {
        all.push_back(statusJsonOf(root->path, root->session->status()));
    }
    return all;
}

json SandboxSync::summaryJson() const
{
    int worst = 0;
    json summary{{"state", "offline"}, {"text", ""}};
    for (const auto& root : m_roots) {
        const sync::SyncStatus status = root->session->status();
        if (severity(status.state) > worst) {
            worst = severity(status.state);
            summary = {{"state", sync::syncStateName(status.state)}, {"text", status.text}};
        }
    }
    return summary;
}

SandboxSync::Root* SandboxSync::find(const std::string& path) const
{
    for (const auto& root : m_roots) {
        if (root->path == path || path.empty()) {
            return root.get();
        }
    }
    return nullptr;
}

namespace {
tl::unexpected<Error> noSuchRoot(const std::string& path)
{
    return fail(ErrorCode::NotFound, "The sandbox is not running or has no workspace at " + escapeForDisplay(path) + ".");
}
} // namespace

Result<void> SandboxSync::resume(const std::string& path, const std::string& accept)
{
    Root* root = find(path);
    if (!root) {
        return noSuchRoot(path);
    }
    if (accept != "deletions" && accept != "root") {
        return fail(ErrorCode::InvalidArgument, "What to accept must be \"deletions\" or \"root\".");
    }
    return root->session->resume(accept == "root" ? sync::Accept::Root : sync::Accept::Deletions);
}

Result<json> SandboxSync::trash(const std::string& path) const
{
    Root* root = find(path);
    if (!root) {
        return noSuchRoot(path);
    }
    COLDFRAME_TRY(auto entries, root->session->trash());
    json all = json::array();
    for (const sync::TrashEntry& entry : entries) {
        all.push_back({{"id", entry.id},
                       {"path", api::encodePath(entry.path)},
                       {"when", entry.when},
                       {"size", entry.size},
                       {"reason", entry.reason}});
    }
    return json{{"entries", all}};
}

Result<void> SandboxSync::restore(const std::string& path, const std::string& id)
{
    Root* root = find(path);
    return root ? root->session->restore(id) : noSuchRoot(path);
}

} // namespace coldframe::engine
