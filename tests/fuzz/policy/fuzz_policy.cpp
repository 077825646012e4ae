// SPDX-License-Identifier: Apache-2.0
#include "policy/path_glob.h"
#include "policy/policy.h"
#include "policy/policy_index.h"

#include <cstdint>
#include <cstdlib>

using namespace coldframe;
using namespace coldframe::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

} // namespace

/// What is accepted has exactly one spelling, and no accepted literal passes an address check it should not.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text(data, data + size);
    if (const auto host = normaliseHost(text)) {
        require(normaliseHost(*host).value_or("") == *host);
        PolicySet open;
        open.mode = Mode::Open;
        Destination destination;
        destination.host = text;
        const Decision decision = decide(open, destination, UtcTime());
        if (const auto address = parseIp(*host)) {
            destination.isLiteral = true;
            require(decision.verdict == checkAddress(open, destination, *address, UtcTime()).verdict);
        }
        // A deny of what was accepted must hold.
        const bool isV6 = host->find(':') != std::string::npos;
        const auto pattern = parsePattern(isV6 ? "[" + *host + "]:443" : *host + ":443");
        require(pattern.has_value());
        Rule rule;
        rule.pattern = *pattern;
        open.rules.push_back(rule);
        require(decide(open, destination, UtcTime()).verdict == Verdict::Deny);
    }
    if (const auto pattern = parsePattern(text)) {
        require(parsePattern(*pattern).value_or("") == *pattern);
    }
    if (const auto path = canonicalPath(text)) {
        require(canonicalPath(*path).has_value() || path->find('?') != std::string::npos
                || path->find('#') != std::string::npos);
        (void)matchesGlob(text.substr(0, 64), *path);
    }
    if (const auto policy = policyFromJson(text)) {
        const std::string json = toJson(*policy);
        const auto again = policyFromJson(json);
        require(again.has_value() && toJson(*again) == json);
        Destination destination;
        destination.host = "api.example.com";
        destination.method = "GET";
        destination.path = "/v1/x";
        // Whatever the rules are, the index says what the list says.
        const PolicyIndex index(*policy);
        const Decision decision = decide(*policy, destination, UtcTime());
        const Decision indexed = index.decide(destination, UtcTime());
        require(decision.verdict == indexed.verdict && decision.reason == indexed.reason);
        require(checkAddress(*policy, destination, IpAddress{}, UtcTime()).reason
                == index.checkAddress(destination, IpAddress{}, UtcTime()).reason);
    }
    return 0;
}
