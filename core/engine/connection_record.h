// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::engine {

/// The connection log as the engine uses it, over core/audit. Engine's io thread.
class StoredConnectionRecord : public ConnectionRecord
{
public:
    /// JSON array of Connection, newest last; {"sandbox","limit","afterId","verdict"}.
    virtual std::string query(const nlohmann::json& query) = 0;
};

Result<std::unique_ptr<StoredConnectionRecord>> openConnectionRecord(const std::filesystem::path& file);

} // namespace coldframe::engine
