// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/server.h"
#include "engine/connection_record.h"
#include "engine/image_calls.h"
#include "engine/learning.h"
#include "engine/policy_document.h"
#include "engine/questions.h"
#include "engine/registry.h"

#include <memory>

namespace coldframe::engine {

class BrowserLogin;
class KeyRing;

/// The API's handlers over the registry; one function per family of methods. Engine's io thread.
class Engine : public api::Dispatcher
{
public:
    struct Outside
    {
        EngineParts& parts;
        Registry& registry;
        std::filesystem::path configFolder;
        StoredConnectionRecord& record;
        std::function<asio::awaitable<Result<nlohmann::json>>()> keysStatus;        ///< backend, available, locked, keys
        std::function<asio::awaitable<Result<void>>(std::string, SecretBuffer)> storeKey;
        std::function<asio::awaitable<Result<void>>(std::string)> removeKey;
        KeyRing& keyRing;
        std::function<Result<nlohmann::json>(bool build, bool force, const Steps&)> image; ///< blocking: on the pool
        std::function<Result<nlohmann::json>(const vm::AccelerationDecision&)> diagnose;  ///< blocking: on the pool
        std::function<void()> quit;
    };

    explicit Engine(Outside outside) : m_o(std::move(outside)), m_images(m_o.parts, m_o.registry) { loadLearned(); }
    void attach(api::Server& server) { m_server = &server; }
    /// Gives every running sandbox the keys that are its own now.
    void refreshKeys();

    asio::awaitable<Result<nlohmann::json>> call(std::string method, nlohmann::json params, api::CallContext& context) override;
    bool isDetached(std::string_view method) const override;
    void policyChangedEverywhere();

private:
    using Json = nlohmann::json;
    using Answer = asio::awaitable<Result<Json>>;

    Answer engineCall(std::string method, Json params, Steps steps);
    Answer pruneCall(Json params, Steps steps);
    Answer sandboxCall(std::string method, Json params, api::CallContext& context);
    Answer templateCall(std::string method, Json params, api::CallContext& context);
    Answer forkCall(Json params, api::CallContext& context);
    Answer createSandbox(Json params, api::CallContext& context);
    Answer execCall(std::string method, Json params, api::CallContext& context);
    Answer policyCall(std::string method, Json params);
    Answer tightenCall(Json params, api::CallContext& context);
    Result<Json> policyEdit(const std::string& method, const Json& params, const std::shared_ptr<Sandbox>& sandbox);
    Result<Json> policyCheck(const policy::PolicySet& set, const Json& params) const;
    OwnPolicy ownPolicy(const std::shared_ptr<Sandbox>& sandbox) const;
    Result<void> setOwnPolicy(const std::shared_ptr<Sandbox>& sandbox, OwnPolicy own);
    policy::PolicySet policyForAll() const; ///< what a sandbox without rules of its own would have
    Answer suggestCall(std::string method, Json params);
    asio::awaitable<Result<std::vector<Suggestion>>> suggestions();
    Result<void> accept(const Suggestion& suggestion);
    void learn(const Question& question, const engine::Answer& answer);
    void loadLearned();
    void saveLearned(); ///< after it was bounded; notes which rules there are
    Answer questionCall(std::string method, Json params);
    Result<void> addRules(const Question& question, const engine::Answer& answer);
    Answer setCall(std::shared_ptr<Sandbox> sandbox, Json params);
    Answer keysCall(std::string method, Json params);
    Answer keysList();
    std::string offerLogin(const std::string& entry);
    Result<Json> beginLogin(const std::string& entry);
    Answer finishLogin(std::string id);
    asio::awaitable<void> keysChanged(std::string entry); ///< empty: no one in particular
    asio::awaitable<void> forgetKeysOf(std::string sandboxId);
    Result<std::string> entryOf(const Json& params) const;
    Answer syncCall(std::string method, Json params, api::CallContext& context);
    Answer settingsCall(std::string method, Json params);
    Result<std::shared_ptr<Sandbox>> sandboxOf(const Json& params) const;
    Steps stepsOf(api::CallContext& context) const;
    Answer sessionCall(std::string method, Json params);
    Answer listSessions(Json params);
    std::string offerExec(std::shared_ptr<Sandbox> sandbox, Json specification);
    std::string offerSession(std::shared_ptr<Sandbox> sandbox, const std::string& session, const Json& params);
    Result<void> saveGlobal(std::vector<policy::Rule> rules);

    struct OpenLogin
    {
        std::string entry;
        std::shared_ptr<BrowserLogin> login;
    };

    Outside m_o;
    std::map<std::string, OpenLogin> m_openLogins; ///< by id, begun in a browser and not finished
    ImageCalls m_images;
    Learned m_learned;
    std::string m_learnedText; ///< as it is stored
    api::Server* m_server = nullptr;
};

} // namespace coldframe::engine
