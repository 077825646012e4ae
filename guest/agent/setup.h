// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "guest/agent/accounts.h"
#include "guest/agent/requests.h"

#include <filesystem>
#include <string_view>

namespace coldframe::guest {

/// What /setup does to the system: the gate before which nothing is forked for the user and no randomness
/// drawn. `root` is "/" in a guest; tests use a folder, and then the kernel's own state (clock, host name,
/// entropy) is left alone.
Result<Account> applySetup(const std::filesystem::path& root, const SetupRequest& request);

/// What a guest that was frozen and came back, or whose host slept, gets anew: randomness and clock and, where it is another
/// sandbox from now on, its name and machine id. `root` as for applySetup().
Result<void> applyRenewal(const std::filesystem::path& root, const RenewRequest& request);

/// Adds PEM certificates to the system's store under `name`: the source folder for update-ca-certificates and
/// at once the bundle. Doing it twice changes nothing.
Result<void> installTrust(const std::filesystem::path& root, std::string_view name, std::string_view pem);

/// The link by which OpenSSL finds the certificate `name` in /etc/ssl/certs: its subject's hash (8 hex digits) and ".0".
void linkBySubject(const std::filesystem::path& root, const std::string& name, const std::string& subjectHash);

/// A workspace's root folder, owned by the agent, at the same path as on the host; missing parents are
/// root's. NotAllowed for paths that are the system's own.
Result<void> makeWorkspace(const std::filesystem::path& root, const std::string& path, const Account& owner);

} // namespace coldframe::guest
