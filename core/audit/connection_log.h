// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coldframe::audit {

/// `Connection` of core/api/PROTOCOL.md. Strings come from the guest: escape before showing.
struct Connection
{
    std::int64_t id = 0; ///< given by append
    std::string time;    ///< RFC 3339; empty = now. Of a folded entry: the latest
    std::string sandbox;
    std::string source;
    std::string kind;
    std::string host;
    std::uint16_t port = 0;
    std::string address;
    std::string method;
    std::string path;
    int status = 0;
    std::int64_t bytesIn = 0;
    std::int64_t bytesOut = 0;
    std::string verdict; ///< allowed, denied, error
    std::string rule;
    std::string reason;
    std::string keyInjected; ///< the service, or empty
    bool inspected = false;
    std::string protocol;
    std::int64_t count = 1; ///< how many this entry stands for
};

/// The object of the API, and back; unknown fields are ignored, texts cut to 4 KiB. InvalidArgument names the field.
std::string toJson(const Connection& connection);
Result<Connection> connectionFromJson(const std::string& json);

struct LogLimits
{
    std::chrono::seconds foldWindow{60};
    std::int64_t maxEntries = 500000; ///< beyond it the oldest go, in tenths
};

struct Query
{
    std::string sandbox;      ///< empty: all
    std::string verdict;      ///< empty: all
    std::int64_t afterId = 0; ///< only newer entries
    int limit = 1000;         ///< 1 to 10000; the newest of what fits
};

/// Every connection tried, in SQLite with a write-ahead log. Repeats of (sandbox, source, host, port, protocol, rule, verdict, key)
/// within the window are folded into one entry's count and byte sums when they are denied or without a request; a first
/// occurrence is always an entry of its own, and so is each inspected request. Used from one thread.
///
/// An error of append (disk full, read-only) means the record is not kept: the caller must then allow nothing new.
class ConnectionLog
{
public:
    struct Opened
    {
        std::unique_ptr<ConnectionLog> log;
        std::string note; ///< not empty: what happened to a damaged file, for the user
    };

    /// Creates or opens; a damaged database is moved aside ("….damaged-<time>") and a new one started. A newer version's is refused.
    static Result<Opened> open(const std::filesystem::path& file, LogLimits limits = {});

    ~ConnectionLog();

    /// Gives back the entry as it now stands: new, or an older one with its count raised.
    Result<Connection> append(Connection connection);
    Result<std::vector<Connection>> find(const Query& query); ///< newest last
    Result<std::int64_t> countBlocked(const std::string& sandbox);
    /// JSON lines, oldest first; `line` ends with a newline. Stops with line's error.
    Result<void> exportLines(const std::string& sandbox, const std::function<Result<void>(const std::string& line)>& write);
    /// Forgets a removed sandbox's entries.
    Result<void> removeSandbox(const std::string& sandbox);

private:
    class Impl;
    explicit ConnectionLog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace coldframe::audit
