// SPDX-License-Identifier: Apache-2.0
#include "vm/libvirt_event_loop.h"

#include "base/log.h"

#include <atomic>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <mutex>
#include <thread>

namespace coldframe::vm {
namespace {

/// libvirt prints errors to standard error by itself unless told not to; ours are returned and logged.
void ignoreError(void*, virErrorPtr) {}

void initializeOnce()
{
    static std::once_flag once;
    std::call_once(once, [] {
        virInitialize();
        virSetErrorFunc(nullptr, ignoreError);
        virEventRegisterDefaultImpl();
    });
}

} // namespace

struct LibvirtEventLoop::State
{
    std::atomic<bool> stop{false};
    int timer = -1;
    std::thread thread;
};

std::shared_ptr<LibvirtEventLoop> LibvirtEventLoop::acquire()
{
    static std::mutex mutex;
    static std::weak_ptr<LibvirtEventLoop> current;
    const std::lock_guard lock(mutex);
    auto loop = current.lock();
    if (!loop) {
        loop.reset(new LibvirtEventLoop);
        current = loop;
    }
    return loop;
}

LibvirtEventLoop::LibvirtEventLoop() : m_state(std::make_shared<State>())
{
    initializeOnce();
    // Disarmed; armed once at the end to wake the loop, which otherwise only wakes for events.
    m_state->timer = virEventAddTimeout(-1, [](int, void*) {}, nullptr, nullptr);
    m_state->thread = std::thread([state = m_state] {
        while (!state->stop) {
            if (virEventRunDefaultImpl() < 0) {
                logError("libvirt", "the event loop failed");
                std::this_thread::sleep_for(std::chrono::milliseconds(200)); // not a busy loop while it keeps failing
            }
        }
    });
}

LibvirtEventLoop::~LibvirtEventLoop()
{
    m_state->stop = true;
    virEventUpdateTimeout(m_state->timer, 0);
    if (m_state->thread.get_id() == std::this_thread::get_id()) {
        m_state->thread.detach(); // the last holder let go inside a callback; the thread ends after it
    } else {
        m_state->thread.join();
    }
    virEventRemoveTimeout(m_state->timer);
}

} // namespace coldframe::vm
