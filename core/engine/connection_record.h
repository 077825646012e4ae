// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::engine {

/// The connection log as the engine uses it, over core/audit. Engine's io thread, but for what says otherwise.
class StoredConnectionRecord : public ConnectionRecord
{
public:
    /// `{"entries":[Connection]}`, newest last, or with "summary" `{"places":[Place]}`; the parameters of `network.log`. Any thread.
    virtual Result<nlohmann::json> query(const nlohmann::json& query) = 0;
    /// Limits and exports as the settings have them now.
    virtual void configure(const Settings& settings) = 0;
};

Result<std::unique_ptr<StoredConnectionRecord>> openConnectionRecord(const std::filesystem::path& file, const Settings& settings);

} // namespace coldframe::engine
