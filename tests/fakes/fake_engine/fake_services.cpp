// SPDX-License-Identifier: Apache-2.0
// Policy, keys, sync and the connection log of the fake engine.
#include "fake_engine.h"

#include "api/attachment_io.h"
#include "base/clock.h"
#include "base/random.h"

#include <algorithm>
#include <tuple>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <cctype>

namespace coldframe::fakes {

using nlohmann::json;

Result<std::vector<json>*> FakeEngine::rulesOf(const json& params, std::string** mode)
{
    if (!params.contains("sandbox")) {
        *mode = &m_globalMode;
        return &m_globalRules;
    }
    COLDFRAME_TRY(const std::string id, find(params));
    *mode = &m_sandboxes[id].mode;
    return &m_sandboxes[id].rules;
}

Result<json> FakeEngine::policyCall(const std::string& method, const json& params)
{
    std::string* mode = nullptr;
    COLDFRAME_TRY(std::vector<json>* const rules, rulesOf(params, &mode));
    json changed = {{"type", "policy.changed"}};
    if (params.contains("sandbox")) {
        COLDFRAME_TRY(changed["sandbox"], find(params));
    }
    if (method == "policy.list") {
        json all = *rules;
        if (params.contains("sandbox")) {
            for (const json& rule : m_globalRules) {
                all.push_back(rule);
            }
        }
        return json{{"mode", *mode}, {"rules", all}};
    }
    if (method == "policy.check") {
        const std::string host = params.at("host");
        for (const char* action : {"deny", "allow"}) {
            for (const json& rule : *rules) {
                if (rule["action"] == action && rule["pattern"] == host) {
                    return json{{"verdict", action}, {"rule", std::string(action) + " " + host},
                                {"reason", "A rule names this host."}};
                }
            }
        }
        const bool open = *mode == "open";
        return json{{"verdict", open ? "allow" : *mode == "locked" ? "deny" : "ask"}, {"rule", "mode " + *mode},
                    {"reason", "No rule names this host."}};
    }
    if (method == "policy.suggest") {
        return json{{"suggestions", m_suggestions}};
    }
    if (method == "policy.suggestion") {
        for (std::size_t i = 0; i < m_suggestions.size(); ++i) {
            if (m_suggestions[i]["id"] == params.at("id")) {
                m_suggestions.erase(i);
                return json::object();
            }
        }
        return fail(ErrorCode::NotFound, "There is no such suggestion any more.");
    }
    if (method == "policy.presets") {
        json groups = json::array();
        const std::tuple<const char*, const char*, std::vector<std::string>> known[] = {
            {"ai-services", "AI services", {"api.anthropic.com:443", "api.openai.com:443"}},
            {"code-hosting", "Code hosting", {"github.com:443"}},
            {"documentation", "Documentation", {"docs.python.org:443", "developer.mozilla.org:443", "docs.rs:443"}},
            {"python", "Python packages", {"pypi.org:443"}}};
        for (const auto& [name, title, hosts] : known) {
            const auto own = m_switches.find(name);
            groups.push_back({{"name", name}, {"title", title}, {"description", "A group of hosts."},
                              {"on", own == m_switches.end() ? *mode == "balanced" : own->second},
                              {"switched", own == m_switches.end() ? "" : "sandbox"}, {"method", ""}, {"patterns", hosts}});
        }
        return json{{"mode", *mode}, {"presets", groups}};
    }
    if (method == "policy.preset") {
        if (params.at("on").is_null()) {
            m_switches.erase(params.at("name").get<std::string>());
        } else {
            m_switches[params.at("name").get<std::string>()] = params.at("on").get<bool>();
        }
        m_server->broadcast(changed);
        return json::object();
    }
    if (method == "policy.update") {
        for (json& rule : *rules) {
            if (rule["id"] == params.at("id")) {
                rule["note"] = params.value("note", rule["note"].get<std::string>());
                m_server->broadcast(changed);
                return json::object();
            }
        }
        return fail(ErrorCode::NotFound, "There is no such rule.");
    }
    if (method == "policy.tighten") {
        json wanted = json::array();
        json places = json::array();
        for (const char* pattern : {"api.anthropic.com:443", "registry.npmjs.org:443"}) {
            wanted.push_back({{"action", "allow"}, {"pattern", pattern}});
            places.push_back({{"pattern", pattern}, {"count", 12}, {"lastSeen", "2026-11-21T10:00:00Z"}, {"hosts", 1}});
        }
        return json{{"document", {{"coldframePolicy", 1}, {"mode", "locked"}, {"rules", wanted}}}, {"places", places}};
    }
    if (method == "policy.import") {
        *mode = params.at("document").at("mode").get<std::string>();
        m_server->broadcast(changed);
        return json{{"added", 0}, {"removed", 0}};
    }
    if (method == "policy.mode") {
        const std::string wanted = params.at("mode");
        if (wanted != "open" && wanted != "balanced" && wanted != "locked") {
            return fail(ErrorCode::InvalidArgument, "There is no mode " + wanted + "; use open, balanced or locked.");
        }
        *mode = wanted;
        m_server->broadcast(changed);
        return json::object();
    }
    if (method == "policy.add") {
        const std::string pattern = params.at("pattern");
        if (pattern.find(' ') != std::string::npos) {
            return fail(ErrorCode::InvalidArgument, "“" + pattern + "” is no host; write for example api.example.com:443.");
        }
        const char* scope = params.value("session", false) ? "session" : params.contains("sandbox") ? "sandbox" : "global";
        rules->push_back({{"id", randomHex(4)}, {"action", params.at("action")}, {"pattern", pattern},
                          {"method", params.value("method", "")}, {"path", params.value("path", "")}, {"scope", scope},
                          {"origin", "user"}, {"note", params.value("note", "")},
                          {"expiry", params.contains("expiresInSeconds") ? json("2026-12-01T12:00:00Z") : json()}});
        m_server->broadcast(changed);
        return rules->back();
    }
    if (method == "policy.remove") {
        const char* key = params.contains("id") ? "id" : "pattern";
        const auto removed = std::erase_if(*rules, [&](const json& rule) { return rule[key] == params.at(key); });
        if (removed == 0) {
            return fail(ErrorCode::NotFound, "There is no such rule; “coldframe policy ls” lists them.");
        }
        m_server->broadcast(changed);
        return json::object();
    }
    return tl::unexpected(api::unknownMethod(method));
}

Result<json> FakeEngine::keysCall(const std::string& method, const json& params)
{
    const json services = json::array(
        {{{"name", "anthropic"}, {"title", "Anthropic"}, {"environment", {"ANTHROPIC_API_KEY"}}, {"hosts", {"api.anthropic.com"}}},
         {{"name", "openai"}, {"title", "OpenAI"}, {"environment", {"OPENAI_API_KEY"}}, {"hosts", {"api.openai.com"}}},
         {{"name", "claude-login"}, {"title", "Claude subscription"}, {"environment", {"CLAUDE_CODE_OAUTH_TOKEN"}}, {"hosts", {"api.anthropic.com"}},
          {"login", {{"file", ".claude/.credentials.json"}, {"folderVariable", "CLAUDE_CONFIG_DIR"}, {"insteadOf", "anthropic"}, {"browser", false}}}}});
    if (method == "keys.list") {
        json keys = json::array();
        for (const auto& [service, when] : m_keys) {
            keys.push_back({{"service", service}, {"account", "default"}, {"storedAt", when}});
            if (service == "claude-login") {
                keys.back()["login"] = {{"expiresAt", 1900000000}, {"state", "good"}, {"facts", {{"subscription", "max"}}}, {"scopes", json::array()}};
            }
        }
        return json{{"backend", "fake"}, {"available", true}, {"locked", false}, {"keys", keys}, {"services", services}};
    }
    const std::string service = params.at("service");
    const bool known = std::any_of(services.begin(), services.end(), [&](const json& s) { return s["name"] == service; });
    if (!known) {
        return fail(ErrorCode::NotFound, "There is no service " + service + "; known are anthropic and openai.");
    }
    if (method == "keys.remove") {
        if (m_keys.erase(service) == 0) {
            return fail(ErrorCode::NotFound, "No key of " + service + " is stored.");
        }
        m_server->broadcast({{"type", "keys.changed"}});
        return json::object();
    }
    if (method == "sandbox.keys") {
        COLDFRAME_TRY(const std::string id, find(params));
        return offerKey({{"sandbox", id}, {"service", service}}, false);
    }
    if (method == "keys.set" || method == "keys.login") {
        return offerKey({{"service", service}}, true);
    }
    return tl::unexpected(api::unknownMethod(method));
}

namespace {

asio::awaitable<void> takeKey(api::AttachmentSocket socket, std::function<void(std::size_t)> taken)
{
    Result<SecretBuffer> key = co_await api::receiveSecret(socket);
    Result<void> outcome;
    if (key) {
        taken(key->view().size());
    } else {
        outcome = tl::unexpected(key.error());
    }
    co_await api::answerSecret(socket, std::move(outcome));
}

} // namespace

Result<json> FakeEngine::offerKey(const json& params, bool store)
{
    const std::function<void(std::size_t)> taken = [this, params, store](std::size_t size) {
        record({{"key", params}, {"size", size}, {"stored", store}});
        if (store) {
            m_keys[params["service"]] = formatUtc(utcNow());
            m_server->broadcast({{"type", "keys.changed"}});
        }
    };
    return json{{"token", m_server->offerAttachment([taken](api::AttachmentSocket socket) {
                     return takeKey(std::move(socket), taken);
                 })}};
}

Result<json> FakeEngine::syncCall(const std::string& method, const json& params)
{
    COLDFRAME_TRY(const std::string id, find(params));
    Sandbox& sandbox = m_sandboxes[id];
    if (method == "sync.status") {
        return json{{"syncs", sandbox.syncs}};
    }
    if (method == "sync.flush" || method == "sync.restore") {
        return json::object();
    }
    if (method == "sync.trash") {
        return json{{"entries", {{{"id", "t1"}, {"path", "src/old.c"}, {"when", formatUtc(utcNow())}, {"size", 120},
                                  {"reason", "replaced by the sandbox"}}}}};
    }
    if (method == "sync.resume") {
        for (json& sync : sandbox.syncs) {
            if (sync["path"] == params.at("path")) {
                sync.update({{"state", "in-step"}, {"pauseReason", ""}, {"text", "in step"}});
                sandbox.value["sync"] = {{"state", "in-step"}, {"text", "in step"}};
                m_server->broadcast({{"type", "sync.changed"}, {"sandbox", id}, {"sync", sync}});
                m_server->broadcast({{"type", "sandbox.changed"}, {"sandbox", sandbox.value}});
                return json::object();
            }
        }
        return fail(ErrorCode::NotFound, "The sandbox has no workspace " + params.at("path").get<std::string>() + ".");
    }
    return tl::unexpected(api::unknownMethod(method));
}

Result<json> FakeEngine::networkLog(const json& params)
{
    std::string id;
    if (params.contains("sandbox")) {
        COLDFRAME_TRY(id, find(params));
    }
    const std::string verdict = params.value("verdict", "");
    const std::string text = params.value("text", "");
    const bool oldestFirst = params.value("oldestFirst", false);
    const auto limit = params.value("limit", std::size_t{1000});
    const int before = params.value("beforeId", 0);
    const auto fits = [&](const json& entry) {
        const std::string all = entry["host"].get<std::string>() + " " + entry["path"].get<std::string>() + " " + entry["rule"].get<std::string>() +
                                " " + entry["process"].get<std::string>();
        const auto sameLetter = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b)); };
        const bool hasText = text.empty() || std::search(all.begin(), all.end(), text.begin(), text.end(), sameLetter) != all.end();
        const bool hasVerdict = verdict.empty() || (verdict == "blocked" ? entry["verdict"] != "allowed" : entry["verdict"] == verdict);
        return (id.empty() || entry["sandbox"] == id) && hasVerdict && hasText && entry["id"].get<int>() > params.value("afterId", 0) &&
               (before == 0 || entry["id"].get<int>() < before);
    };
    if (params.value("summary", false)) {
        std::map<std::string, json> places;
        for (const json& entry : m_connections) {
            if (fits(entry)) {
                json& place = places[entry["host"].get<std::string>() + entry["rule"].get<std::string>()];
                const std::int64_t count = place.is_null() ? 0 : place["count"].get<std::int64_t>();
                place = entry;
                place.update({{"count", count + 1}, {"firstTime", entry["time"]}, {"lastTime", entry["time"]}});
            }
        }
        json list = json::array();
        for (auto& [key, place] : places) {
            list.push_back(place);
        }
        return json{{"places", list}};
    }
    std::deque<json> entries;
    for (const json& entry : m_connections) {
        if (fits(entry)) {
            entries.push_back(entry);
            if (entries.size() > limit) {
                if (oldestFirst) {
                    entries.pop_back();
                    break;
                }
                entries.pop_front();
            }
        }
    }
    return json{{"entries", entries}};
}

