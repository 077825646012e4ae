// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"

#include <filesystem>
#include <string>

namespace coldframe::engine {

/// Writes an own image to a file that another Coldframe can import: its whole disk, whatever it stands on. Blocking: on the pool.
Result<void> exportImage(EngineParts& parts, const std::string& id, const std::filesystem::path& file, const Steps& steps);

/// Makes such a file an image of its own. It gets a disk written by us and this machine's kernel; nothing of the file is run or
/// opened as a disk on the host (HAZARDS 14). `name` empty: as the file says. Blocking: on the pool. The name and the image.
Result<image::NamedImage> importImage(EngineParts& parts, const std::filesystem::path& file, const std::string& name, const Steps& steps);

} // namespace coldframe::engine
