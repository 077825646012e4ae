// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace coldframe::guest {

/// Files below the homes under `root` that look like credentials (by their usual names, and for some by a word in them), so that a
/// person who saves this disk is warned. A help against mistakes, no guard: at most 100 names, from a bounded walk.
std::vector<std::string> findCredentials(const std::filesystem::path& root);

} // namespace coldframe::guest
