// SPDX-License-Identifier: Apache-2.0
#include "audit/connection_log.h"

#include "audit/database.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <sys/stat.h>

namespace coldframe::audit {

namespace {

constexpr std::int64_t kSchemaVersion = 1;

// synchronous=NORMAL: a power cut may lose the last moments, never the database.
constexpr const char* kSetUp = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF;";
constexpr const char* kSchema =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE connection(id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, seconds INTEGER NOT NULL, sandbox TEXT NOT NULL,"
    " source TEXT NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, address TEXT NOT NULL, method TEXT NOT NULL,"
    " path TEXT NOT NULL, status INTEGER NOT NULL, bytesIn INTEGER NOT NULL, bytesOut INTEGER NOT NULL, verdict TEXT NOT NULL,"
    " rule TEXT NOT NULL, reason TEXT NOT NULL, keyInjected TEXT NOT NULL, inspected INTEGER NOT NULL, protocol TEXT NOT NULL,"
    " count INTEGER NOT NULL);"
    "CREATE INDEX connection_fold ON connection(sandbox, host, port, seconds);"
    "CREATE INDEX connection_sandbox ON connection(sandbox, id);"
    "PRAGMA user_version=1;"
    "COMMIT;";

constexpr const char* kColumns =
    "id, time, sandbox, source, kind, host, port, address, method, path, status, bytesIn, bytesOut, verdict, rule, reason,"
    " keyInjected, inspected, protocol, count";

Connection connectionOf(const Statement& row)
{
    Connection connection;
    connection.id = row.integer(0);
    connection.time = row.text(1);
    connection.sandbox = row.text(2);
    connection.source = row.text(3);
    connection.kind = row.text(4);
    connection.host = row.text(5);
    connection.port = static_cast<std::uint16_t>(row.integer(6));
    connection.address = row.text(7);
    connection.method = row.text(8);
    connection.path = row.text(9);
    connection.status = static_cast<int>(row.integer(10));
    connection.bytesIn = row.integer(11);
    connection.bytesOut = row.integer(12);
    connection.verdict = row.text(13);
    connection.rule = row.text(14);
    connection.reason = row.text(15);
    connection.keyInjected = row.text(16);
    connection.inspected = row.integer(17) != 0;
    connection.protocol = row.text(18);
    connection.count = row.integer(19);
    return connection;
}

Result<Database> openDatabase(const std::filesystem::path& file)
{
    COLDFRAME_TRY(Database database, Database::open(file));
    COLDFRAME_CHECK(database.execute(kSetUp));
    std::int64_t version = 0;
    {
        COLDFRAME_TRY(Statement statement, database.prepare("PRAGMA user_version"));
        COLDFRAME_TRY(const bool hasRow, statement.step());
        version = hasRow ? statement.integer(0) : 0;
    }
    if (version > kSchemaVersion) {
        return fail(ErrorCode::NotAllowed, "The connection log was written by a newer Coldframe; update Coldframe.");
    }
    if (version == 0) {
        COLDFRAME_CHECK(database.execute(kSchema));
    }
    COLDFRAME_TRY(Statement check, database.prepare("PRAGMA quick_check(1)"));
    COLDFRAME_TRY(const bool hasRow, check.step());
    if (!hasRow || check.text(0) != "ok") {
        return fail(ErrorCode::Corrupt, "The connection log is damaged.", hasRow ? check.text(0) : "");
    }
    return database;
}

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

/// One request seen in the clear is an event of its own; refusals and plain connections repeat.
bool mayFold(const Connection& connection)
{
    return connection.verdict != "allowed" || connection.method.empty();
}

} // namespace

class ConnectionLog::Impl
{
public:
    Impl(Database openedDatabase, LogLimits givenLimits, Statement findStatement, Statement raiseStatement, Statement insertStatement)
        : database(std::move(openedDatabase)), limits(givenLimits), findRepeat(std::move(findStatement)),
          raise(std::move(raiseStatement)), insert(std::move(insertStatement))
    {
    }

    static Result<std::unique_ptr<Impl>> make(Database database, LogLimits limits)
    {
        const std::string find = std::string("SELECT ") + kColumns
                                 + " FROM connection WHERE sandbox=?1 AND host=?2 AND port=?3 AND seconds>=?4 AND verdict=?5 AND rule=?6"
                                   " AND protocol=?7 AND source=?8 AND keyInjected=?9 AND method=?10 AND path=?11"
                                   " ORDER BY id DESC LIMIT 1";
        COLDFRAME_TRY(Statement findRepeat, database.prepare(find.c_str()));
        COLDFRAME_TRY(Statement raise, database.prepare("UPDATE connection SET count=?2, bytesIn=?3, bytesOut=?4, time=?5 WHERE id=?1"));
        COLDFRAME_TRY(Statement insert,
                      database.prepare("INSERT INTO connection(time, seconds, sandbox, source, kind, host, port, address, method, path, status,"
                                       " bytesIn, bytesOut, verdict, rule, reason, keyInjected, inspected, protocol, count)"
                                       " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)"));
        auto impl = std::make_unique<Impl>(std::move(database), limits, std::move(findRepeat), std::move(raise), std::move(insert));
        COLDFRAME_TRY(Statement count, impl->database.prepare("SELECT count(*) FROM connection"));
        COLDFRAME_TRY(const bool hasRow, count.step());
        impl->entries = hasRow ? count.integer(0) : 0;
        return impl;
    }

    /// The entry that this one repeats, if any. The window runs from the entry's first occurrence, so a steady
    /// stream still gives an entry each window.
    Result<Connection> repeated(const Connection& connection, std::int64_t now)
    {
        findRepeat.bind(1, connection.sandbox)
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
        COLDFRAME_TRY(const bool hasRow, findRepeat.step());
        Connection found = hasRow ? connectionOf(findRepeat) : Connection{};
        findRepeat.finish();
        return found;
    }

