// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace coldframe {

/// The product's folders by the XDG base directory specification. Environment read at each call, so tests may
/// set HOME and XDG_* to a folder of their own.
namespace paths {

std::filesystem::path configFolder();  ///< $XDG_CONFIG_HOME/coldframe
std::filesystem::path dataFolder();    ///< $XDG_DATA_HOME/coldframe: images, sandboxes
std::filesystem::path cacheFolder();   ///< $XDG_CACHE_HOME/coldframe
std::filesystem::path runtimeFolder(); ///< $XDG_RUNTIME_DIR/coldframe, 0700; sockets
std::filesystem::path engineSocket();  ///< runtimeFolder()/engine.sock

/// Read-only resources (agents/, policy/, icons/, guest-image/): COLDFRAME_RESOURCES, else ../share/coldframe
/// beside the executable's folder, else the source tree the executable was built from.
std::filesystem::path resourcesFolder();

/// The folder with the image recipe: resourcesFolder()/guest-image when installed, guest/image in a source tree.
std::filesystem::path imageRecipeFolder();

/// A sibling executable (coldframed, coldframe-proxy, coldframe-dial, coldframe-guest): beside the running one,
/// else ../lib/coldframe.
std::filesystem::path helperExecutable(const char* name);

} // namespace paths
} // namespace coldframe
