// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_message.h"

#include <cstdint>
#include <string>

namespace coldframe::proxy {

/// What one CONNECT stream is for. Policy, key, upstream and log line all come from this one value; a request on the
/// stream that names anything else is refused.
struct Identity
{
    std::string host; ///< normalised name, or an IP literal without brackets
    std::uint16_t port = 0;
    bool isLiteral = false;
    std::string source = "process"; ///< "process" | "container"
    std::string kind = "name";      ///< "name" | "literal" | "proxy"
    std::string process;            ///< the program inside, by the guest's own word; for the record alone
};

/// Splits and normalises "name:port" or "[v6]:port".
HttpResult<Identity> parseAuthority(std::string_view authority);
/// host[:port] as a URI's authority; the port is left out where it is the scheme's default.
std::string formatAuthority(const Identity& identity, bool secure);

/// A request's path in the form that policy and server both see: unreserved characters decoded, no dot segments.
struct RequestTarget
{
    std::string path;         ///< starts with "/" (or is "*")
    std::string query;        ///< with its "?" or empty
    std::string strictPath;   ///< path as a lenient server might read it: %2f decoded, slashes merged; equal to path mostly
    bool absoluteForm = false;

    std::string pathAndQuery() const { return path + query; }
};

/// RFC 9112, section 3.2: exactly one Host field, naming the identity (421 otherwise); an absolute-form target must name it
/// too, with the scheme in use. CONNECT and TRACE are refused (405). Dot segments, also encoded ones, are refused (400).
HttpResult<RequestTarget> checkIdentity(const Identity& identity, bool secure, const RequestHead& request);

} // namespace coldframe::proxy
