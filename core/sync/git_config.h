// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::sync {

/// One value of a git configuration file (git-config(1), "Syntax").
struct GitConfigValue
{
    std::string section;    ///< lower case
    std::string subsection; ///< as written
    std::string key;        ///< lower case
    std::string value;
};

/// The values in file order; nothing when the text does not parse. No includes are followed.
std::optional<std::vector<GitConfigValue>> parseGitConfig(std::string_view text);

/// The configuration a sandbox gets: repository format, file mode, bare, remotes without credentials, branch
/// tracking, the user's name and e-mail address. Everything else stays on the host.
std::string renderGitConfig(const std::vector<GitConfigValue>& values);

/// Without user name, password, query and fragment; an ssh user name (git@…) stays.
std::string withoutCredentials(std::string_view url);

} // namespace coldframe::sync