void FakeEngine::addConnection(const std::string& id, const std::string& host, bool allowed)
{
    const bool keyed = allowed && host == "api.anthropic.com";
    json connection = {{"id", m_nextConnection++}, {"time", formatUtc(utcNow())}, {"sandbox", id}, {"source", "process"},
                       {"kind", "name"}, {"host", host}, {"port", 443}, {"address", allowed ? "203.0.113.7" : ""},
                       {"method", keyed ? "POST" : "GET"}, {"path", keyed ? "/v1/messages" : "/"}, {"status", allowed ? 200 : 403},
                       {"bytesIn", allowed ? 5120 : 0}, {"bytesOut", 640}, {"verdict", allowed ? "allowed" : "denied"},
                       {"rule", allowed ? "allow " + host + " (preset)" : "mode balanced"},
                       {"reason", allowed ? "" : "No rule allows this host, and nobody was there to ask."},
                       {"keyInjected", keyed ? "anthropic" : ""}, {"inspected", true}, {"protocol", "https"}, {"count", 1},
                       {"process", keyed ? "claude" : "node npm-cli.js"}, {"how", allowed ? "intercepted" : "refused"}, {"durationMs", allowed ? 840 : 2},
                       {"open", false}};
    m_connections.push_back(connection);
    if (m_connections.size() > 50000) {
        m_connections.pop_front();
    }
    m_server->broadcast({{"type", "connection"}, {"connection", connection}});
    if (!allowed) {
        json& value = m_sandboxes[id].value;
        value["blockedCount"] = value["blockedCount"].get<int>() + 1;
        m_server->broadcast({{"type", "blocked"}, {"sandbox", id}, {"host", host}, {"port", 443}, {"reason", connection["reason"]}});
        m_server->broadcast({{"type", "sandbox.changed"}, {"sandbox", value}});
    }
}

