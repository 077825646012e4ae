// SPDX-License-Identifier: Apache-2.0
#include "secrets/key_index.h"

#include "base/file.h"

#include <nlohmann/json.hpp>

namespace coldframe::secrets {

namespace {

using Json = nlohmann::json;

std::filesystem::path indexFile(const std::filesystem::path& folder)
{
    return folder / "keys.json";
}

} // namespace

Result<KeyIndex> loadKeyIndex(const std::filesystem::path& folder)
{
    const auto content = readFile(indexFile(folder), 1u << 20);
    if (!content) {
        if (content.error().code == ErrorCode::NotFound) {
            return KeyIndex{};
        }
        return tl::unexpected(content.error());
    }
    KeyIndex index;
    const Json json = Json::parse(*content, nullptr, false);
    bool good = json.is_object() && json.value("version", Json()) == 1 && json.contains("backend")
                && json["backend"].is_string() && json.contains("keys") && json["keys"].is_array();
    if (good) {
        index.backend = json["backend"].get<std::string>();
        for (const Json& entry : json["keys"]) {
            good = good && entry.is_object() && entry.contains("service") && entry["service"].is_string()
                   && entry.contains("storedAt") && entry["storedAt"].is_string();
            if (good) {
                const std::string service = entry["service"].get<std::string>();
                index.keys.push_back({service, service, entry["storedAt"].get<std::string>()});
            }
        }
    }
    if (!good) {
        return fail(ErrorCode::Corrupt, "The list of stored keys cannot be read; move " + indexFile(folder).string()
                                            + " away and store the keys again.");
    }
    return index;
}

Result<void> saveKeyIndex(const std::filesystem::path& folder, const KeyIndex& index)
{
    Json keys = Json::array();
    for (const StoredKey& key : index.keys) {
        keys.push_back({{"service", key.service}, {"storedAt", key.storedAt}});
    }
    const Json json{{"version", 1}, {"backend", index.backend}, {"keys", std::move(keys)}};
    COLDFRAME_CHECK(makeFolders(folder));
    return writeFileAtomic(indexFile(folder), json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

} // namespace coldframe::secrets
