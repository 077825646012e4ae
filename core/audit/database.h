// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace coldframe::audit {

struct StatementDeleter
{
    void operator()(sqlite3_stmt* statement) const;
};

/// A prepared statement; reset and unbound by finish().
class Statement
{
public:
    explicit Statement(sqlite3_stmt* statement) : m_statement(statement) {}

    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, std::string_view value);
    /// True: a row is there. False: done.
    Result<bool> step();
    void finish();
    std::int64_t integer(int column) const;
    std::string text(int column) const;

private:
    std::unique_ptr<sqlite3_stmt, StatementDeleter> m_statement;
};

class Database
{
public:
    static Result<Database> open(const std::filesystem::path& file);
    /// An existing file, to look at while another connection writes.
    static Result<Database> openToRead(const std::filesystem::path& file);

    Result<void> execute(const char* sql);
    Result<Statement> prepare(const char* sql);
    std::int64_t lastRowId() const;
    /// Rows that the last statement changed.
    std::int64_t changes() const;

private:
    struct Closer
    {
        void operator()(sqlite3* database) const;
    };
    static Result<Database> openWith(const std::filesystem::path& file, int flags);
    explicit Database(sqlite3* database) : m_database(database) {}
    std::unique_ptr<sqlite3, Closer> m_database;
};

} // namespace coldframe::audit
