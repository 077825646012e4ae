// SPDX-License-Identifier: Apache-2.0
#include "vm/libvirt_event_loop.h"

#include "base/log.h"
#include "base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <map>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <thread>
#include <vector>

namespace coldframe::vm {
namespace {

using Clock = std::chrono::steady_clock;

struct Handle
{
    int fd;
    int events;
    virEventHandleCallback callback;
    void* opaque;
    virFreeCallback freeOpaque;
    bool isRemoved = false;
};

struct Timer
{
    int frequency; ///< milliseconds; -1: off
    Clock::time_point due;
    virEventTimeoutCallback callback;
    void* opaque;
    virFreeCallback freeOpaque;
    bool isRemoved = false;
};

short pollEvents(int events)
{
    return static_cast<short>(((events & VIR_EVENT_HANDLE_READABLE) != 0 ? POLLIN : 0)
                              | ((events & VIR_EVENT_HANDLE_WRITABLE) != 0 ? POLLOUT : 0));
}

int libvirtEvents(short events)
{
    return ((events & POLLIN) != 0 ? VIR_EVENT_HANDLE_READABLE : 0)
        | ((events & POLLOUT) != 0 ? VIR_EVENT_HANDLE_WRITABLE : 0)
        | ((events & (POLLERR | POLLNVAL)) != 0 ? VIR_EVENT_HANDLE_ERROR : 0)
        | ((events & POLLHUP) != 0 ? VIR_EVENT_HANDLE_HANGUP : 0);
}

/// The loop: registration from any thread, callbacks and frees only on its own, and never under the lock (libvirt.org,
/// virEventRegisterImpl: a free callback must not run inside a remove call).
class Loop
{
public:
    Loop() : m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

    int addHandle(const Handle& handle)
    {
        const std::lock_guard lock(m_mutex);
        m_handles.emplace(++m_lastId, handle);
        wake();
        return m_lastId;
    }
    void updateHandle(int id, int events)
    {
        const std::lock_guard lock(m_mutex);
        if (const auto entry = m_handles.find(id); entry != m_handles.end()) {
            entry->second.events = events;
            wake();
        }
    }
    int removeHandle(int id) { return remove(m_handles, id); }

    int addTimer(Timer timer)
    {
        const std::lock_guard lock(m_mutex);
        timer.due = Clock::now() + std::chrono::milliseconds(std::max(timer.frequency, 0));
        m_timers.emplace(++m_lastId, timer);
        wake();
        return m_lastId;
    }
    void updateTimer(int id, int frequency)
    {
        const std::lock_guard lock(m_mutex);
        if (const auto entry = m_timers.find(id); entry != m_timers.end()) {
            entry->second.frequency = frequency;
            entry->second.due = Clock::now() + std::chrono::milliseconds(std::max(frequency, 0));
            wake();
        }
    }
    int removeTimer(int id) { return remove(m_timers, id); }

    [[noreturn]] void run()
    {
        while (true) {
            runOnce();
        }
    }

private:
    template <typename Map> int remove(Map& map, int id)
    {
        const std::lock_guard lock(m_mutex);
        const auto entry = map.find(id);
        if (entry == map.end() || entry->second.isRemoved) {
            return -1;
        }
        entry->second.isRemoved = true;
        wake();
        return 0;
    }

    template <typename Map> void purge(Map& map)
    {
        for (auto entry = map.begin(); entry != map.end();) {
            if (!entry->second.isRemoved) {
                ++entry;
                continue;
            }
            if (entry->second.freeOpaque != nullptr) {
                m_garbage.emplace_back(entry->second.freeOpaque, entry->second.opaque);
            }
            entry = map.erase(entry);
        }
    }

    void wake()
    {
        const std::uint64_t one = 1;
        // Full means that a wake-up is pending already.
        [[maybe_unused]] const auto written = ::write(m_wake.get(), &one, sizeof one);
    }

