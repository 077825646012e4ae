// SPDX-License-Identifier: Apache-2.0
// The API's handlers for questions about unknown hosts: network.attend, network.questions, network.answer.
#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A yes for once opens the host for as long as it takes to connect: the dialler goes by rules alone, and asks nobody.
constexpr auto kOnceLasts = 60s;

/// Somebody is there until the connection closes.
asio::awaitable<void> stay(Questions& questions, api::AttachmentSocket socket)
{
    const std::shared_ptr<void> presence = questions.attend();
    char byte = 0;
    std::error_code error;
    while (!error) {
        (void)co_await socket.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, error));
    }
}

} // namespace

/// What the answer means from now on; all rules or none.
Result<void> Engine::addRules(const Question& question, const engine::Answer& answer)
{
    const bool isOnce = answer.span == engine::Answer::For::Once;
    if (isOnce && !answer.allow) {
        return {};
    }
    std::vector<policy::Rule> rules;
    for (const std::string& pattern : patternsOf(question, answer)) {
        policy::Rule rule;
        rule.id = randomHex(4);
        rule.action = answer.allow ? policy::Action::Allow : policy::Action::Deny;
        COLDFRAME_TRY(rule.pattern, policy::parsePattern(pattern));
        rule.origin = policy::kAnswerOrigin;
        if (isOnce) {
            rule.expiry = utcNow() + kOnceLasts;
        }
        rules.push_back(std::move(rule));
    }
    if (answer.span == engine::Answer::For::Always) {
        std::vector<policy::Rule> all = m_o.parts.globalRules;
        for (policy::Rule& rule : rules) {
            rule.scope = policy::Scope::Global;
            all.push_back(std::move(rule));
        }
        return saveGlobal(std::move(all));
    }
    COLDFRAME_TRY(const std::shared_ptr<Sandbox> sandbox, sandboxOf(json{{"sandbox", question.sandbox}}));
    for (policy::Rule& rule : rules) {
        COLDFRAME_CHECK(sandbox->addRule(std::move(rule), answer.span != engine::Answer::For::Sandbox));
    }
    return {};
}

asio::awaitable<Result<json>> Engine::questionCall(std::string method, json params)
{
    Questions& questions = m_o.parts.questions;
    if (method == "network.attend") {
        co_return json{{"token", m_server->offerAttachment([&questions](api::AttachmentSocket socket) { return stay(questions, std::move(socket)); })}};
    }
    if (method == "network.questions") {
        co_return json{{"questions", questions.list()}};
    }
    auto answer = answerFrom(params);
    if (!answer) {
        co_return tl::unexpected(answer.error());
    }
    auto taken = questions.take(params.at("id").get<std::string>(), answer->allow);
    if (!taken) {
        co_return tl::unexpected(taken.error());
    }
    // The rules first: proxy and dialler decide by them, whatever the reply says.
    const Result<void> ruled = addRules(taken->first, *answer);
    taken->second(answer->allow && ruled.has_value());
    if (!ruled) {
        co_return tl::unexpected(ruled.error());
    }
    learn(taken->first, *answer);
    logInfo("network", "the user " + std::string(answer->allow ? "allowed " : "denied ") + escapeForDisplay(patternsOf(taken->first, *answer).front(), 300));
    m_o.parts.emitEvent({{"type", "policy.changed"}});
    co_return json{{"patterns", patternsOf(taken->first, *answer)}};
}

} // namespace coldframe::engine
