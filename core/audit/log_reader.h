// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "audit/connection_log.h"
#include "audit/database.h"

#include <vector>

namespace coldframe::audit {

/// Every field empty or zero: all. Texts compare without regard to (ASCII) case.
struct Query
{
    std::string sandbox;
    std::string verdict; ///< "blocked": denied or error
    std::string host;    ///< "example.com"; with "*" anything in its place
    std::string rule;    ///< a part of it
    std::string method;
    std::string status;  ///< "404", or "4xx"
    std::string process; ///< a part of it
    std::string how;
    std::string text;           ///< a part of host, path, rule, reason, address or process
    std::int64_t since = 0;     ///< seconds since 1970; an entry counts that has an occurrence from then on
    std::int64_t until = 0;
    std::int64_t afterId = 0;   ///< only newer entries
    std::int64_t beforeId = 0;  ///< only older ones: the next page
    int limit = 1000;           ///< 1 to 10000; the newest of what fits
    bool oldestFirst = false;   ///< the oldest of what fits instead: for an export, page after page by afterId
};

/// InvalidArgument says which part of a query cannot be used.
Result<void> checkQuery(const Query& query);

/// The aggregated view: one for each (sandbox, host, port, protocol, verdict, rule).
struct Place
{
    std::string sandbox;
    std::string host;
    std::uint16_t port = 0;
    std::string protocol;
    std::string verdict;
    std::string rule;
    std::string reason; ///< the latest
    std::string how;    ///< likewise
    std::string process;
    std::string keyInjected;
    std::string firstTime; ///< RFC 3339
    std::string lastTime;
    std::int64_t count = 0;
    std::int64_t bytesIn = 0;
    std::int64_t bytesOut = 0;
};
std::string toJson(const Place& place);

/// Reads the log by a connection of its own, so that a long search holds no append up. One thread at a time.
class LogReader
{
public:
    static Result<LogReader> open(const std::filesystem::path& file);

    Result<std::vector<Connection>> find(const Query& query); ///< newest last
    /// Latest first. Without method, status, text and times it comes from the places; with them it is counted from the entries.
    Result<std::vector<Place>> summary(const Query& query);

private:
    explicit LogReader(Database database) : m_database(std::move(database)) {}
    Database m_database;
};

} // namespace coldframe::audit
