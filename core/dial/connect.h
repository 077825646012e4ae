// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "policy/policy.h"

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace coldframe::dial {

struct Target
{
    policy::IpAddress address{};
    std::uint16_t port = 0;
};

std::string formatTarget(const Target& target); ///< "192.0.2.1:443", "[2001:db8::1]:443"

/// Tries checked addresses, the next one when the last failed or `stagger` passed (RFC 8305, simplified); the first to
/// connect wins. `done` is called once, from the io_context, never from within.
using Connected = std::function<void(Result<UniqueFd>, Target)>;
void connectAny(asio::io_context& io, std::vector<Target> targets, std::chrono::milliseconds timeout,
                std::chrono::milliseconds stagger, Connected done);

} // namespace coldframe::dial
