// SPDX-License-Identifier: Apache-2.0
#include "ui/rules.h"

#include "api/client.h"
#include "policy/pattern.h"

namespace coldframe::ui {

std::optional<std::string> exactPattern(const std::string& host, qint64 port)
{
    if (host.empty() || port < 1 || port > 65535) {
        return std::nullopt;
    }
    const bool ipv6 = host.find(':') != std::string::npos;
    const std::string text = (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
    const Result<policy::Pattern> pattern = policy::parse(text);
    if (!pattern || pattern->port != port) {
        return std::nullopt;
    }
    const bool oneHost = pattern->kind == policy::Pattern::Kind::Host;
    const bool oneAddress = pattern->kind == policy::Pattern::Kind::Network && pattern->prefixLength == 128;
    if (!oneHost && !oneAddress) {
        return std::nullopt;
    }
    return policy::formatPattern(*pattern);
}

void addRule(api::Client& client, const QString& sandbox, RuleAction action, const std::string& pattern,
             const std::string& origin, QObject* context, std::function<void(Result<void>)> done)
{
    nlohmann::json params = {{"sandbox", sandbox.toStdString()},
                             {"action", action == RuleAction::Allow ? "allow" : "deny"},
                             {"pattern", pattern}};
    if (!origin.empty()) {
        params["origin"] = origin;
    }
    client.call("policy.add", std::move(params), context, [done = std::move(done)](Result<nlohmann::json> answer) {
        if (answer) {
            done({});
        } else {
            done(tl::unexpected(answer.error()));
        }
    });
}

} // namespace coldframe::ui
