// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/session.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace coldframe::sync {

struct ResolveRequest
{
    std::string path;
    Resolution resolution;
};

/// What the callers' threads and the session's thread share; everything below `mutex` is guarded by it.
struct Session::Shared
{
    SessionOptions options;
    UniqueFd lock;
    std::unique_ptr<Trash> trash;
    UniqueFd wake; ///< eventfd: a caller has something for the thread

    mutable std::mutex mutex;
    std::condition_variable changed;
    SyncStatus status;
    bool stopping = false;
    bool running = false;
    std::uint64_t flushWanted = 0; ///< a counter; the thread copies it to flushDone when all is in step
    std::uint64_t flushDone = 0;
    std::optional<Accept> accept;
    std::deque<ResolveRequest> resolves;
    int fd = -1; ///< for shutdown(2)
    std::thread thread;

    void notify();
    void publish(SyncStatus next); ///< calls onStatus when something changed
};

} // namespace coldframe::sync
