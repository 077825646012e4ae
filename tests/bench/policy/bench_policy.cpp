// SPDX-License-Identifier: Apache-2.0
// What a decision costs with ten thousand rules: the index beside its limit and beside the list it is made of, and what making it
// costs whenever a rule changes. Usage: bench_policy [SECONDS-PER-FIGURE [RULES]]
#include "policy/policy_index.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace coldframe;
using namespace coldframe::policy;

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLimitMicroseconds = 2.0;
constexpr double kChangeLimitMilliseconds = 100.0;

/// As an organisation's list would be: mostly names, some domains, networks, ports, and rules about requests; some expire.
PolicySet largePolicy(std::size_t count)
{
    PolicySet set;
    set.mode = Mode::Balanced;
    set.canAsk = true;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string n = std::to_string(i);
        Rule rule;
        rule.id = "r" + n;
        rule.action = i % 5 == 4 ? Action::Deny : Action::Allow;
        rule.origin = "user";
        switch (i % 10) {
        case 0:
            rule.pattern = "*.domain" + n + ".example";
            break;
        case 1:
            rule.pattern = "10." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256) + ".0/24";
            break;
        case 2:
            rule.pattern = "[2001:db8:" + std::to_string(i % 10000) + "::/48]:443";
            break;
        case 3:
            rule.pattern = "host" + n + ".example:443";
            rule.method = "GET,HEAD";
            rule.path = "/v1/**";
            break;
        case 5:
            rule.pattern = "host" + n + ".example:22";
            rule.expiry = UtcTime(std::chrono::hours(24 * 365 * 100));
            break;
        default:
            rule.pattern = "host" + n + ".example";
        }
        set.rules.push_back(std::move(rule));
    }
    return set;
}

std::vector<Destination> destinations(std::size_t rules)
{
    std::vector<Destination> all;
    for (std::size_t i = 0; i < 1000; ++i) {
        const std::string n = std::to_string(i * 7919 % rules / 10 * 10 + i % 10);
        Destination to;
        switch (i % 5) {
        case 0:
            to.host = "api.eu.domain" + n + ".example";
            break;
        case 1:
            to.host = "10." + std::to_string(i % 40) + "." + std::to_string(i % 256) + ".9";
            to.isLiteral = true;
            break;
        case 2:
            to.host = "unknown" + n + ".somewhere.example";
            break;
        default:
            to.host = "host" + n + ".example";
        }
        to.method = "GET";
        to.path = "/v1/messages";
        all.push_back(std::move(to));
    }
    return all;
}

/// Microseconds a call, over all destinations again and again for `seconds`.
template <typename Decide> double perCall(const std::vector<Destination>& to, double seconds, std::size_t& allowed, Decide decide)
{
    const auto start = Clock::now();
    std::size_t calls = 0;
    double passed = 0;
    do {
        for (std::size_t i = 0; i < 50; ++i) {
            allowed += decide(to[calls++ % to.size()]).verdict == Verdict::Allow ? 1 : 0;
        }
        passed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (passed < seconds);
    return passed * 1e6 / static_cast<double>(calls);
}

} // namespace

int main(int count, char** arguments)
{
    const double seconds = count > 1 ? std::atof(arguments[1]) : 1.0;
    const auto rules = static_cast<std::size_t>(count > 2 ? std::max(10, std::atoi(arguments[2])) : 10000);
    const PolicySet set = largePolicy(rules);
    const std::vector<Destination> to = destinations(rules);
    const UtcTime now = UtcTime(std::chrono::hours(24 * 365 * 50));

    const std::string json = toJson(set);
    auto start = Clock::now();
    auto read = policyFromJson(json);
    const double parsed = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    if (!read) {
        std::fprintf(stderr, "%s\n", read.error().message.c_str());
        return 1;
    }
    start = Clock::now();
    const PolicyIndex index(std::move(*read));
    const double made = std::chrono::duration<double, std::milli>(Clock::now() - start).count();

    std::size_t allowed = 0;
    std::size_t allowedByList = 0;
    for (const Destination& one : to) {
        allowed += index.decide(one, now).verdict == Verdict::Allow ? 1 : 0;
        allowedByList += decide(set, one, now).verdict == Verdict::Allow ? 1 : 0;
    }
    if (allowed != allowedByList || allowed == 0 || allowed == to.size()) {
        std::fprintf(stderr, "the index allows %zu, the list %zu of %zu\n", allowed, allowedByList, to.size());
        return 1;
    }
    const double indexed = perCall(to, seconds, allowed, [&](const Destination& one) { return index.decide(one, now); });
    const double linear = perCall(to, seconds, allowed, [&](const Destination& one) { return decide(set, one, now); });
    std::printf("%zu rules, %zu of 1000 destinations allowed\n", rules, allowedByList);
    std::printf("decision by the index   %8.2f us   limit %.0f us, ratio %.2f\n", indexed, kLimitMicroseconds, indexed / kLimitMicroseconds);
    std::printf("decision by the list    %8.2f us   ratio %.4f\n", linear, indexed / linear);
    std::printf("reading a new policy    %8.2f ms   making the index %.2f ms; limit of a change in all %.0f ms\n", parsed, made,
                kChangeLimitMilliseconds);
    return 0;
}
