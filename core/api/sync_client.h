// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/protocol.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::api {

/// A blocking connection to the engine, for the command line and tests: one call at a time, on one thread.
class SyncClient
{
public:
    struct Options
    {
        std::filesystem::path socketPath; ///< empty: paths::engineSocket()
        bool startEngine = true;          ///< when nobody listens
        std::chrono::milliseconds startTimeout{20000};
    };
    struct CallOptions
    {
        std::function<void(const Progress&)> onProgress{}; ///< set: progress is asked for
        /// Readable (or -1): the call is cancelled; readable again after that: given up without waiting.
        /// The bytes are read away.
        int cancelFd = -1;
        std::chrono::milliseconds timeout{0}; ///< 0: none
    };

    static Result<SyncClient> connect(Options options);

    /// Closed when the engine went away; Cancelled after cancelFd (or what the engine answered); Timeout.
    Result<nlohmann::json> call(std::string_view method, const nlohmann::json& params, CallOptions options);
    Result<nlohmann::json> call(std::string_view method, const nlohmann::json& params);

    /// A second connection, handed over by the token: from now on it carries exec frames.
    Result<UniqueFd> attach(const std::string& token) const;

    /// After events.subscribe: the next event (those that came during calls first). Cancelled when cancelFd became
    /// readable, Timeout (0 = wait for ever), Closed.
    Result<nlohmann::json> nextEvent(int cancelFd, std::chrono::milliseconds timeout);

    SyncClient(SyncClient&&) noexcept;
    SyncClient& operator=(SyncClient&&) noexcept;
    ~SyncClient();

private:
    struct State;
    explicit SyncClient(std::unique_ptr<State> state);
    std::unique_ptr<State> m_state;
};

} // namespace coldframe::api
