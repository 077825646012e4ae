// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/server.h"

#include <asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace coldframe::fakes {

inline constexpr const char* kFirstSandbox = "5e1f00aa11223344"; ///< of those that populate() makes

/// What the command line of fake-coldframed chooses.
struct FakeOptions
{
    bool populate = false;         ///< three sandboxes in several states, with connections, rules and keys
    int tickMilliseconds = 0;      ///< > 0: connections, blocked hosts and sync changes keep coming
    int stageMilliseconds = 30;    ///< how long each stage of create, start and image.build takes
    bool emulate = false;          ///< hello says that there is no KVM, and create wants the consent
    bool imageMissing = false;     ///< create and start are Unavailable until image.build
    int moreConnections = 0;       ///< with populate: so many of the first sandbox to hosts of their own
    bool keptSession = false;      ///< with populate: the agent of the first sandbox runs already, looked at by nobody
    std::string record;            ///< a file that gets one JSON line per request and per attachment
};

/// An engine whose sandboxes live in memory: `exec` and `launch` run the program here, on a PTY or pipes. Answers
/// follow PROTOCOL.md. Single-threaded, on the io_context's thread.
class FakeEngine final : public api::Dispatcher
{
public:
    FakeEngine(asio::io_context& io, FakeOptions options);
    void attachTo(api::Server& server);

    asio::awaitable<Result<nlohmann::json>> call(std::string method, nlohmann::json params,
                                                 api::CallContext& context) override;

private:
    using json = nlohmann::json;
    struct Sandbox
    {
        json value;                   ///< as PROTOCOL.md describes it
        std::vector<json> rules;
        std::string mode = "balanced";
        json syncs = json::array();
    };

    using Steps = std::vector<std::pair<std::string, std::string>>; ///< stage word and text
    asio::awaitable<Result<json>> stages(Steps steps, api::CallContext& context);
    asio::awaitable<Result<json>> create(json params, api::CallContext& context);
    asio::awaitable<Result<json>> start(std::string id, api::CallContext& context);
    asio::awaitable<Result<json>> changeSandbox(std::string method, json params, api::CallContext& context);
    Result<json> simpleCall(const std::string& method, const json& params, api::CallContext& context);
    Result<json> sandboxCall(const std::string& method, const json& params);
    Result<json> policyCall(const std::string& method, const json& params);
    Result<json> keysCall(const std::string& method, const json& params);
    Result<json> syncCall(const std::string& method, const json& params);
    Result<json> sessionCall(const std::string& method, const json& params);
    Result<json> offerProgram(const json& params, std::vector<std::string> arguments);
    Result<json> offerKey(const json& params, bool store);
    Result<std::string> find(const json& params) const;
    Result<std::vector<json>*> rulesOf(const json& params, std::string** mode);

    json list() const;
    json agents() const;
    void setState(const std::string& id, const std::string& state);
    void addConnection(const std::string& id, const std::string& host, bool allowed);
    void populate();
    Result<nlohmann::json> networkLog(const nlohmann::json& params);
    asio::awaitable<void> tick();
    void record(const json& line);

    asio::io_context& m_io;
    FakeOptions m_options;
    api::Server* m_server = nullptr;
    std::map<std::string, Sandbox> m_sandboxes;
    std::deque<json> m_connections;
    std::vector<json> m_globalRules;
    std::string m_globalMode = "balanced";
    std::map<std::string, bool> m_switches; ///< presets
    json m_suggestions = json::array();
    std::map<std::string, std::string> m_keys; ///< service → when stored; the bytes are only counted
    json m_settings;
    bool m_imageReady = true;
    int m_nextConnection = 1;
};

/// Runs the program on this machine and speaks exec frames on the socket until it ends.
asio::awaitable<void> runProgram(api::AttachmentSocket socket, nlohmann::json request);

} // namespace coldframe::fakes
