// SPDX-License-Identifier: Apache-2.0
#include "audit/connection_log.h"

#include "audit/redaction.h"
#include "audit/schema.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <optional>
#include <sys/stat.h>

namespace coldframe::audit {

namespace {

constexpr std::int64_t kTrimEvery = 256;  ///< appends between two looks at size and age
constexpr std::int64_t kTrimBite = 1024;  ///< entries that go at a time: more than came, and still no wait
constexpr std::int64_t kFirstBite = 20000;
constexpr std::int64_t kTrimsBetweenCounts = 64;
constexpr std::size_t kMostProcesses = 200; ///< bytes of a folded entry's processes

/// Moves the file and its write-ahead log out of the way; the new name.
Result<std::filesystem::path> moveAside(const std::filesystem::path& file)
{
    std::string stamp = formatUtc(utcNow());
    std::replace(stamp.begin(), stamp.end(), ':', '-');
    const std::filesystem::path target = file.string() + ".damaged-" + stamp;
    std::error_code error;
    std::filesystem::rename(file, target, error);
    if (error) {
        return fail(ErrorCode::Io, "The damaged connection log " + file.string() + " cannot be moved aside.", error.message());
    }
    for (const char* suffix : {"-wal", "-shm"}) {
        std::filesystem::rename(file.string() + suffix, target.string() + suffix, error);
    }
    return target;
}

/// Left by a log that found damage while it was written: opening reads too little to find it again.
std::filesystem::path damageMark(const std::filesystem::path& file) { return file.string() + ".is-damaged"; }

/// One request seen in the clear is an event of its own; refusals and plain connections repeat.
bool mayFold(const Connection& connection)
{
    return (connection.verdict != "allowed" || connection.method.empty()) && connection.ref.empty();
}

/// "curl" and "node" give "curl, node".
std::string withProcess(const std::string& all, const std::string& one)
{
    if (one.empty() || all == one || all.size() + one.size() > kMostProcesses) {
        return all;
    }
    if (all.empty()) {
        return one;
    }
    const std::string whole = ", " + all + ", ";
    return whole.find(", " + one + ", ") != std::string::npos ? all : all + ", " + one;
}

std::int64_t secondsNow()
{
    return std::chrono::duration_cast<std::chrono::seconds>(utcNow().time_since_epoch()).count();
}

/// Steps a statement that gives no rows, and makes it ready for the next time.
Result<void> run(Statement& statement)
{
    COLDFRAME_TRY([[maybe_unused]] const bool hasRow, statement.step());
    statement.finish();
    return {};
}

} // namespace

class ConnectionLog::Impl
{
public:
    Impl(std::filesystem::path logFile, LogLimits givenLimits, Database openedDatabase)
        : file(std::move(logFile)), limits(givenLimits), database(std::move(openedDatabase))
    {
    }

    static Result<std::unique_ptr<Impl>> make(const std::filesystem::path& file, LogLimits limits)
    {
        COLDFRAME_TRY(Database database, openLogDatabase(file));
        (void)::chmod(file.c_str(), 0600);
        auto impl = std::make_unique<Impl>(file, limits, std::move(database));
        COLDFRAME_CHECK(impl->prepare());
        return impl;
    }

    Result<void> prepare();
    Result<Connection> repeated(const Connection& connection, std::int64_t now);
    Result<Connection> opened(const std::string& ref);
    Result<Connection> write(Connection connection);
    Result<Connection> insertNew(Connection connection, std::int64_t now);
    Result<Connection> raiseRepeat(Connection earlier, const Connection& connection, std::int64_t now);
    Result<Connection> writeEnd(const Connection& earlier, Connection connection, std::int64_t now);
    Result<void> raisePlace(const Connection& connection, std::int64_t now, std::int64_t count, std::int64_t bytesIn, std::int64_t bytesOut);
    Result<void> trim(std::int64_t bite);
    Result<std::int64_t> number(const char* sql);
    std::int64_t bytesUsed();
    std::int64_t trimEvery() const { return std::clamp<std::int64_t>(limits.maxEntries / 10, 1, kTrimEvery); }