    void runOnce()
    {
        std::vector<pollfd> watched{{m_wake.get(), POLLIN, 0}};
        std::vector<int> ids{0};
        int timeout = -1;
        {
            const std::lock_guard lock(m_mutex);
            purge(m_handles);
            purge(m_timers);
            for (const auto& [id, handle] : m_handles) {
                if (handle.events != 0) {
                    watched.push_back({handle.fd, pollEvents(handle.events), 0});
                    ids.push_back(id);
                }
            }
            const auto now = Clock::now();
            for (const auto& [id, timer] : m_timers) {
                if (timer.frequency >= 0) {
                    const auto left = std::chrono::ceil<std::chrono::milliseconds>(timer.due - now).count();
                    const int wait = static_cast<int>(std::clamp<long>(left, 0, 3'600'000));
                    timeout = timeout < 0 ? wait : std::min(timeout, wait);
                }
            }
        }
        for (const auto& [freeOpaque, opaque] : m_garbage) {
            freeOpaque(opaque);
        }
        m_garbage.clear();
        if (::poll(watched.data(), watched.size(), timeout) < 0) {
            return; // EINTR, or no memory: look again
        }
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto read = ::read(m_wake.get(), &drained, sizeof drained);
        for (std::size_t index = 1; index < watched.size(); ++index) {
            if (watched[index].revents != 0) {
                dispatchHandle(ids[index], watched[index].revents);
            }
        }
        dispatchTimers();
    }

    void dispatchHandle(int id, short events)
    {
        std::unique_lock lock(m_mutex);
        const auto entry = m_handles.find(id);
        if (entry == m_handles.end() || entry->second.isRemoved) {
            return;
        }
        const Handle handle = entry->second;
        lock.unlock();
        handle.callback(id, handle.fd, libvirtEvents(events), handle.opaque);
    }

    void dispatchTimers()
    {
        std::vector<int> due;
        std::unique_lock lock(m_mutex);
        const auto now = Clock::now();
        for (auto& [id, timer] : m_timers) {
            if (!timer.isRemoved && timer.frequency >= 0 && timer.due <= now) {
                timer.due = now + std::chrono::milliseconds(timer.frequency);
                due.push_back(id);
            }
        }
        for (const int id : due) {
            const auto entry = m_timers.find(id);
            if (entry == m_timers.end() || entry->second.isRemoved || entry->second.frequency < 0) {
                continue; // an earlier callback of this round switched it off
            }
            const Timer timer = entry->second;
            lock.unlock();
            timer.callback(id, timer.opaque);
            lock.lock();
        }
    }

    const UniqueFd m_wake;
    std::mutex m_mutex;
    std::map<int, Handle> m_handles;
    std::map<int, Timer> m_timers;
    int m_lastId = 0;
    std::vector<std::pair<virFreeCallback, void*>> m_garbage; ///< the loop's thread only
};

/// Never destroyed: libvirt may use it until the process ends.
Loop& loop()
{
    static Loop* const instance = new Loop;
    return *instance;
}

/// libvirt prints errors to standard error by itself unless told not to; ours are returned and logged.
void ignoreError(void*, virErrorPtr) {}

void initialize()
{
    virInitialize();
    virSetErrorFunc(nullptr, ignoreError);
    virEventRegisterImpl(
        [](int fd, int events, virEventHandleCallback callback, void* opaque, virFreeCallback freeOpaque) {
            return loop().addHandle({fd, events, callback, opaque, freeOpaque});
        },
        [](int id, int events) { loop().updateHandle(id, events); }, [](int id) { return loop().removeHandle(id); },
        [](int frequency, virEventTimeoutCallback callback, void* opaque, virFreeCallback freeOpaque) {
            return loop().addTimer({frequency, {}, callback, opaque, freeOpaque});
        },
        [](int id, int frequency) { loop().updateTimer(id, frequency); },
        [](int id) { return loop().removeTimer(id); });
    std::thread([] {
        ::pthread_setname_np(::pthread_self(), "libvirt-events");
        topCatchAll("libvirt events", [] { loop().run(); });
    }).detach();
}

} // namespace

void ensureLibvirtEventLoop()
{
    static std::once_flag once;
    std::call_once(once, initialize);
}

} // namespace coldframe::vm
