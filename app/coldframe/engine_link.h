// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/sync_client.h"
#include "base/secret.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe::cli {

/// A command's way to the engine: connects (and starts it) at the first call, shows progress on a terminal, cancels the
/// running call on Ctrl-C.
class EngineLink
{
public:
    Result<nlohmann::json> call(std::string_view method, const nlohmann::json& params = nlohmann::json::object());
    /// The same, with a progress line on standard error while it runs.
    Result<nlohmann::json> callWithProgress(std::string_view method, const nlohmann::json& params);
    /// A call that answers a token, and the connection it opens.
    Result<UniqueFd> attach(std::string_view method, const nlohmann::json& params);
    /// The connection that such an answer offers.
    Result<UniqueFd> take(const nlohmann::json& offered);
    /// Hands a key over by an attachment (keys.set, sandbox.keys); it never is part of a message.
    Result<void> sendKey(std::string_view method, const nlohmann::json& params, const SecretBuffer& key);
    /// engine.hello's answer, asked once.
    Result<nlohmann::json> hello();
    Result<nlohmann::json> nextEvent();
    /// Connects only to an engine that runs.
    bool connectRunning();

private:
    Result<void> connect(bool start);
    std::optional<api::SyncClient> m_client;
    nlohmann::json m_hello;
};

/// Yes or no on the terminal; `fallback` where there is none.
bool confirm(const std::string& question, bool fallback = false);
/// Both standard input and standard error are a terminal: a person can be asked.
bool canAsk();

} // namespace coldframe::cli
