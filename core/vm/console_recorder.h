// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <thread>

namespace coldframe::vm {

/// Copies what a guest prints on its serial line into a log file (0600, replaced at each start), up to a cap; then, or
/// when destroyed, it hangs up and QEMU drops what follows. One thread of its own while it records.
class ConsoleRecorder
{
public:
    /// Connects at once, so nothing is lost when the guest runs only afterwards.
    static Result<std::unique_ptr<ConsoleRecorder>> start(const std::filesystem::path& socket,
                                                          const std::filesystem::path& log, std::size_t maxBytes);
    ~ConsoleRecorder();
    ConsoleRecorder(const ConsoleRecorder&) = delete;
    ConsoleRecorder& operator=(const ConsoleRecorder&) = delete;

private:
    ConsoleRecorder(UniqueFd socket, UniqueFd log, UniqueFd stop, std::size_t maxBytes);
    void record(std::size_t maxBytes);

    UniqueFd m_socket;
    UniqueFd m_log;
    UniqueFd m_stop;
    std::thread m_thread;
};

} // namespace coldframe::vm
