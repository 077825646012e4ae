// SPDX-License-Identifier: Apache-2.0
#include "audit/database.h"

#include <sqlite3.h>

namespace coldframe::audit {

namespace {

tl::unexpected<Error> sqliteError(sqlite3* database)
{
    const int code = database ? sqlite3_errcode(database) : SQLITE_NOMEM;
    const std::string detail = database ? sqlite3_errmsg(database) : "out of memory";
    switch (code & 0xff) {
    case SQLITE_FULL:
        return fail(ErrorCode::NoSpace, "The connection log cannot be written because the disk is full; free some space.", detail);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail(ErrorCode::Corrupt, "The connection log is damaged.", detail);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return fail(ErrorCode::NotAllowed, "The connection log cannot be written; check the permissions of its folder.", detail);
    case SQLITE_BUSY:
        return fail(ErrorCode::Busy, "The connection log is in use by another program.", detail);
    default:
        return fail(ErrorCode::Io, "The connection log cannot be used.", detail);
    }
}

} // namespace

void StatementDeleter::operator()(sqlite3_stmt* statement) const
{
    sqlite3_finalize(statement);
}

Statement& Statement::bind(int index, std::int64_t value)
{
    sqlite3_bind_int64(m_statement.get(), index, value);
    return *this;
}

Statement& Statement::bind(int index, std::string_view value)
{
    sqlite3_bind_text64(m_statement.get(), index, value.data() ? value.data() : "", value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}

Result<bool> Statement::step()
{
    const int code = sqlite3_step(m_statement.get());
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE) {
        return false;
    }
    auto error = sqliteError(sqlite3_db_handle(m_statement.get()));
    finish();
    return error;
}

void Statement::finish()
{
    sqlite3_reset(m_statement.get());
    sqlite3_clear_bindings(m_statement.get());
}

std::int64_t Statement::integer(int column) const
{
    return sqlite3_column_int64(m_statement.get(), column);
}

std::string Statement::text(int column) const
{
    const void* data = sqlite3_column_blob(m_statement.get(), column);
    const int size = sqlite3_column_bytes(m_statement.get(), column);
    return data ? std::string(static_cast<const char*>(data), static_cast<std::size_t>(size)) : std::string();
}

void Database::Closer::operator()(sqlite3* database) const
{
    sqlite3_close_v2(database);
}

Result<Database> Database::openWith(const std::filesystem::path& file, int flags)
{
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
    Database database(raw);
    if (code != SQLITE_OK) {
        return sqliteError(raw);
    }
    sqlite3_extended_result_codes(raw, 0);
    sqlite3_busy_timeout(raw, 2000);
    return database;
}

Result<Database> Database::open(const std::filesystem::path& file)
{
    return openWith(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

Result<Database> Database::openToRead(const std::filesystem::path& file)
{
    // Not SQLITE_OPEN_READONLY: a reader of a write-ahead log takes part in its index.
    COLDFRAME_TRY(Database database, openWith(file, SQLITE_OPEN_READWRITE));
    COLDFRAME_CHECK(database.execute("PRAGMA query_only=1; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-32000;"));
    return database;
}

Result<void> Database::execute(const char* sql)
{
    if (sqlite3_exec(m_database.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return sqliteError(m_database.get());
    }
    return {};
}

Result<Statement> Database::prepare(const char* sql)
{
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(m_database.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
        return sqliteError(m_database.get());
    }
    return Statement(statement);
}

std::int64_t Database::changes() const
{
    return sqlite3_changes(m_database.get());
}

std::int64_t Database::lastRowId() const
{
    return sqlite3_last_insert_rowid(m_database.get());
}

} // namespace coldframe::audit
