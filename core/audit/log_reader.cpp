// SPDX-License-Identifier: Apache-2.0
#include "audit/log_reader.h"

#include "audit/schema.h"
#include "base/clock.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::audit {

namespace {

constexpr std::int64_t kLongestFold = 3600; ///< an entry's occurrences are within this of its first; windows are far shorter

/// Conditions and what is bound to them, in order.
struct Conditions
{
    std::string sql;
    std::vector<std::string> texts;

    std::string text(std::string value)
    {
        texts.push_back(std::move(value));
        return "?" + std::to_string(texts.size());
    }
    void add(const std::string& condition) { sql += (sql.empty() ? " WHERE " : " AND ") + condition; }
};

std::string lower(std::string_view text)
{
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

/// For LIKE with ESCAPE '\': `star` is what "*" stands for.
std::string likePattern(std::string_view text, std::string_view star)
{
    std::string result;
    for (const char c : text) {
        if (c == '*' && !star.empty()) {
            result += star;
            continue;
        }
        if (c == '%' || c == '_' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result;
}

std::string part(std::string_view text) { return "%" + likePattern(text, {}) + "%"; }

/// What both tables have.
void addCommon(Conditions& all, const Query& query)
{
    if (!query.sandbox.empty()) {
        all.add("sandbox=" + all.text(query.sandbox));
    }
    if (!query.verdict.empty()) {
        // One of four words, and no parameter, so that the partial index fits.
        all.add(query.verdict == "blocked" ? "verdict<>'allowed'" : "verdict='" + query.verdict + "'");
    }
    if (!query.rule.empty()) {
        all.add("rule LIKE " + all.text(part(query.rule)) + " ESCAPE '\\'");
    }
    if (!query.process.empty()) {
        all.add("process LIKE " + all.text(part(query.process)) + " ESCAPE '\\'");
    }
    if (!query.how.empty()) {
        all.add("how=" + all.text(query.how));
    }
}

std::string hostCondition(Conditions& all, const std::string& host)
{
    return host.find('*') == std::string::npos ? "host=" + all.text(lower(host))
                                               : "host LIKE " + all.text(likePattern(lower(host), "%")) + " ESCAPE '\\'";
}

Conditions entryConditions(const Query& query)
{
    Conditions all;
    if (query.afterId > 0) {
        all.add("id>" + std::to_string(query.afterId));
    }
    if (query.beforeId > 0) {
        all.add("id<" + std::to_string(query.beforeId));
    }
    addCommon(all, query);
    if (!query.host.empty()) {
        // By the index that has host and sandbox: the entries themselves are read only where it fits.
        all.add("id IN (SELECT id FROM connection WHERE " + hostCondition(all, query.host) + ")");
    }
    if (!query.method.empty()) {
        all.add("upper(method)=upper(" + all.text(query.method) + ")");
    }
    if (!query.status.empty()) {
        const bool isClass = query.status.ends_with("xx");
        const int first = std::stoi(query.status.substr(0, isClass ? 1 : 3)) * (isClass ? 100 : 1);
        all.add("status BETWEEN " + std::to_string(first) + " AND " + std::to_string(first + (isClass ? 99 : 0)));
    }
    if (!query.text.empty()) {
        const std::string like = " LIKE " + all.text(part(query.text)) + " ESCAPE '\\'";
        all.add("(host" + like + " OR path" + like + " OR rule" + like + " OR reason" + like + " OR address" + like + " OR process" + like + ")");
    }
    if (query.since > 0) {
        all.add("seconds>=" + std::to_string(query.since - kLongestFold) + " AND max(seconds, lastSeconds)>=" + std::to_string(query.since));
    }
    if (query.until > 0) {
        all.add("seconds<=" + std::to_string(query.until));
    }
    return all;
}

Result<Statement> prepared(Database& database, const std::string& sql, const Conditions& conditions)
{
    COLDFRAME_TRY(Statement statement, database.prepare(sql.c_str()));
    for (std::size_t i = 0; i < conditions.texts.size(); ++i) {
        statement.bind(static_cast<int>(i) + 1, conditions.texts[i]);
    }
    return statement;
}

std::string utc(std::int64_t seconds) { return formatUtc(UtcTime(std::chrono::seconds(seconds))); }

} // namespace

Result<void> checkQuery(const Query& query)
{
    const auto oneOf = [](const std::string& value, std::initializer_list<std::string_view> words) {
        return value.empty() || std::find(words.begin(), words.end(), value) != words.end();
    };
    if (!oneOf(query.verdict, {"allowed", "denied", "error", "blocked"})) {
        return fail(ErrorCode::InvalidArgument, "A verdict is allowed, denied, error or blocked.");
    }
    if (!oneOf(query.how, {"intercepted", "plain", "bypass", "raw", "refused", "reported"})) {
        return fail(ErrorCode::InvalidArgument, "How a connection travelled is intercepted, plain, bypass, raw, refused or reported.");
    }
    const std::string& status = query.status;
    const auto digit = [&status](std::size_t i) { return status[i] >= '0' && status[i] <= '9'; };
    if (!status.empty() && (status.size() != 3 || !digit(0) || (status.substr(1) != "xx" && !(digit(1) && digit(2))))) {
        return fail(ErrorCode::InvalidArgument, "A status is a number like 404, or a class like 4xx.");
    }
    for (const std::string* text : {&query.host, &query.rule, &query.method, &query.process, &query.text}) {
        if (text->size() > 500) {
            return fail(ErrorCode::InvalidArgument, "What is looked for in the log is too long.");
        }
    }
    return {};
}

std::string toJson(const Place& place)
{
    return nlohmann::json({{"sandbox", place.sandbox},
                           {"host", place.host},
                           {"port", place.port},
                           {"protocol", place.protocol},
                           {"verdict", place.verdict},
                           {"rule", place.rule},
                           {"reason", place.reason},
                           {"how", place.how},
                           {"process", place.process},
                           {"keyInjected", place.keyInjected},
                           {"firstTime", place.firstTime},
                           {"lastTime", place.lastTime},
                           {"count", place.count},
                           {"bytesIn", place.bytesIn},
                           {"bytesOut", place.bytesOut}})
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<LogReader> LogReader::open(const std::filesystem::path& file)
{
    COLDFRAME_TRY(Database database, Database::openToRead(file));
    return LogReader(std::move(database));
}

Result<std::vector<Connection>> LogReader::find(const Query& query)
{
    COLDFRAME_CHECK(checkQuery(query));
    const Conditions conditions = entryConditions(query);
    const std::string sql = std::string("SELECT ") + kConnectionColumns + " FROM connection" + conditions.sql + (query.oldestFirst ? " ORDER BY id" : " ORDER BY id DESC") + " LIMIT " +
                            std::to_string(std::clamp(query.limit, 1, 10000));
    COLDFRAME_TRY(Statement statement, prepared(m_database, sql, conditions));
    std::vector<Connection> result;
    for (;;) {
        COLDFRAME_TRY(const bool hasRow, statement.step());
        if (!hasRow) {
            break;
        }
        result.push_back(connectionOf(statement));
    }
    if (!query.oldestFirst) {
        std::reverse(result.begin(), result.end());
    }
    return result;
}

Result<std::vector<Place>> LogReader::summary(const Query& query)
{
    COLDFRAME_CHECK(checkQuery(query));
    const bool needsEntries = !query.method.empty() || !query.status.empty() || !query.text.empty() || query.since > 0 || query.until > 0;
    const std::string key = "sandbox, host, port, protocol, verdict, rule, ";
    Conditions conditions;
    std::string sql;
    if (needsEntries) {
        conditions = entryConditions(query);
        sql = "SELECT " + key + "min(seconds), max(max(seconds, lastSeconds)), sum(count), sum(bytesIn), sum(bytesOut), max(keyInjected), max(how),"
              " max(reason), max(process) FROM connection" + conditions.sql + " GROUP BY sandbox, host, port, protocol, verdict, rule";
    } else {
        addCommon(conditions, query);
        if (!query.host.empty()) {
            conditions.add(hostCondition(conditions, query.host));
        }
        sql = "SELECT " + key + "firstSeconds, lastSeconds, count, bytesIn, bytesOut, keyInjected, how, reason, process FROM place" + conditions.sql;
    }
    sql += " ORDER BY 8 DESC, 2 LIMIT " + std::to_string(std::clamp(query.limit, 1, 10000));
    COLDFRAME_TRY(Statement row, prepared(m_database, sql, conditions));
    std::vector<Place> result;
    for (;;) {
        COLDFRAME_TRY(const bool hasRow, row.step());
        if (!hasRow) {
            return result;
        }
        Place place;
        place.sandbox = row.text(0);
        place.host = row.text(1);
        place.port = static_cast<std::uint16_t>(row.integer(2));
        place.protocol = row.text(3);
        place.verdict = row.text(4);
        place.rule = row.text(5);
        place.firstTime = utc(row.integer(6));
        place.lastTime = utc(row.integer(7));
        place.count = row.integer(8);
        place.bytesIn = row.integer(9);
        place.bytesOut = row.integer(10);
        place.keyInjected = row.text(11);
        place.how = row.text(12);
        place.reason = row.text(13);
        place.process = row.text(14);
        result.push_back(std::move(place));
    }
}

} // namespace coldframe::audit
