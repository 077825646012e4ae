// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

namespace coldframe::engine {

/// The names of image folders ("base-<sha256>", "agent-<name>-<version>-<sha256>", "own-<sha256>") that stand in a text. Pure.
std::set<std::string> imageNamesIn(std::string_view text);

/// Every image folder that something beneath the data folder stands on (HAZARDS 2): named in a record (*.json) or as
/// the backing file of a disk (*.qcow2), whatever made it. Fails when one of these cannot be read, for then what it
/// stands on is not known. The workspaces' own folders are not looked at. Blocking.
Result<std::set<std::string>> referencedImages(const std::filesystem::path& dataFolder);

} // namespace coldframe::engine
