// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace coldframe::audit {

/// `Connection` of core/api/PROTOCOL.md. Strings come from the guest: escape before showing.
struct Connection
{
    std::int64_t id = 0; ///< given by append
    std::string time;    ///< RFC 3339; empty = now. Of a folded entry: the latest
    std::string sandbox;
    std::string source;
    std::string kind;
    std::string process; ///< the guest's own word; of a folded entry: the first few that differ
    std::string host;
    std::uint16_t port = 0;
    std::string address;
    std::string method;
    std::string path; ///< without query
    int status = 0;
    std::int64_t bytesIn = 0;
    std::int64_t bytesOut = 0;
    std::int64_t durationMs = 0; ///< of a folded entry: of the last one
    std::string verdict;         ///< allowed, denied, error
    std::string rule;
    std::string reason;
    std::string keyInjected; ///< the service, or empty
    bool inspected = false;
    std::string protocol;
    std::string how; ///< intercepted, plain, bypass, raw, refused, reported
    std::int64_t count = 1; ///< how many this entry stands for
    std::string ref; ///< not empty: it is still open; the entry of its end has the same one
    bool isOpen = false;
};

/// The object of the API, and back; unknown fields are ignored, texts cut to 4 KiB. InvalidArgument names the field.
std::string toJson(const Connection& connection);
Result<Connection> connectionFromJson(const std::string& json);

struct LogLimits
{
    std::chrono::seconds foldWindow{60};
    std::int64_t maxEntries = 4'000'000;          ///< beyond it the oldest go
    std::int64_t maxBytes = std::int64_t{512} << 20; ///< of the database, likewise
    std::chrono::hours maxAge{90 * 24};           ///< zero: for ever
    std::int64_t maxPlaces = 200'000;
};

/// Every connection tried, in SQLite with a write-ahead log. Repeats of (sandbox, source, host, port, protocol, rule, verdict, key, method,
/// path) within the window are folded into one entry's count and byte sums when they are denied or without a request; each inspected
/// request that was allowed is an entry of its own. Beside the entries stands one *place* for each (sandbox, host, port, protocol, verdict,
/// rule): first and last time, count, sums. Places outlive entries that went for size, so a first occurrence is not lost to a
/// flood of later ones. Keys are cut out of what is kept (audit/redaction.h). Used from one thread; audit/log_reader.h reads.
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

    /// Gives back the entry as it now stands: new, or an older one with its count raised or its end written.
    Result<Connection> append(Connection connection);
    /// The sandbox's proxy has gone: what was open is no more.
    Result<void> endOpen(const std::string& sandbox);
    void setLimits(LogLimits limits);

private:
    class Impl;
    explicit ConnectionLog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace coldframe::audit
