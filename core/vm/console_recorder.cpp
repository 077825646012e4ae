// SPDX-License-Identifier: Apache-2.0
#include "vm/console_recorder.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace coldframe::vm {

Result<std::unique_ptr<ConsoleRecorder>> ConsoleRecorder::start(const std::filesystem::path& socketPath,
                                                                const std::filesystem::path& logPath,
                                                                std::size_t maxBytes)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socketPath.native().size() >= sizeof address.sun_path) {
        return fail(ErrorCode::InvalidArgument, "The path of the console's socket is too long.");
    }
    std::memcpy(address.sun_path, socketPath.c_str(), socketPath.native().size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // The address cast is how the sockets API is defined.
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return failErrno("The microVM's console could not be reached.", errno);
    }
    UniqueFd log(::open(logPath.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log) {
        return failErrno("The console log “" + logPath.string() + "” could not be written.", errno);
    }
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) {
        return failErrno("The console could not be recorded.", errno);
    }
    return std::unique_ptr<ConsoleRecorder>(
        new ConsoleRecorder(std::move(socket), std::move(log), std::move(stop), maxBytes));
}

ConsoleRecorder::ConsoleRecorder(UniqueFd socket, UniqueFd log, UniqueFd stop, std::size_t maxBytes)
    : m_socket(std::move(socket)), m_log(std::move(log)), m_stop(std::move(stop)),
      m_thread([this, maxBytes] { topCatchAll("console", [&] { record(maxBytes); }); })
{}

ConsoleRecorder::~ConsoleRecorder()
{
    const std::uint64_t one = 1;
    // Cannot fail: the counter is 0 and the descriptor ours.
    [[maybe_unused]] const auto written = ::write(m_stop.get(), &one, sizeof one);
    m_thread.join();
}

void ConsoleRecorder::record(std::size_t maxBytes)
{
    std::array<char, 4096> buffer{};
    while (maxBytes > 0) {
        std::array<pollfd, 2> watched{{{m_socket.get(), POLLIN, 0}, {m_stop.get(), POLLIN, 0}}};
        if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
            break;
        }
        if (watched[1].revents != 0) {
            break;
        }
        if (watched[0].revents == 0) {
            continue;
        }
        const ssize_t got = ::recv(m_socket.get(), buffer.data(), std::min(buffer.size(), maxBytes), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        const auto size = static_cast<std::size_t>(got);
        if (!writeAll(m_log.get(), std::string_view(buffer.data(), size))) {
            break;
        }
        maxBytes -= size;
    }
    m_socket.reset();
    m_log.reset();
}

} // namespace coldframe::vm
