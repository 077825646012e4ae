// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace coldframe::vm {

/// Gives libvirt one saved memory under a new description without a copy on disk: a FIFO into which a thread
/// writes `header` and then the file from `offset` on (spliced, so that the bytes stay in the page cache).
/// libvirt reads a save image from front to end and passes the descriptor on to QEMU; newer ones open it once more before that
/// (saveImageOpenings()), and read exactly the header each time. What was not read stays in a FIFO as long as its writer is there, so
/// that the header is simply written as often. The FIFO is removed, and the thread ended, by the destructor.
class MemoryFeed
{
public:
    static Result<std::unique_ptr<MemoryFeed>> start(const std::filesystem::path& fifo, const std::string& header, int openings,
                                                     const std::filesystem::path& memory, std::uint64_t offset);
    ~MemoryFeed();
    MemoryFeed(const MemoryFeed&) = delete;
    MemoryFeed& operator=(const MemoryFeed&) = delete;

private:
    MemoryFeed(std::filesystem::path fifo, std::string headers, bool comesAgain, UniqueFd memory, std::uint64_t offset);
    void run();
    bool send(int pipe);

    const std::filesystem::path m_fifo;
    const std::string m_headers; ///< one for each opening
    const bool m_comesAgain;     ///< a reader that leaves is not the last
    UniqueFd m_memory;
    std::uint64_t m_offset = 0;
    std::atomic<bool> m_stop{false};
    std::thread m_thread;
};

} // namespace coldframe::vm
