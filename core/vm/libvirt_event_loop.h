// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace coldframe::vm {

/// libvirt's default event loop, which is one per process, on a thread of its own. It runs while anyone holds it.
class LibvirtEventLoop
{
public:
    /// The running loop; started by the first holder. Any thread.
    static std::shared_ptr<LibvirtEventLoop> acquire();
    ~LibvirtEventLoop();
    LibvirtEventLoop(const LibvirtEventLoop&) = delete;
    LibvirtEventLoop& operator=(const LibvirtEventLoop&) = delete;

private:
    LibvirtEventLoop();
    struct State;
    std::shared_ptr<State> m_state;
};

} // namespace coldframe::vm