    std::filesystem::path file;
    LogLimits limits;
    Database database;
    std::optional<Statement> begin;
    std::optional<Statement> commit;
    std::optional<Statement> findRepeat;
    std::optional<Statement> findOpen;
    std::optional<Statement> raise;
    std::optional<Statement> insert;
    std::optional<Statement> finishOpen;
    std::optional<Statement> place;
    std::optional<Statement> removeOldest;
    std::optional<Statement> removeAged;
    std::optional<Statement> removePlaces;
    std::int64_t entries = 0;
    std::int64_t untilTrim = 1;
    std::int64_t untilCount = 1;
};

Result<void> ConnectionLog::Impl::prepare()
{
    const auto make = [this](std::optional<Statement>& into, const std::string& sql) -> Result<void> {
        COLDFRAME_TRY(Statement made, database.prepare(sql.c_str()));
        into.emplace(std::move(made));
        return {};
    };
    const std::string columns = kConnectionColumns;
    COLDFRAME_CHECK(make(begin, "BEGIN IMMEDIATE"));
    COLDFRAME_CHECK(make(commit, "COMMIT"));
    COLDFRAME_CHECK(make(findRepeat, "SELECT " + columns +
                                         " FROM connection WHERE sandbox=?1 AND host=?2 AND port=?3 AND seconds>=?4 AND verdict=?5 AND rule=?6"
                                         " AND protocol=?7 AND source=?8 AND keyInjected=?9 AND method=?10 AND path=?11 AND ref=''"
                                         " AND (verdict<>'allowed' OR method='')"
                                         " ORDER BY id DESC LIMIT 1"));
    COLDFRAME_CHECK(make(findOpen, "SELECT " + columns + " FROM connection WHERE ref=?1 AND ref<>'' LIMIT 1"));
    COLDFRAME_CHECK(make(raise, "UPDATE connection SET count=?2, bytesIn=?3, bytesOut=?4, time=?5, lastSeconds=?6, process=?7, durationMs=?8"
                                " WHERE id=?1"));
    COLDFRAME_CHECK(make(insert, "INSERT INTO connection(time, seconds, sandbox, source, kind, host, port, address, method, path, status,"
                                 " bytesIn, bytesOut, verdict, rule, reason, keyInjected, inspected, protocol, count, process, how,"
                                 " durationMs, ref)"
                                 " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24)"));
    COLDFRAME_CHECK(make(finishOpen, "UPDATE connection SET ref=?2, time=?3, status=?4, bytesIn=?5, bytesOut=?6, verdict=?7, rule=?8, reason=?9,"
                                     " keyInjected=?10, how=?11, durationMs=?12, address=?13, lastSeconds=?14 WHERE id=?1"));
    COLDFRAME_CHECK(make(place, "INSERT INTO place(sandbox, host, port, protocol, verdict, rule, firstSeconds, lastSeconds, count, bytesIn, bytesOut,"
                                " keyInjected, how, reason, process) VALUES(?1,?2,?3,?4,?5,?6,?7,?7,?8,?9,?10,?11,?12,?13,?14)"
                                " ON CONFLICT DO UPDATE SET lastSeconds=excluded.lastSeconds, count=count+excluded.count,"
                                " bytesIn=bytesIn+excluded.bytesIn, bytesOut=bytesOut+excluded.bytesOut,"
                                " keyInjected=CASE excluded.keyInjected WHEN '' THEN keyInjected ELSE excluded.keyInjected END,"
                                " how=excluded.how, reason=excluded.reason,"
                                " process=CASE excluded.process WHEN '' THEN process ELSE excluded.process END"));
    COLDFRAME_CHECK(make(removeOldest, "DELETE FROM connection WHERE id IN (SELECT id FROM connection ORDER BY id LIMIT ?1)"));
    COLDFRAME_CHECK(make(removeAged, "DELETE FROM connection WHERE id IN (SELECT id FROM connection WHERE seconds<?1 ORDER BY seconds LIMIT ?2)"));
    COLDFRAME_CHECK(make(removePlaces, "DELETE FROM place WHERE (sandbox, host, port, protocol, verdict, rule) IN"
                                       " (SELECT sandbox, host, port, protocol, verdict, rule FROM place WHERE lastSeconds<?1"
                                       " ORDER BY lastSeconds LIMIT ?2)"));
    // Ids run without gaps but for what was refused or trimmed at the beginning: near enough, and there is nothing to count through.
    COLDFRAME_TRY(entries, number("SELECT coalesce(max(id) - min(id) + 1, 0) FROM connection"));
    return trim(kFirstBite);
}

Result<std::int64_t> ConnectionLog::Impl::number(const char* sql)
{
    COLDFRAME_TRY(Statement statement, database.prepare(sql));
    COLDFRAME_TRY(const bool hasRow, statement.step());
    return hasRow ? statement.integer(0) : 0;
}

std::int64_t ConnectionLog::Impl::bytesUsed()
{
    const auto pages = number("PRAGMA page_count");
    const auto unused = number("PRAGMA freelist_count");
    const auto size = number("PRAGMA page_size");
    return pages && unused && size ? (*pages - *unused) * *size : 0;
}

/// The entry that this one repeats, if any. The window runs from the entry's first occurrence, so a steady
/// stream still gives an entry each window.
Result<Connection> ConnectionLog::Impl::repeated(const Connection& connection, std::int64_t now)
{
    findRepeat->bind(1, connection.sandbox)
        .bind(2, connection.host)
        .bind(3, std::int64_t{connection.port})
        .bind(4, now - limits.foldWindow.count() + 1)
        .bind(5, connection.verdict)
        .bind(6, connection.rule)
        .bind(7, connection.protocol)
        .bind(8, connection.source)
        .bind(9, connection.keyInjected)
        .bind(10, connection.method)
        .bind(11, connection.path);
    COLDFRAME_TRY(const bool hasRow, findRepeat->step());
    Connection found = hasRow ? connectionOf(*findRepeat) : Connection{};
    findRepeat->finish();
    return found;
}

Result<Connection> ConnectionLog::Impl::opened(const std::string& ref)
{
    findOpen->bind(1, ref);
    COLDFRAME_TRY(const bool hasRow, findOpen->step());
    Connection found = hasRow ? connectionOf(*findOpen) : Connection{};
    findOpen->finish();
    return found;
}

Result<void> ConnectionLog::Impl::raisePlace(const Connection& connection, std::int64_t now, std::int64_t count, std::int64_t bytesIn,
                                             std::int64_t bytesOut)
{
    place->bind(1, connection.sandbox)
        .bind(2, connection.host)
        .bind(3, std::int64_t{connection.port})
        .bind(4, connection.protocol)
        .bind(5, connection.verdict)
        .bind(6, connection.rule)
        .bind(7, now)
        .bind(8, count)
        .bind(9, bytesIn)
        .bind(10, bytesOut)
        .bind(11, connection.keyInjected)
        .bind(12, connection.how)
        .bind(13, connection.reason)
        .bind(14, connection.process);
    return run(*place);
}

Result<Connection> ConnectionLog::Impl::insertNew(Connection connection, std::int64_t now)
{
    insert->bind(1, connection.time)
        .bind(2, now)
        .bind(3, connection.sandbox)
        .bind(4, connection.source)
        .bind(5, connection.kind)
        .bind(6, connection.host)
        .bind(7, std::int64_t{connection.port})
        .bind(8, connection.address)
        .bind(9, connection.method)
        .bind(10, connection.path)
        .bind(11, std::int64_t{connection.status})
        .bind(12, connection.bytesIn)
        .bind(13, connection.bytesOut)
        .bind(14, connection.verdict)
        .bind(15, connection.rule)
        .bind(16, connection.reason)
        .bind(17, connection.keyInjected)
        .bind(18, std::int64_t{connection.inspected ? 1 : 0})
        .bind(19, connection.protocol)
        .bind(20, connection.count)
        .bind(21, connection.process)
        .bind(22, connection.how)
        .bind(23, connection.durationMs)
        .bind(24, connection.isOpen ? connection.ref : std::string());
    COLDFRAME_CHECK(run(*insert));
    connection.id = database.lastRowId();
    COLDFRAME_CHECK(raisePlace(connection, now, connection.count, connection.bytesIn, connection.bytesOut));
    ++entries;
    return connection;
}

Result<Connection> ConnectionLog::Impl::raiseRepeat(Connection earlier, const Connection& connection, std::int64_t now)
{
    earlier.count += connection.count;
    earlier.bytesIn += connection.bytesIn;
    earlier.bytesOut += connection.bytesOut;
    earlier.time = connection.time;
    earlier.durationMs = connection.durationMs;
    earlier.process = withProcess(earlier.process, connection.process);
    raise->bind(1, earlier.id)
        .bind(2, earlier.count)
        .bind(3, earlier.bytesIn)
        .bind(4, earlier.bytesOut)
        .bind(5, earlier.time)
        .bind(6, now)
        .bind(7, earlier.process)
        .bind(8, earlier.durationMs);
    COLDFRAME_CHECK(run(*raise));
    COLDFRAME_CHECK(raisePlace(connection, now, connection.count, connection.bytesIn, connection.bytesOut));
    return earlier;
}

Result<Connection> ConnectionLog::Impl::writeEnd(const Connection& earlier, Connection connection, std::int64_t now)
{
    connection.id = earlier.id;
    finishOpen->bind(1, connection.id)
        .bind(2, connection.isOpen ? connection.ref : std::string())
        .bind(3, connection.time)
        .bind(4, std::int64_t{connection.status})
        .bind(5, connection.bytesIn)
        .bind(6, connection.bytesOut)
        .bind(7, connection.verdict)
        .bind(8, connection.rule)
        .bind(9, connection.reason)
        .bind(10, connection.keyInjected)
        .bind(11, connection.how)
        .bind(12, connection.durationMs)
        .bind(13, connection.address)
        .bind(14, now);
    COLDFRAME_CHECK(run(*finishOpen));
    const bool isSamePlace = earlier.verdict == connection.verdict && earlier.rule == connection.rule;
    COLDFRAME_CHECK(raisePlace(connection, now, isSamePlace ? 0 : 1, connection.bytesIn - (isSamePlace ? earlier.bytesIn : 0),
                               connection.bytesOut - (isSamePlace ? earlier.bytesOut : 0)));
    return connection;
}

Result<Connection> ConnectionLog::Impl::write(Connection connection)
{
    const std::int64_t now = secondsNow();
    if (!connection.ref.empty()) {
        COLDFRAME_TRY(const Connection earlier, opened(connection.ref));
        if (earlier.id != 0 && earlier.sandbox == connection.sandbox) {
            return writeEnd(earlier, std::move(connection), now);
        }
    }
    if (mayFold(connection)) {
        COLDFRAME_TRY(Connection earlier, repeated(connection, now));
        if (earlier.id != 0) {
            return raiseRepeat(std::move(earlier), connection, now);
        }
    }
    return insertNew(std::move(connection), now);
}

/// A little with every few appends, so that nobody waits for much at a time.
Result<void> ConnectionLog::Impl::trim(std::int64_t bite)
{
    const std::int64_t forCount = std::max<std::int64_t>(entries + trimEvery() - limits.maxEntries, 0);
    const std::int64_t forSize = bytesUsed() > limits.maxBytes ? bite : 0;
    if (const std::int64_t most = std::min(bite, std::max(forCount, forSize)); most > 0) {
        removeOldest->bind(1, most);
        COLDFRAME_CHECK(run(*removeOldest));
        entries -= database.changes();
    }
    if (limits.maxAge.count() > 0) {
        const std::int64_t from = secondsNow() - std::chrono::duration_cast<std::chrono::seconds>(limits.maxAge).count();
        removeAged->bind(1, from).bind(2, bite);
        COLDFRAME_CHECK(run(*removeAged));
        entries -= database.changes();
    }
    if (--untilCount <= 0) {
        untilCount = kTrimsBetweenCounts;
        if (limits.maxAge.count() > 0) {
            const std::int64_t from = secondsNow() - std::chrono::duration_cast<std::chrono::seconds>(limits.maxAge).count();
            removePlaces->bind(1, from).bind(2, kFirstBite);
            COLDFRAME_CHECK(run(*removePlaces));
        }
        COLDFRAME_TRY(const std::int64_t places, number("SELECT count(*) FROM place"));
        if (places > limits.maxPlaces) {
            removePlaces->bind(1, std::int64_t{1} << 62).bind(2, std::min(kFirstBite, places - limits.maxPlaces));
            COLDFRAME_CHECK(run(*removePlaces));
        }
    }
    return {};
}

ConnectionLog::ConnectionLog(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}

ConnectionLog::~ConnectionLog() = default;

Result<ConnectionLog::Opened> ConnectionLog::open(const std::filesystem::path& file, LogLimits limits)
{
    COLDFRAME_CHECK(makeFolders(file.parent_path()));
    std::string note;
    std::error_code ignored;
    const bool isMarked = std::filesystem::exists(damageMark(file), ignored);
    auto impl = isMarked ? tl::unexpected(Error{ErrorCode::Corrupt, "The connection log is damaged.", ""}) : Impl::make(file, limits);
    if (!impl && impl.error().code == ErrorCode::Corrupt) {
        COLDFRAME_TRY(const std::filesystem::path aside, moveAside(file));
        std::filesystem::remove(damageMark(file), ignored);
        note = "The connection log was damaged. It was moved to " + aside.string() + " and a new one started.";
        logWarning("audit", note);
        impl = Impl::make(file, limits);
    }
    if (!impl) {
        return tl::unexpected(impl.error());
    }
    return Opened{std::unique_ptr<ConnectionLog>(new ConnectionLog(std::move(*impl))), std::move(note)};
}

Result<Connection> ConnectionLog::append(Connection connection)
{
    if (connection.time.empty()) {
        connection.time = formatUtc(utcNow());
    }
    connection.count = std::max<std::int64_t>(connection.count, 1);
    connection.path = redactPath(connection.path);
    connection.method = redactText(connection.method);
    connection.process = redactText(connection.process);
    connection.reason = redactText(connection.reason);
    COLDFRAME_CHECK(run(*m_impl->begin));
    Result<Connection> kept = m_impl->write(std::move(connection));
    const Result<void> done = kept ? run(*m_impl->commit) : tl::unexpected(kept.error());
    if (!done) {
        (void)m_impl->database.execute("ROLLBACK");
        if (done.error().code == ErrorCode::Corrupt) {
            (void)writeFileAtomic(damageMark(m_impl->file), "");
            logError("audit", "The connection log is damaged. Restart the engine to start a new one: coldframe engine stop");
        }
        return tl::unexpected(done.error());
    }
    if (--m_impl->untilTrim <= 0) {
        m_impl->untilTrim = m_impl->trimEvery();
        // The entry is kept; failing to drop old ones must not refuse connections.
        if (const auto trimmed = m_impl->trim(kTrimBite); !trimmed) {
            logWarning("audit", trimmed.error().message + " " + trimmed.error().detail);
        }
    }
    return kept;
}

Result<void> ConnectionLog::endOpen(const std::string& sandbox)
{
    COLDFRAME_TRY(Statement statement, m_impl->database.prepare("UPDATE connection SET ref='' WHERE ref<>'' AND sandbox=?1"));
    statement.bind(1, sandbox);
    return run(statement);
}

void ConnectionLog::setLimits(LogLimits limits)
{
    m_impl->limits = limits;
    m_impl->untilTrim = 1;
}

} // namespace coldframe::audit
