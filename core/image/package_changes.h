// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/manifest.h"

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::image {

using Packages = std::map<std::string, std::string>; ///< name to version

/// The packages that a base image's manifest names; none where it names none.
Packages packagesOf(const Manifest& manifest);

/// {"added":{name:version},"removed":{…},"changed":{name:[before,after]}}; null where there is nothing to compare with. Pure.
nlohmann::json packageChanges(const Packages& before, const Packages& after);

} // namespace coldframe::image
