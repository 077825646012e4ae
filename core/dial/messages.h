// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "dial/route.h"
#include "policy/policy.h"

#include <string>
#include <string_view>

namespace coldframe::dial {

/// One packet from the proxy: `{"id":"…","host":"example.com","port":443}`; further fields are ignored.
struct Request
{
    std::string id; ///< the proxy's, JSON text as it came (a string or a number), given back unchanged
    std::string host;
    std::uint16_t port = 0;
};

constexpr std::size_t kMaxPacket = 4096;

/// Protocol when the packet is not a request.
Result<Request> parseRequest(std::string_view packet);

/// `{"id","ok","address","reason","rule"}`; `address` is "ip:port" or "[ip]:port". The connected socket travels with it.
std::string makeReply(const Request& request, bool ok, const std::string& address, const std::string& reason,
                      const std::string& rule);

/// One line from the engine. After RoutePassword follow that many bytes, which are no line.
struct EngineLine
{
    enum class Type { Policy, Route, RoutePassword, Shutdown };
    Type type{};
    policy::PolicySet policy;
    Route route;
    std::size_t length = 0;
};

/// {"type":"setup"|"policy","policy":{…}}, {"type":"route","route":{…}} (see routeFromJson()), {"type":"route-password","length"},
/// {"type":"shutdown"}.
Result<EngineLine> parseEngineLine(std::string_view line);

} // namespace coldframe::dial
