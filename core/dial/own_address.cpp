// SPDX-License-Identifier: Apache-2.0
#include "dial/own_address.h"

#include "base/unique_fd.h"
#include "policy/pattern.h"

#include <algorithm>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace coldframe::dial {

namespace {

constexpr std::uint16_t kAnyPort = 9; // nothing is sent to it

bool isV4(const policy::IpAddress& address)
{
    return std::all_of(address.begin(), address.begin() + 10, [](std::uint8_t byte) { return byte == 0; })
           && address[10] == 0xff && address[11] == 0xff;
}

/// Connecting a datagram socket only looks the route up; to an address of one's own, the source chosen is that address.
template <typename Address> bool isOwnSource(Address target, const void* bytes, std::size_t offset, std::size_t size)
{
    const UniqueFd fd(::socket(reinterpret_cast<const sockaddr*>(&target)->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Address source{};
    socklen_t length = sizeof source;
    return fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0
           && ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&source), &length) == 0
           && std::memcmp(reinterpret_cast<const char*>(&source) + offset, bytes, size) == 0;
}

} // namespace

bool isOwnAddress(const policy::IpAddress& address)
{
    if (isV4(address)) {
        sockaddr_in target{};
        target.sin_family = AF_INET;
        target.sin_port = htons(kAnyPort);
        std::memcpy(&target.sin_addr, address.data() + 12, sizeof target.sin_addr);
        return isOwnSource(target, address.data() + 12, offsetof(sockaddr_in, sin_addr), sizeof target.sin_addr);
    }
    sockaddr_in6 target{};
    target.sin6_family = AF_INET6;
    target.sin6_port = htons(kAnyPort);
    std::memcpy(&target.sin6_addr, address.data(), sizeof target.sin6_addr);
    return isOwnSource(target, address.data(), offsetof(sockaddr_in6, sin6_addr), sizeof target.sin6_addr);
}

bool isNamedByRule(const policy::PolicySet& policy, const policy::IpAddress& address, std::uint16_t port, UtcTime now)
{
    return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const policy::Rule& rule) {
        if (rule.action != policy::Action::Allow || rule.scope == policy::Scope::Organisation
            || (rule.expiry && now >= *rule.expiry)) {
            return false;
        }
        const auto pattern = policy::parse(rule.pattern);
        return pattern && pattern->kind == policy::Pattern::Kind::Network && pattern->prefixLength == 128
               && pattern->network == address && pattern->port == port;
    });
}

} // namespace coldframe::dial
