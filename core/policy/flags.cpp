// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include "base/log.h"
#include "base/random.h"

#include <algorithm>

namespace coldframe::policy {

namespace {

/// One flag's value, which may be a comma list, into rules.
Result<void> addRules(std::string_view value, Action action, std::vector<Rule>& rules)
{
    std::size_t start = 0;
    while (start <= value.size()) {
        const std::size_t end = std::min(value.find(',', start), value.size());
        COLDFRAME_TRY(std::string pattern, parsePattern(value.substr(start, end - start)));
        Rule rule;
        rule.id = randomHex(4);
        rule.action = action;
        rule.pattern = std::move(pattern);
        rule.scope = Scope::Sandbox;
        rule.origin = "flag";
        rules.push_back(std::move(rule));
        start = end + 1;
    }
    return {};
}

Result<Mode> modeOf(const PolicyFlags& flags)
{
    if (flags.policy.empty()) {
        if (!flags.allow.empty()) {
            return Mode::Locked;
        }
        return flags.deny.empty() ? Mode::Balanced : Mode::Open;
    }
    if (flags.policy == "allow") {
        return Mode::Open;
    }
    if (flags.policy == "deny") {
        return Mode::Locked;
    }
    if (auto mode = modeFromName(flags.policy)) {
        return *mode;
    }
    return fail(ErrorCode::InvalidArgument,
                "\"" + escapeForDisplay(flags.policy, 100)
                    + "\" is not a policy; use allow (open), balanced, or deny (locked).");
}

} // namespace

Result<ModeAndRules> fromFlags(const PolicyFlags& flags)
{
    COLDFRAME_TRY(const Mode mode, modeOf(flags));
    ModeAndRules result{mode, {}};
    for (const std::string& value : flags.allow) {
        COLDFRAME_CHECK(addRules(value, Action::Allow, result.rules));
    }
    for (const std::string& value : flags.deny) {
        COLDFRAME_CHECK(addRules(value, Action::Deny, result.rules));
    }
    return result;
}

} // namespace coldframe::policy
