// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "audit/connection_log.h"
#include "audit/database.h"

namespace coldframe::audit {

/// The connection log's database, its tables made or brought up to date in one transaction. Corrupt: damaged; NotAllowed: of a newer version.
Result<Database> openLogDatabase(const std::filesystem::path& file);

/// The columns of an entry in the order connectionOf() reads them.
extern const char* const kConnectionColumns;
Connection connectionOf(const Statement& row);

} // namespace coldframe::audit
