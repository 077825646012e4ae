// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "secrets/key_store.h"

namespace coldframe::secrets {

/// What is stored where; keys.json. Holds no key.
struct KeyIndex
{
    std::string backend; ///< empty until the first write
    std::vector<StoredKey> keys;
};

/// A missing file is an empty index; Corrupt names the file.
Result<KeyIndex> loadKeyIndex(const std::filesystem::path& folder);
Result<void> saveKeyIndex(const std::filesystem::path& folder, const KeyIndex& index);

} // namespace coldframe::secrets
