// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace coldframe::guest {

/// passwd(5) and group(5) read and edited in this process: the executable is static, so NSS is not there, and
/// running usermod would cost a second under emulation.

struct Account
{
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home = "/";
    std::string shell = "/bin/sh";
    std::vector<gid_t> groups; ///< supplementary ones and gid
};

/// The shell for people: bash, or sh in an image without it.
std::string loginShell(const std::filesystem::path& root);

/// passwd text with `name`'s line carrying these ids and home; the line is added when missing. Others stay as
/// they are.
std::string passwdWith(std::string_view passwd, const Account& account);
/// group text in which the group `name` has this gid; added when missing.
std::string groupWith(std::string_view group, std::string_view name, gid_t gid);
/// shadow text with a locked line for `name` when it has none.
std::string shadowWith(std::string_view shadow, std::string_view name);

/// NotFound when passwd has no usable line for the name.
Result<Account> findAccount(std::string_view passwd, std::string_view group, std::string_view name);
/// Group name to gid, for chown.
Result<gid_t> findGroup(std::string_view group, std::string_view name);

/// Reads `root`/etc and edits it where the ids differ; a changed uid or gid takes the files of the home
/// along.
Result<Account> ensureAccount(const std::filesystem::path& root, const Account& wanted);
/// The account as `root`/etc knows it.
Result<Account> loadAccount(const std::filesystem::path& root, std::string_view name);

} // namespace coldframe::guest
