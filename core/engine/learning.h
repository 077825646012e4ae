// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/questions.h"

#include <nlohmann/json_fwd.hpp>
#include <set>

namespace coldframe::engine {

/// An answer to a question, as it is remembered.
struct GivenAnswer
{
    UtcTime when;
    std::string sandbox; ///< id
    std::string host;
    std::uint16_t port = 0;
    bool allow = false;
    bool forNow = false;      ///< once, or until the sandbox stops
    bool wholeDomain = false;
};

/// What suggestions are made of: answers, what the user did not want to hear of, and since when rules are known. Of bounded size.
struct Learned
{
    static constexpr std::size_t kMostAnswers = 500;
    static constexpr std::size_t kMostDismissed = 300;
    static constexpr std::size_t kMostRules = 2000;
    static constexpr std::chrono::hours kRemembered{90 * 24};

    std::vector<GivenAnswer> answers; ///< oldest first
    std::map<std::string, UtcTime> dismissed; ///< by the suggestion's id
    std::map<std::string, UtcTime> knownSince; ///< by the rule's id

    /// Forgets what is too old or too much, and rules that there are no more.
    void bound(const std::set<std::string>& ruleIds, UtcTime now);
};

nlohmann::json toJson(const Learned& learned);
/// What cannot be read is left out: it is no more than what suggestions are made of.
Learned learnedFromJson(const nlohmann::json& stored);

/// A change of the rules that repeated answers, or a rule that nothing uses, speak for. Nothing is changed by it: the user decides.
struct Suggestion
{
    enum class Kind { AllowHost, AllowDomain, DenyHost, RemoveRule };
    std::string id; ///< the same for the same suggestion
    Kind kind = Kind::AllowHost;
    std::string sandbox; ///< id; empty: for all
    std::vector<std::string> patterns;
    std::string ruleId;             ///< of RemoveRule
    std::int64_t count = 0;         ///< answers that speak for it
    std::vector<std::string> hosts; ///< of AllowDomain: some of those that were allowed
};
nlohmann::json toJson(const Suggestion& suggestion);

/// A place where rules may be: a sandbox, or all of them.
struct LearnScope
{
    std::string sandbox;             ///< id; empty: all
    policy::PolicySet lasting;       ///< what decides there, without what ends by itself
    std::vector<policy::Rule> own;   ///< the user's rules there
    /// As the log has them (policy::describe): those that decided within kUnused. Nothing: it was not used in that time, or the log does
    /// not tell, and no rule is called unused.
    std::optional<std::set<std::string>> usedRules;
};

constexpr std::int64_t kOften = 3;             ///< so many answers are a habit
constexpr std::chrono::hours kUnused{30 * 24};

/// - A host that was allowed for now kOften times, and never denied since the first of them: allow it, in the sandbox or, where several
///   sandboxes asked, for all. - kOften hosts of one domain that were allowed, none of them denied: allow the domain; it stands for its
///   hosts. - A host that was denied for now kOften times and never allowed: deny it. - A rule that allows, is known for kUnused and
///   decided nothing in that time while its sandbox was used: remove it. What lasting rules decide already, or deny, is not suggested,
///   nor what was dismissed. Pure.
std::vector<Suggestion> suggestionsFrom(const Learned& learned, const std::vector<LearnScope>& scopes, UtcTime now);

/// `set` without rules of a session and rules that end.
policy::PolicySet lastingPart(policy::PolicySet set);

} // namespace coldframe::engine
