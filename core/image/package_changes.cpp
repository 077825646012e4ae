// SPDX-License-Identifier: Apache-2.0
#include "image/package_changes.h"

#include <nlohmann/json.hpp>

namespace coldframe::image {

using nlohmann::json;

Packages packagesOf(const Manifest& manifest)
{
    Packages packages;
    const json document = json::parse(manifest.json, nullptr, false);
    const json listed = document.is_object() ? document.value("packages", json::object()) : json::object();
    for (const auto& [name, version] : listed.items()) {
        if (version.is_string()) {
            packages.emplace(name, version.get<std::string>());
        }
    }
    return packages;
}

json packageChanges(const Packages& before, const Packages& after)
{
    if (before.empty()) {
        return nullptr;
    }
    json changes{{"added", json::object()}, {"removed", json::object()}, {"changed", json::object()}};
    for (const auto& [name, version] : after) {
        const auto old = before.find(name);
        if (old == before.end()) {
            changes["added"][name] = version;
        } else if (old->second != version) {
            changes["changed"][name] = {old->second, version};
        }
    }
    for (const auto& [name, version] : before) {
        if (!after.contains(name)) {
            changes["removed"][name] = version;
        }
    }
    return changes;
}

} // namespace coldframe::image