void FakeEngine::populate()
{
    const auto add = [this](const std::string& id, const std::string& name, const std::string& agent, const std::string& path) {
        Sandbox sandbox;
        sandbox.value = {{"id", id}, {"name", name}, {"agent", agent}, {"state", "stopped"}, {"problem", ""},
                         {"workspaces", {{{"path", path}, {"readOnly", false}}}}, {"reducedIsolation", false},
                         {"createdAt", formatUtc(utcNow())}, {"cpus", 4}, {"memoryMiB", 4096},
                         {"launchCommand", "coldframe run " + name}, {"sync", {{"state", "offline"}, {"text", "offline"}}},
                         {"blockedCount", 0}};
        sandbox.syncs = {{{"path", path}, {"state", "in-step"}, {"entriesToGo", 0}, {"bytesToGo", 0},
                          {"problems", json::array()}, {"conflicts", json::array()}, {"held", json::array()},
                          {"pauseReason", ""}, {"text", "in step"}}};
        m_sandboxes[id] = std::move(sandbox);
    };
    add(kFirstSandbox, "claude-webshop", "claude", "/home/user/projects/webshop");
    add("7b2c00bb55667788", "shell-parser", "shell", "/home/user/projects/parser");
    add("9d3e00cc99aabbcc", "codex-docs", "codex", "/home/user/projects/docs");
    setState(kFirstSandbox, "running");
    m_suggestions = json::parse(R"([
        {"id":"0a1b2c3d","kind":"domain","sandbox":"","patterns":["example.net:443","*.example.net:443"],"ruleId":"","count":4,
         "hosts":["a.example.net","b.example.net","c.example.net"]},
        {"id":"4e5f6071","kind":"remove","sandbox":"9d3e00cc99aabbcc","patterns":["old.example.org:443"],"ruleId":"aa","count":0,"hosts":[]}])");
    Sandbox& paused = m_sandboxes["7b2c00bb55667788"];
    setState("7b2c00bb55667788", "running");
    const char* reason = "312 of 340 files were deleted in the sandbox; nothing was deleted on this computer.";
    paused.syncs[0].update({{"state", "paused"}, {"pauseReason", reason}, {"text", std::string("paused: ") + reason}});
    paused.value["sync"] = {{"state", "paused"}, {"text", std::string("paused: ") + reason}};
    for (const char* host : {"api.anthropic.com", "registry.npmjs.org", "github.com"}) {
        addConnection(kFirstSandbox, host, true);
    }
    addConnection(kFirstSandbox, "telemetry.example.net", false);
    for (int i = 0; i < m_options.moreConnections; ++i) {
        addConnection(kFirstSandbox, "host" + std::to_string(i) + ".example.com", true);
    }
    m_keys["anthropic"] = formatUtc(utcNow());
}

asio::awaitable<void> FakeEngine::tick()
{
    asio::steady_timer timer(m_io);
    for (unsigned round = 0;; ++round) {
        timer.expires_after(std::chrono::milliseconds(m_options.tickMilliseconds));
        std::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        for (auto& [id, sandbox] : m_sandboxes) {
            if (sandbox.value["state"] != "running") {
                continue;
            }
            const bool blocked = round % 5 == 4;
            addConnection(id, blocked ? "tracker" + std::to_string(round) + ".example.net" : "api.anthropic.com", !blocked);
            if (sandbox.syncs.empty() || sandbox.syncs[0]["state"] == "paused") {
                continue;
            }
            const unsigned toGo = round % 3 == 0 ? 0 : 12 - round % 12;
            json& sync = sandbox.syncs[0];
            const std::string text = toGo == 0 ? "in step" : std::to_string(toGo) + " to go";
            sync.update({{"state", toGo == 0 ? "in-step" : "syncing"}, {"entriesToGo", toGo}, {"bytesToGo", toGo * 4096}, {"text", text}});
            m_server->broadcast({{"type", "sync.changed"}, {"sandbox", id}, {"sync", sync}});
        }
    }
}

} // namespace coldframe::fakes
