// SPDX-License-Identifier: Apache-2.0
#include "audit/schema.h"

namespace coldframe::audit {

namespace {

constexpr std::int64_t kSchemaVersion = 3;

// synchronous=NORMAL: a power cut may lose the last moments, never the database.
constexpr const char* kSetUp = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-16000;"
                              " PRAGMA wal_autocheckpoint=4000;"; // pages: what is written again and again goes to the file once

constexpr const char* kVersion1 =
    "CREATE TABLE connection(id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, seconds INTEGER NOT NULL, sandbox TEXT NOT NULL,"
    " source TEXT NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, address TEXT NOT NULL, method TEXT NOT NULL,"
    " path TEXT NOT NULL, status INTEGER NOT NULL, bytesIn INTEGER NOT NULL, bytesOut INTEGER NOT NULL, verdict TEXT NOT NULL,"
    " rule TEXT NOT NULL, reason TEXT NOT NULL, keyInjected TEXT NOT NULL, inspected INTEGER NOT NULL, protocol TEXT NOT NULL,"
    " count INTEGER NOT NULL);"
    "CREATE INDEX connection_fold ON connection(sandbox, host, port, seconds);"
    "CREATE INDEX connection_sandbox ON connection(sandbox, id);";

// seconds is the first time of an entry, lastSeconds the latest where that is later.
constexpr const char* kVersion2 =
    "ALTER TABLE connection ADD COLUMN process TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE connection ADD COLUMN how TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE connection ADD COLUMN durationMs INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE connection ADD COLUMN lastSeconds INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE connection ADD COLUMN ref TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX connection_time ON connection(seconds);"
    "CREATE INDEX connection_refused ON connection(verdict, id) WHERE verdict <> 'allowed';"
    "CREATE INDEX connection_open ON connection(ref) WHERE ref <> '';"
    "CREATE TABLE place(sandbox TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, protocol TEXT NOT NULL, verdict TEXT NOT NULL,"
    " rule TEXT NOT NULL, firstSeconds INTEGER NOT NULL, lastSeconds INTEGER NOT NULL, count INTEGER NOT NULL, bytesIn INTEGER NOT NULL,"
    " bytesOut INTEGER NOT NULL, keyInjected TEXT NOT NULL, how TEXT NOT NULL, reason TEXT NOT NULL, process TEXT NOT NULL,"
    " PRIMARY KEY(sandbox, host, port, protocol, verdict, rule)) WITHOUT ROWID;"
    "CREATE INDEX place_last ON place(lastSeconds);"
    "INSERT INTO place SELECT sandbox, host, port, protocol, verdict, rule, min(seconds), max(seconds), sum(count), sum(bytesIn),"
    " sum(bytesOut), max(keyInjected), '', max(reason), '' FROM connection GROUP BY sandbox, host, port, protocol, verdict, rule;";

// Indexes for what is asked, and no more: each costs every entry its share. Only entries that may be repeated are looked for by
// host; what is old among the places goes seldom enough to be searched for.
constexpr const char* kVersion3 =
    "DROP INDEX connection_fold;"
    "DROP INDEX place_last;"
    "CREATE INDEX connection_repeat ON connection(sandbox, host, port, seconds) WHERE verdict<>'allowed' OR method='';";

Result<std::int64_t> oneNumber(Database& database, const char* sql)
{
    COLDFRAME_TRY(Statement statement, database.prepare(sql));
    COLDFRAME_TRY(const bool hasRow, statement.step());
    return hasRow ? statement.integer(0) : 0;
}

Result<void> bringUpToDate(Database& database, std::int64_t version)
{
    std::string steps = "BEGIN IMMEDIATE;";
    steps += version < 1 ? kVersion1 : "";
    steps += version < 2 ? kVersion2 : "";
    steps += version < 3 ? kVersion3 : "";
    steps += "PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";COMMIT;";
    auto done = database.execute(steps.c_str());
    if (!done) {
        (void)database.execute("ROLLBACK");
    }
    return done;
}

} // namespace

const char* const kConnectionColumns =
    "id, time, sandbox, source, kind, host, port, address, method, path, status, bytesIn, bytesOut, verdict, rule, reason,"
    " keyInjected, inspected, protocol, count, process, how, durationMs, ref";

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
    connection.process = row.text(20);
    connection.how = row.text(21);
    connection.durationMs = row.integer(22);
    connection.ref = row.text(23);
    connection.isOpen = !connection.ref.empty();
    return connection;
}

Result<Database> openLogDatabase(const std::filesystem::path& file)
{
    COLDFRAME_TRY(Database database, Database::open(file));
    COLDFRAME_CHECK(database.execute(kSetUp));
    COLDFRAME_TRY(const std::int64_t version, oneNumber(database, "PRAGMA user_version"));
    if (version > kSchemaVersion) {
        return fail(ErrorCode::NotAllowed, "The connection log was written by a newer Coldframe; update Coldframe.");
    }
    if (version < kSchemaVersion) {
        COLDFRAME_CHECK(bringUpToDate(database, version));
    }
    // A whole check reads every page, which takes seconds for a long log; this one reads what every start needs.
    COLDFRAME_TRY(Statement check, database.prepare("SELECT (SELECT max(id) FROM connection), (SELECT count(*) FROM sqlite_schema)"));
    COLDFRAME_TRY(const bool hasRow, check.step());
    if (!hasRow || check.integer(1) < 4) {
        return fail(ErrorCode::Corrupt, "The connection log is damaged.", "a table is missing");
    }
    return database;
}

} // namespace coldframe::audit
