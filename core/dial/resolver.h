// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "policy/policy.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coldframe::dial {

/// Turns an allowed name into addresses. Tests inject one that rebinds.
class Resolver
{
public:
    using Done = std::function<void(Result<std::vector<policy::IpAddress>>)>;

    virtual ~Resolver() = default;
    /// `done` is called once, on the dialler's thread, perhaps long after the dialler stopped waiting.
    virtual void resolve(const std::string& host, Done done) = 0;
};

/// getaddrinfo(3) on a few threads, as it blocks; so /etc/hosts, VPN and nsswitch settings of the host count.
/// `post` carries a call to the dialler's thread. Too many waiting names: Busy.
std::unique_ptr<Resolver> makeSystemResolver(std::function<void(std::function<void()>)> post);

} // namespace coldframe::dial
