// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>
#include <vector>

namespace coldframe::engine {

/// A folder the sandbox works on, at the same absolute path inside; but for a fork's, which is a copy of its parent's and is found there
/// where the parent's was.
struct Workspace
{
    std::filesystem::path path; ///< absolute, canonical (no symlinks, no "..")
    bool readOnly = false;
    std::filesystem::path guestPath{}; ///< empty: as on the host
    const std::filesystem::path& inside() const { return guestPath.empty() ? path : guestPath; }
    bool operator==(const Workspace&) const = default;
};

/// Whether these folders may be shared with a sandbox. Each must exist, be a readable folder, and be neither /,
/// a home folder, the product's own data, nor a system folder; none may contain another. The result holds the
/// canonical paths. Every error names the folder and says what to do. `home` is the user's.
Result<std::vector<Workspace>> checkWorkspaces(const std::vector<Workspace>& wanted, const std::filesystem::path& home);

} // namespace coldframe::engine