    Result<void> trim()
    {
        if (entries <= limits.maxEntries) {
            return {};
        }
        const std::int64_t keep = limits.maxEntries - limits.maxEntries / 10;
        COLDFRAME_TRY(Statement remove, database.prepare("DELETE FROM connection WHERE id <= (SELECT id FROM connection ORDER BY id DESC LIMIT 1 OFFSET ?1)"));
        remove.bind(1, keep);
        COLDFRAME_TRY(const bool hasRow, remove.step());
        (void)hasRow;
        entries = keep;
        return {};
    }

    Database database;
    LogLimits limits;
    Statement findRepeat;
    Statement raise;
    Statement insert;
    std::int64_t entries = 0;
};

ConnectionLog::ConnectionLog(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}

ConnectionLog::~ConnectionLog() = default;

Result<ConnectionLog::Opened> ConnectionLog::open(const std::filesystem::path& file, LogLimits limits)
{
    COLDFRAME_CHECK(makeFolders(file.parent_path()));
    std::string note;
    auto database = openDatabase(file);
    if (!database && database.error().code == ErrorCode::Corrupt) {
        COLDFRAME_TRY(const std::filesystem::path aside, moveAside(file));
        note = "The connection log was damaged. It was moved to " + aside.string() + " and a new one started.";
        logWarning("audit", note);
        database = openDatabase(file);
    }
    if (!database) {
        return tl::unexpected(database.error());
    }
    (void)::chmod(file.c_str(), 0600);
    COLDFRAME_TRY(std::unique_ptr<Impl> impl, Impl::make(std::move(*database), limits));
    return Opened{std::unique_ptr<ConnectionLog>(new ConnectionLog(std::move(impl))), std::move(note)};
}

Result<Connection> ConnectionLog::append(Connection connection)
{
    const auto now = utcNow();
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (connection.time.empty()) {
        connection.time = formatUtc(now);
    }
    connection.count = std::max<std::int64_t>(connection.count, 1);
    if (mayFold(connection)) {
        COLDFRAME_TRY(Connection earlier, m_impl->repeated(connection, seconds));
        if (earlier.id != 0) {
            earlier.count += connection.count;
            earlier.bytesIn += connection.bytesIn;
            earlier.bytesOut += connection.bytesOut;
            earlier.time = connection.time;
            m_impl->raise.bind(1, earlier.id).bind(2, earlier.count).bind(3, earlier.bytesIn).bind(4, earlier.bytesOut).bind(5, earlier.time);
            COLDFRAME_TRY(const bool hasRow, m_impl->raise.step());
            (void)hasRow;
            m_impl->raise.finish();
            return earlier;
        }
    }
    m_impl->insert.bind(1, connection.time)
        .bind(2, seconds)
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
        .bind(20, connection.count);
    COLDFRAME_TRY(const bool hasRow, m_impl->insert.step());
    (void)hasRow;
    m_impl->insert.finish();
    connection.id = m_impl->database.lastRowId();
    ++m_impl->entries;
    // The entry is kept; failing to drop old ones must not refuse connections.
    if (const auto trimmed = m_impl->trim(); !trimmed) {
        logWarning("audit", trimmed.error().message + " " + trimmed.error().detail);
    }
    return connection;
}

Result<std::vector<Connection>> ConnectionLog::find(const Query& query)
{
    const std::string sql = std::string("SELECT ") + kColumns
                            + " FROM connection WHERE id>?1 AND (?2='' OR sandbox=?2) AND (?3='' OR verdict=?3) ORDER BY id DESC LIMIT ?4";
    COLDFRAME_TRY(Statement statement, m_impl->database.prepare(sql.c_str()));
    statement.bind(1, query.afterId).bind(2, query.sandbox).bind(3, query.verdict).bind(4, std::int64_t{std::clamp(query.limit, 1, 10000)});
    std::vector<Connection> result;
    for (;;) {
        COLDFRAME_TRY(const bool hasRow, statement.step());
        if (!hasRow) {
            break;
        }
        result.push_back(connectionOf(statement));
    }
    std::reverse(result.begin(), result.end());
    return result;
}

Result<std::int64_t> ConnectionLog::countBlocked(const std::string& sandbox)
{
    COLDFRAME_TRY(Statement statement,
                  m_impl->database.prepare("SELECT coalesce(sum(count), 0) FROM connection WHERE sandbox=?1 AND verdict='denied'"));
    statement.bind(1, sandbox);
    COLDFRAME_TRY(const bool hasRow, statement.step());
    return hasRow ? statement.integer(0) : 0;
}

Result<void> ConnectionLog::exportLines(const std::string& sandbox, const std::function<Result<void>(const std::string& line)>& write)
{
    const std::string sql = std::string("SELECT ") + kColumns + " FROM connection WHERE (?1='' OR sandbox=?1) ORDER BY id";
    COLDFRAME_TRY(Statement statement, m_impl->database.prepare(sql.c_str()));
    statement.bind(1, sandbox);
    for (;;) {
        COLDFRAME_TRY(const bool hasRow, statement.step());
        if (!hasRow) {
            return {};
        }
        COLDFRAME_CHECK(write(toJson(connectionOf(statement)) + "\n"));
    }
}

Result<void> ConnectionLog::removeSandbox(const std::string& sandbox)
{
    COLDFRAME_TRY(Statement statement, m_impl->database.prepare("DELETE FROM connection WHERE sandbox=?1"));
    statement.bind(1, sandbox);
    COLDFRAME_TRY(const bool hasRow, statement.step());
    (void)hasRow;
    return {};
}

} // namespace coldframe::audit
