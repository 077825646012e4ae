// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "terminal/asciicast.h"

#include <chrono>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace coldframe::cli {

/// What `--record FILE` asks.
struct RecordOptions
{
    std::string file{};       ///< "": nothing is recorded
    bool mayReplace = false; ///< --force
};

/// Writes what a program shows into a file (asciicast v2), readable for the user alone. Input is not recorded.
class SessionRecording
{
public:
    /// Makes sure of the file. AlreadyExists when there is one that may not be replaced. What it holds stays until begin().
    static Result<SessionRecording> open(const RecordOptions& options);
    ~SessionRecording();
    SessionRecording(SessionRecording&&) = default;
    SessionRecording& operator=(SessionRecording&&) = default;

    const std::string& file() const { return m_name; }
    void begin(int rows, int columns, const std::string& title);
    void output(std::string_view bytes);
    void resize(int rows, int columns);
    /// The last of it. An error when something could not be written: the recording ends there.
    Result<void> finish();

private:
    SessionRecording(UniqueFd file, std::string name, bool isNew) : m_file(std::move(file)), m_name(std::move(name)), m_isNew(isNew) {}
    std::int64_t elapsed() const;
    void write(const std::string& line);

    UniqueFd m_file; ///< none in one that was moved from
    std::string m_name;
    terminal::CastWriter m_writer;
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
    int m_error = 0; ///< errno
    bool m_isNew = false;
    bool m_hasBegun = false;
};

void addRecordOptions(CLI::App& command, RecordOptions& options);

} // namespace coldframe::cli
