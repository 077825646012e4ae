// SPDX-License-Identifier: Apache-2.0
#include "session_recording.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::cli {

Result<SessionRecording> SessionRecording::open(const RecordOptions& options)
{
    // A link is not followed: the screen may hold secrets, and where they go is what the user wrote.
    const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
    UniqueFd file(::open(options.file.c_str(), flags | O_CREAT | O_EXCL, 0600));
    const bool isNew = static_cast<bool>(file);
    if (!file && errno == EEXIST) {
        if (!options.mayReplace) {
            return fail(ErrorCode::AlreadyExists, options.file + " exists. Name another file, or replace it with --force.");
        }
        file = UniqueFd(::open(options.file.c_str(), flags));
    }
    if (!file) {
        return failErrno("The recording " + options.file + " cannot be written.", errno);
    }
    return SessionRecording(std::move(file), options.file, isNew);
}

SessionRecording::~SessionRecording()
{
    if (m_file && m_isNew && !m_hasBegun) {
        ::unlink(m_name.c_str()); // the program never started
    }
}

void SessionRecording::begin(int rows, int columns, const std::string& title)
{
    m_hasBegun = true;
    if (::fchmod(m_file.get(), 0600) != 0 || ::ftruncate(m_file.get(), 0) != 0) {
        m_error = errno;
    }
    m_start = std::chrono::steady_clock::now();
    write(m_writer.begin({rows, columns, static_cast<std::int64_t>(std::time(nullptr)), title}));
}

std::int64_t SessionRecording::elapsed() const
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - m_start).count();
}

void SessionRecording::write(const std::string& line)
{
    for (std::string_view rest = line; !rest.empty() && m_error == 0;) {
        const ssize_t size = ::write(m_file.get(), rest.data(), rest.size());
        if (size > 0) {
            rest.remove_prefix(static_cast<std::size_t>(size));
        } else if (errno != EINTR) {
            m_error = size == 0 ? EIO : errno;
        }
    }
}

void SessionRecording::output(std::string_view bytes) { write(m_writer.output(elapsed(), bytes)); }

void SessionRecording::resize(int rows, int columns) { write(m_writer.resize(elapsed(), rows, columns)); }

Result<void> SessionRecording::finish()
{
    write(m_writer.end(elapsed()));
    if (m_error == 0 && ::fsync(m_file.get()) != 0 && errno != EINVAL) {
        m_error = errno;
    }
    if (m_error != 0) {
        return failErrno("The recording " + m_name + " ends early.", m_error);
    }
    if (m_writer.isFull()) {
        return fail(ErrorCode::NoSpace, "The recording " + m_name + " ends early: it reached its largest size, 1 GiB.");
    }
    return {};
}

void addRecordOptions(CLI::App& command, RecordOptions& options)
{
    CLI::Option* file = command.add_option("--record", options.file, "Write what its terminal shows to FILE (asciicast v2); what is typed is not recorded")->option_text("FILE");
    command.add_flag("--force", options.mayReplace, "Replace FILE when it exists")->needs(file);
}

} // namespace coldframe::cli
