// SPDX-License-Identifier: Apache-2.0
// The API's handlers for what is learnt from answers and from the log: policy.suggest, policy.suggestion. Rules change by the user's yes alone.
#include "engine/engine.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "engine/blocking.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kMostStored = 1u << 20;
constexpr int kMostPlaces = 10000; ///< of the log's aggregated view, the latest first

/// Which rules decided in a sandbox since `since`, by sandbox; nothing when the log has more places than were read.
std::optional<std::map<std::string, std::set<std::string>>> usedSince(const json& places, const std::string& since)
{
    std::map<std::string, std::set<std::string>> used;
    for (const json& place : places) {
        if (place.value("lastTime", "") < since) {
            return used;
        }
        used[place.value("sandbox", "")].insert(place.value("rule", ""));
    }
    return places.size() < static_cast<std::size_t>(kMostPlaces) ? std::optional(std::move(used)) : std::nullopt;
}

} // namespace

void Engine::loadLearned()
{
    const auto text = readFile(paths::dataFolder() / "learned.json", kMostStored);
    m_learned = text ? learnedFromJson(json::parse(*text, nullptr, false)) : Learned();
}

void Engine::saveLearned()
{
    std::set<std::string> ids;
    const auto note = [&ids](const std::vector<policy::Rule>& rules) {
        for (const policy::Rule& rule : rules) {
            ids.insert(rule.id);
        }
    };
    note(m_o.parts.globalRules);
    for (const auto& sandbox : m_o.registry.all()) {
        note(sandbox->record().rules);
    }
    m_learned.bound(ids, utcNow());
    std::string text = toJson(m_learned).dump(-1, ' ', false, json::error_handler_t::replace);
    if (text == m_learnedText) {
        return;
    }
    if (const auto saved = writeFileAtomic(paths::dataFolder() / "learned.json", text); !saved) {
        logError("network", "what was answered is not remembered: " + saved.error().message); // no reason to refuse an answer
        return;
    }
    m_learnedText = std::move(text);
}

void Engine::learn(const Question& question, const engine::Answer& answer)
{
    const bool isForNow = answer.span == engine::Answer::For::Once || answer.span == engine::Answer::For::Session;
    m_learned.answers.push_back({utcNow(), question.sandbox, question.host, question.port, answer.allow, isForNow, answer.wholeDomain});
    saveLearned();
}

asio::awaitable<Result<std::vector<Suggestion>>> Engine::suggestions()
{
    saveLearned(); // rules that came meanwhile are known from now on
    auto look = [this] { return m_o.record.query(json{{"summary", true}, {"verdict", "allowed"}, {"limit", kMostPlaces}}); };
    Result<json> places = co_await onPool(m_o.parts.pool, std::move(look));
    if (!places) {
        co_return tl::unexpected(places.error());
    }
    const UtcTime now = utcNow();
    const auto used = usedSince(places->value("places", json::array()), formatUtc(now - kUnused));
    std::vector<LearnScope> scopes;
    LearnScope all{"", lastingPart(policyForAll()), m_o.parts.globalRules, std::nullopt};
    if (used && !used->empty()) {
        all.usedRules.emplace();
        for (const auto& [sandbox, rules] : *used) {
            all.usedRules->insert(rules.begin(), rules.end());
        }
    }
    scopes.push_back(std::move(all));
    for (const auto& sandbox : m_o.registry.all()) {
        LearnScope scope{sandbox->record().id, lastingPart(sandbox->effectivePolicy()), sandbox->record().rules, std::nullopt};
        if (used && used->contains(scope.sandbox)) {
            scope.usedRules = used->at(scope.sandbox);
        }
        scopes.push_back(std::move(scope));
    }
    co_return suggestionsFrom(m_learned, scopes, now);
}

/// As it would be by hand: the rules are made, or the rule removed, where the suggestion says.
Result<void> Engine::accept(const Suggestion& suggestion)
{
    std::shared_ptr<Sandbox> sandbox;
    if (!suggestion.sandbox.empty()) {
        COLDFRAME_TRY(sandbox, m_o.registry.find(suggestion.sandbox));
    }
    OwnPolicy own = ownPolicy(sandbox);
    if (suggestion.kind == Suggestion::Kind::RemoveRule) {
        std::erase_if(own.rules, [&](const policy::Rule& rule) { return rule.id == suggestion.ruleId; });
    }
    for (const std::string& pattern : suggestion.kind == Suggestion::Kind::RemoveRule ? std::vector<std::string>() : suggestion.patterns) {
        policy::Rule rule;
        rule.id = randomHex(4);
        rule.action = suggestion.kind == Suggestion::Kind::DenyHost ? policy::Action::Deny : policy::Action::Allow;
        COLDFRAME_TRY(rule.pattern, policy::parsePattern(pattern));
        rule.scope = sandbox ? policy::Scope::Sandbox : policy::Scope::Global;
        rule.origin = "suggestion";
        own.rules.push_back(std::move(rule));
    }
    return setOwnPolicy(sandbox, std::move(own));
}

asio::awaitable<Result<json>> Engine::suggestCall(std::string method, json params)
{
    std::string only;
    if (params.contains("sandbox")) {
        auto sandbox = sandboxOf(params);
        if (!sandbox) {
            co_return tl::unexpected(sandbox.error());
        }
        only = (*sandbox)->record().id;
    }
    Result<std::vector<Suggestion>> found = co_await suggestions();
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    if (method == "policy.suggest") {
        json shown = json::array();
        for (const Suggestion& suggestion : *found) {
            if (only.empty() || suggestion.sandbox.empty() || suggestion.sandbox == only) {
                shown.push_back(toJson(suggestion));
            }
        }
        co_return json{{"suggestions", std::move(shown)}};
    }
    const std::string id = params.at("id").get<std::string>();
    const auto suggestion = std::find_if(found->begin(), found->end(), [&](const Suggestion& one) { return one.id == id; });
    if (suggestion == found->end()) {
        co_return fail(ErrorCode::NotFound, "There is no suggestion \"" + escapeForDisplay(id, 40) + "\" any more. See: coldframe policy suggest");
    }
    if (params.at("accept").get<bool>()) {
        if (auto accepted = accept(*suggestion); !accepted) {
            co_return tl::unexpected(accepted.error());
        }
    } else {
        m_learned.dismissed[id] = utcNow();
        m_o.parts.emitEvent({{"type", "policy.changed"}});
    }
    saveLearned();
    co_return json::object();
}

} // namespace coldframe::engine
