// SPDX-License-Identifier: Apache-2.0
#include "base/landlock.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coldframe {

namespace {

// Spelled out, because build hosts' headers differ in age. ABI 1: files; 2: refer; 3: truncate; 5: ioctl on devices.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kVersionFlag = 1;
constexpr int kPathBeneath = 1;
constexpr std::uint64_t kReadFile = 1u << 2;
constexpr std::uint64_t kReadFolder = 1u << 3;
constexpr std::array<std::uint64_t, 6> kAllRights = {0, (1u << 13) - 1, (1u << 14) - 1, (1u << 15) - 1, (1u << 15) - 1, (1u << 16) - 1};

struct __attribute__((packed)) PathRule
{
    std::uint64_t allowed = 0;
    std::int32_t parent = -1;
};

} // namespace

Result<bool> restrictFilesTo(const std::vector<std::string>& readable)
{
    const long abi = ::syscall(kCreateRuleset, nullptr, 0, kVersionFlag);
    if (abi < 1) {
        return false; // ENOSYS, or EOPNOTSUPP where it is switched off
    }
    const std::uint64_t handled = kAllRights[std::min(static_cast<std::size_t>(abi), kAllRights.size() - 1)];
    const UniqueFd ruleset(static_cast<int>(::syscall(kCreateRuleset, &handled, sizeof handled, 0)));
    if (!ruleset) {
        return failErrno("The Landlock rules could not be made", errno);
    }
    for (const std::string& path : readable) {
        const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
        struct stat status{};
        if (!fd || ::fstat(fd.get(), &status) != 0) {
            continue; // not on this system
        }
        const PathRule rule{S_ISDIR(status.st_mode) ? kReadFile | kReadFolder : kReadFile, fd.get()};
        if (::syscall(kAddRule, ruleset.get(), kPathBeneath, &rule, 0) != 0) {
            return failErrno("Reading " + path + " could not be granted", errno);
        }
    }
    if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0) {
        return failErrno("The Landlock rules could not be applied", errno);
    }
    return true;
}

} // namespace coldframe
