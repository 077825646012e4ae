// SPDX-License-Identifier: Apache-2.0
#include "engine/tighten.h"

#include "engine/questions.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

/// So many hosts beneath one domain are written as the domain: a content network numbers its servers.
constexpr std::size_t kManyHosts = 4;
constexpr std::size_t kMostPlaces = 5000;

struct Place
{
    std::int64_t count = 0;
    std::string lastSeen;
    std::size_t hosts = 1;
};
using Places = std::map<std::string, Place>;

struct Key
{
    std::string host;
    std::uint16_t port = 0;
    auto operator<=>(const Key&) const = default;
};

std::string patternOf(const Key& key)
{
    const bool isV6 = key.host.find(':') != std::string::npos;
    return (isV6 ? '[' + key.host + ']' : key.host) + ':' + std::to_string(key.port);
}

std::map<Key, Place> usedPlaces(const json& entries)
{
    std::map<Key, Place> used;
    for (const json& entry : entries.is_array() ? entries : json::array()) {
        if (!entry.is_object() || entry.value("verdict", "") != "allowed") {
            continue;
        }
        const auto host = policy::normaliseHost(entry.value("host", ""));
        const auto port = entry.value("port", std::int64_t(0));
        if (!host || port < 1 || port > 65535 || used.size() >= kMostPlaces) {
            continue;
        }
        Place& place = used[{*host, static_cast<std::uint16_t>(port)}];
        place.count += std::max<std::int64_t>(1, entry.value("count", std::int64_t(1)));
        place.lastSeen = std::max(place.lastSeen, entry.value("time", ""));
    }
    return used;
}

Places asPatterns(const std::map<Key, Place>& used)
{
    std::map<Key, std::size_t> beneath; // by domain and port
    const auto domainOf = [](const Key& key) { return Key{registrableDomain(key.host), key.port}; };
    for (const auto& [key, place] : used) {
        const Key domain = domainOf(key);
        beneath[domain] += !domain.host.empty() && domain.host != key.host ? 1 : 0;
    }
    Places patterns;
    for (const auto& [key, place] : used) {
        const Key domain = domainOf(key);
        const bool isOneOfMany = !domain.host.empty() && domain.host != key.host && beneath[domain] >= kManyHosts;
        const std::string pattern = isOneOfMany ? "*." + patternOf(domain) : patternOf(key);
        const auto [found, isNew] = patterns.emplace(pattern, place);
        if (!isNew) {
            found->second.count += place.count;
            found->second.lastSeen = std::max(found->second.lastSeen, place.lastSeen);
            ++found->second.hosts;
        }
    }
    return patterns;
}

} // namespace

json tightened(const json& entries, const OwnPolicy& own)
{
    OwnPolicy list;
    list.mode = policy::Mode::Locked;
    list.bypassHosts = own.bypassHosts;
    const auto isDenial = [](const policy::Rule& rule) { return rule.action == policy::Action::Deny; };
    std::copy_if(own.rules.begin(), own.rules.end(), std::back_inserter(list.rules), isDenial);
    json places = json::array();
    for (const auto& [pattern, place] : asPatterns(usedPlaces(entries))) {
        policy::Rule rule;
        rule.action = policy::Action::Allow;
        rule.pattern = pattern;
        rule.note = "used " + std::to_string(place.count) + " times, last " + place.lastSeen.substr(0, 10);
        list.rules.push_back(std::move(rule));
        places.push_back({{"pattern", pattern}, {"count", place.count}, {"lastSeen", place.lastSeen}, {"hosts", place.hosts}});
    }
    return {{"document", documentOf(list)}, {"places", std::move(places)}};
}

} // namespace coldframe::engine
