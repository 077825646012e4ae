// SPDX-License-Identifier: Apache-2.0
#include "vm/memory_feed.h"

#include "base/log.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::vm {
namespace {

constexpr int kPipeBytes = 1 << 20;
constexpr int kPollMilliseconds = 50;
constexpr std::chrono::milliseconds kReaderPause{1};

/// Whether the pipe takes more now; `broken` when nobody reads it any more.
bool isWritable(int pipe, bool& broken)
{
    struct pollfd entry{pipe, POLLOUT, 0};
    const int ready = ::poll(&entry, 1, kPollMilliseconds);
    broken = ready > 0 && (entry.revents & (POLLERR | POLLNVAL)) != 0;
    return ready > 0 && (entry.revents & POLLOUT) != 0;
}

} // namespace

Result<std::unique_ptr<MemoryFeed>> MemoryFeed::start(const std::filesystem::path& fifo, const std::string& header, int openings,
                                                      const std::filesystem::path& memory, std::uint64_t offset)
{
    UniqueFd file(::open(memory.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) {
        return failErrno("The saved memory “" + memory.string() + "” cannot be opened.", errno);
    }
    (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    ::unlink(fifo.c_str());
    if (::mkfifo(fifo.c_str(), 0600) != 0) {
        return failErrno("The pipe “" + fifo.string() + "” cannot be made.", errno);
    }
    std::string headers;
    for (int opening = 0; opening < openings; ++opening) {
        headers += header;
    }
    return std::unique_ptr<MemoryFeed>(new MemoryFeed(fifo, std::move(headers), openings > 1, std::move(file), offset));
}

MemoryFeed::MemoryFeed(std::filesystem::path fifo, std::string headers, bool comesAgain, UniqueFd memory, std::uint64_t offset)
    : m_fifo(std::move(fifo)), m_headers(std::move(headers)), m_comesAgain(comesAgain), m_memory(std::move(memory)), m_offset(offset),
      m_thread([this] { topCatchAll("memory feed", [this] { run(); }); })
{
}

MemoryFeed::~MemoryFeed()
{
    m_stop = true;
    m_thread.join();
    ::unlink(m_fifo.c_str());
}

void MemoryFeed::run()
{
    // A reader that goes away is an error of the write here, not a signal to the process.
    sigset_t pipeSignal;
    sigemptyset(&pipeSignal);
    sigaddset(&pipeSignal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipeSignal, nullptr);
    UniqueFd pipe;
    while (!m_stop && !pipe) {
        // Without a reader a non-blocking open fails (fifo(7)), so that an abandoned restore never holds this thread.
        pipe = UniqueFd(::open(m_fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
        if (!pipe && errno != ENXIO && errno != EINTR) {
            logWarning("memory feed", std::string("the pipe cannot be opened: ") + std::strerror(errno));
            return;
        }
        if (!pipe) {
            std::this_thread::sleep_for(kReaderPause);
        }
    }
    if (!pipe) {
        return;
    }
    (void)::fcntl(pipe.get(), F_SETPIPE_SZ, kPipeBytes);
    if (!send(pipe.get())) {
        logWarning("memory feed", "the saved memory was not taken whole");
    }
}

bool MemoryFeed::send(int pipe)
{
    std::size_t sent = 0;
    auto offset = static_cast<loff_t>(m_offset);
    while (!m_stop) {
        bool broken = false;
        if (!isWritable(pipe, broken)) {
            if (broken && !m_comesAgain) {
                return false;
            }
            if (broken) {
                std::this_thread::sleep_for(kReaderPause);
            }
            continue;
        }
        ssize_t moved = 0;
        if (sent < m_headers.size()) {
            moved = ::write(pipe, m_headers.data() + sent, m_headers.size() - sent);
            sent += moved > 0 ? static_cast<std::size_t>(moved) : 0;
        } else {
            moved = ::splice(m_memory.get(), &offset, pipe, nullptr, kPipeBytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (moved == 0) {
                return true;
            }
        }
        if (moved < 0 && errno != EAGAIN && errno != EINTR && !(errno == EPIPE && m_comesAgain)) {
            return false;
        }
    }
    return false;
}

} // namespace coldframe::vm
