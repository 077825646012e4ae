// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace coldframe::guest {

/// Where containers see the sandbox's bundle. In /dev, which is a tmpfs of the container's own: no layer
/// keeps a trace.
inline constexpr const char* kContainerBundle = "/dev/coldframe-ca.crt";

/// What containers with a Java runtime get in the place of its `cacerts` (java_trust.h).
inline constexpr const char* kContainerJavaStore = "/run/coldframe/java-cacerts";

/// An OCI runtime specification's config.json with the trust added: the bundle is bind-mounted read-only over
/// each well-known bundle that exists in `rootfs`, and at kContainerBundle; the usual variables point there
/// unless set; kContainerJavaStore is mounted over the `cacerts` of each Java runtime. Corrupt when the text is not a usable config.
Result<std::string> withTrust(std::string_view config, const std::filesystem::path& bundleFolder);

/// Called as "runc" (dockerd, containerd and BuildKit find it first in their PATH): edits the bundle's
/// config.json on create and run, then becomes the real runc. Whatever goes wrong with the edit, the
/// container starts unedited.
int runOciRuntime(int argc, char** argv);

} // namespace coldframe::guest
