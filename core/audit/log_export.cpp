// SPDX-License-Identifier: Apache-2.0
#include "audit/log_export.h"

#include "base/file.h"
#include "base/log.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace coldframe::audit {

namespace {

constexpr std::int64_t kLeastFileBytes = 64 * 1024;
constexpr int kMostOldFiles = 99;
// RFC 5424, section 6.2.1: facility 1 (user), severity 6 (informational) or 4 (warning).
constexpr int kInformational = 1 * 8 + 6;
constexpr int kWarning = 1 * 8 + 4;

bool isPowerOfTen(std::int64_t number)
{
    while (number >= 10 && number % 10 == 0) {
        number /= 10;
    }
    return number == 1;
}

std::filesystem::path numbered(const std::filesystem::path& file, int number) { return file.string() + "." + std::to_string(number); }

} // namespace

Result<void> LogExport::check(const ExportTargets& targets)
{
    if (!targets.file.empty() && !targets.file.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The file for the connection log must be an absolute path.");
    }
    if (targets.maxFileBytes < kLeastFileBytes || targets.oldFiles < 0 || targets.oldFiles > kMostOldFiles) {
        return fail(ErrorCode::InvalidArgument, "The file for the connection log has at least 64 KiB, and 0 to 99 older ones beside it.");
    }
    return {};
}

void LogExport::setTargets(ExportTargets targets)
{
    m_targets = std::move(targets);
    m_file.reset();
    m_syslog.reset();
    m_fileProblem.clear();
    m_syslogProblem.clear();
}

void LogExport::write(const Connection& entry, const std::string& sandboxName)
{
    if ((m_targets.file.empty() && !m_targets.toSyslog) || !isPowerOfTen(entry.count)) {
        return;
    }
    nlohmann::json object = nlohmann::json::parse(toJson(entry));
    object["sandboxName"] = sandboxName;
    const std::string line = object.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace); // ASCII: no line breaks but ours
    if (!m_targets.file.empty()) {
        say(m_fileProblem, toFile(line + "\n"));
    }
    if (m_targets.toSyslog) {
        say(m_syslogProblem, toSyslog(line, entry.verdict == "allowed"));
    }
}

void LogExport::say(std::string& last, const Result<void>& done)
{
    const std::string problem = done ? std::string() : done.error().message + " " + done.error().detail;
    if (!problem.empty() && problem != last) {
        logWarning("audit", problem);
    }
    last = problem;
}

Result<void> LogExport::openFile()
{
    // A link would let whoever may write the folder choose what is appended to.
    m_file.reset(::open(m_targets.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    struct stat status{};
    if (!m_file || ::fstat(m_file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        const int error = m_file ? EINVAL : errno;
        m_file.reset();
        return failErrno("The connection log cannot be written to " + m_targets.file.string() + ".", error);
    }
    m_size = status.st_size;
    return {};
}

Result<void> LogExport::rotate()
{
    m_file.reset();
    std::error_code error;
    if (m_targets.oldFiles == 0) {
        std::filesystem::remove(m_targets.file, error);
    }
    for (int number = m_targets.oldFiles; number > 0; --number) {
        const std::filesystem::path from = number == 1 ? m_targets.file : numbered(m_targets.file, number - 1);
        if (std::filesystem::exists(from, error)) {
            std::filesystem::rename(from, numbered(m_targets.file, number), error);
            if (error) {
                return fail(ErrorCode::Io, "The old connection log " + from.string() + " cannot be put aside.", error.message());
            }
        }
    }
    return openFile();
}

Result<void> LogExport::toFile(const std::string& line)
{
    // Somebody's own logrotate may have moved it: then what is open has no name any more.
    struct stat named{};
    struct stat opened{};
    const bool isSame = m_file && ::stat(m_targets.file.c_str(), &named) == 0 && ::fstat(m_file.get(), &opened) == 0 &&
                        named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
    if (!isSame) {
        COLDFRAME_CHECK(openFile());
    }
    if (m_size > 0 && m_size + static_cast<std::int64_t>(line.size()) > m_targets.maxFileBytes) {
        COLDFRAME_CHECK(rotate());
    }
    COLDFRAME_CHECK(writeAll(m_file.get(), line));
    m_size += static_cast<std::int64_t>(line.size());
    return {};
}

Result<void> LogExport::toSyslog(const std::string& line, bool isAllowed)
{
    if (!m_syslog) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string& path = m_targets.syslogSocket.native();
        if (path.size() >= sizeof address.sun_path) {
            return fail(ErrorCode::InvalidArgument, "The system log's socket has too long a path.");
        }
        std::memcpy(address.sun_path, path.c_str(), path.size());
        UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            return failErrno("The connection log cannot be written to the system log.", errno);
        }
        m_syslog = std::move(socket);
    }
    // RFC 3164, section 4.1, without time and host: the daemon at the other end of a local socket adds them.
    const std::string packet = "<" + std::to_string(isAllowed ? kInformational : kWarning) + ">coldframe[" + std::to_string(::getpid()) + "]: " + line;
    if (::send(m_syslog.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
        const int error = errno;
        if (error != EAGAIN && error != EWOULDBLOCK) {
            m_syslog.reset(); // the daemon was restarted
        }
        return failErrno("An entry of the connection log did not reach the system log.", error);
    }
    return {};
}

} // namespace coldframe::audit
