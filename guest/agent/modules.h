// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace coldframe::guest {

/// Loads the modules that the file lists, one absolute path a line, in order (finit_module(2)). One that is
/// there already is fine; failures are logged. Returns how many could not be loaded.
int loadModules(const std::filesystem::path& list);

} // namespace coldframe::guest
