// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "audit/connection_log.h"
#include "base/unique_fd.h"

#include <optional>

namespace coldframe::audit {

struct ExportTargets
{
    std::filesystem::path file;      ///< empty: none. JSON lines, one an entry
    std::int64_t maxFileBytes = std::int64_t{50} << 20;
    int oldFiles = 5;                ///< FILE.1 is the youngest of those kept; 0 to 99
    bool toSyslog = false;
    std::filesystem::path syslogSocket = "/dev/log";
};

/// Writes what is logged where other programs read it. A first occurrence always; an entry's repeats when they are 10, 100, 1000 …, so
/// that a flood inside does not turn everything else out of a file of bounded size. A target that cannot be written does not stop the
/// log: it is said once, and tried again with each entry. Never waits for a reader. One thread.
class LogExport
{
public:
    /// InvalidArgument: a file that is not an absolute path, or numbers out of range.
    static Result<void> check(const ExportTargets& targets);

    void setTargets(ExportTargets targets);
    void write(const Connection& entry, const std::string& sandboxName);

private:
    Result<void> toFile(const std::string& line);
    Result<void> openFile();
    Result<void> rotate();
    Result<void> toSyslog(const std::string& line, bool isAllowed);
    void say(std::string& last, const Result<void>& done);

    ExportTargets m_targets;
    UniqueFd m_file;
    std::int64_t m_size = 0;
    UniqueFd m_syslog;
    std::string m_fileProblem; ///< said already
    std::string m_syslogProblem;
};

} // namespace coldframe::audit
