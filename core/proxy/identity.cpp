// SPDX-License-Identifier: Apache-2.0
#include "proxy/identity.h"

#include "base/percent_coding.h"
#include "policy/policy.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace coldframe::proxy {

namespace {

tl::unexpected<HttpError> refuse(int status, std::string reason)
{
    return tl::unexpected(HttpError{status, std::move(reason)});
}

struct HostAndPort
{
    std::string host;
    std::optional<std::uint16_t> port;
    bool isLiteral = false;
};

HttpResult<HostAndPort> splitAuthority(std::string_view authority)
{
    if (authority.find('@') != std::string_view::npos) {
        return refuse(400, "User information in an address is not accepted.");
    }
    std::string_view host = authority;
    std::string_view port;
    bool hasPort = false;
    if (!authority.empty() && authority.front() == '[') {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos) {
            return refuse(400, "An IPv6 address has no closing bracket.");
        }
        host = authority.substr(1, close - 1);
        const std::string_view rest = authority.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') {
            return refuse(400, "An address is malformed.");
        }
        hasPort = !rest.empty();
        port = hasPort ? rest.substr(1) : rest;
        if (host.find(':') == std::string_view::npos) {
            return refuse(400, "Brackets enclose something that is no IPv6 address.");
        }
    } else if (const std::size_t colon = authority.rfind(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        port = authority.substr(colon + 1);
        hasPort = true;
        if (host.find(':') != std::string_view::npos) {
            return refuse(400, "An IPv6 address needs brackets.");
        }
    }
    HostAndPort result;
    if (hasPort) {
        std::uint16_t number = 0;
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
        if (error != std::errc() || end != port.data() + port.size() || number == 0 || port.front() == '0') {
            return refuse(400, "A port is not a number from 1 to 65535.");
        }
        result.port = number;
    }
    if (auto address = policy::parseIp(host)) {
        result.host = policy::formatIp(*address);
        result.isLiteral = true;
        return result;
    }
    Result<std::string> name = policy::normaliseHost(host);
    if (!name) {
        return refuse(400, "The host name is not valid: " + name.error().message);
    }
    result.host = std::move(*name);
    return result;
}

bool isUnreserved(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~';
}

// RFC 3986, section 6.2.2.2: unreserved characters mean the same encoded or not. Everything else stays as it came.
HttpResult<std::string> decodeUnreserved(std::string_view path)
{
    std::string result;
    result.reserve(path.size());
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] != '%') {
            result.push_back(path[i]);
            continue;
        }
        const auto escaped = percentEscapeAt(path, i);
        if (!escaped) {
            return refuse(400, "The path has a percent sign that encodes nothing.");
        }
        if (*escaped == 0) {
            return refuse(400, "The path has an encoded NUL.");
        }
        if (isUnreserved(*escaped)) {
            result.push_back(static_cast<char>(*escaped));
        } else {
            result.append(path.substr(i, 3));
        }
        i += 2;
    }
    return result;
}

// The reading of a lenient server: encoded slashes and backslashes separate, empty segments vanish.
std::string lenientPath(std::string_view path)
{
    std::string result;
    for (std::size_t i = 0; i < path.size(); ++i) {
        char c = path[i];
        if (const auto escaped = percentEscapeAt(path, i); escaped && (*escaped == '/' || *escaped == '\\')) {
            c = '/';
            i += 2;
        }
        if (c == '/' && !result.empty() && result.back() == '/') {
            continue;
        }
        result.push_back(c);
    }
    return result;
}

bool hasDotSegment(std::string_view path)
{
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        std::string_view segment = path.substr(0, slash);
        // Some servers cut path parameters off a segment before they resolve dots.
        segment = segment.substr(0, segment.find(';'));
        if (segment == "." || segment == "..") {
            return true;
        }
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
    return false;
}

bool names(const HostAndPort& other, const Identity& identity, std::uint16_t defaultPort, bool portMayBeLeftOut)
{
    if (other.host != identity.host) {
        return false;
    }
    if (!other.port) {
        return portMayBeLeftOut || identity.port == defaultPort;
    }
    return *other.port == identity.port;
}

} // namespace

HttpResult<Identity> parseAuthority(std::string_view authority)
{
    HttpResult<HostAndPort> parts = splitAuthority(authority);
    if (!parts) {
        return tl::unexpected(parts.error());
    }
    if (!parts->port) {
        return refuse(400, "The address has no port.");
    }
    Identity identity;
    identity.host = std::move(parts->host);
    identity.port = *parts->port;
    identity.isLiteral = parts->isLiteral;
    return identity;
}

std::string formatAuthority(const Identity& identity, bool secure)
{
    std::string result = identity.host.find(':') != std::string::npos ? "[" + identity.host + "]" : identity.host;
    if (identity.port != (secure ? 443 : 80)) {
        result += ":" + std::to_string(identity.port);
    }
    return result;
}

HttpResult<RequestTarget> checkIdentity(const Identity& identity, bool secure, const RequestHead& request)
{
    if (request.method == "CONNECT" || request.method == "TRACE") {
        return refuse(405, "The method " + request.method + " is not passed on.");
    }
    const std::uint16_t defaultPort = secure ? 443 : 80;
    const std::string* hostField = request.headers.find("host");
    if (!hostField || request.headers.count("host") != 1) {
        return refuse(400, "A request needs exactly one Host field.");
    }
    const HttpResult<HostAndPort> host = splitAuthority(*hostField);
    if (!host) {
        return tl::unexpected(host.error());
    }
    // Clients of services on unusual ports often leave the port out of Host; the name must be right in any case.
    if (!names(*host, identity, defaultPort, true)) {
        return refuse(421, "The Host field names another destination than the connection.");
    }
    RequestTarget target;
    std::string_view rest = request.target;
    if (rest == "*") {
        if (request.method != "OPTIONS") {
            return refuse(400, "The target \"*\" is for OPTIONS alone.");
        }
        target.path = "*";
        target.strictPath = "*";
        return target;
    }
    if (rest.front() != '/') {
        const std::string_view scheme = secure ? "https://" : "http://";
        if (rest.size() <= scheme.size() || !equalsIgnoringCase(rest.substr(0, scheme.size()), scheme)) {
            return refuse(400, "The request target has a form or scheme that does not fit this connection.");
        }
        rest.remove_prefix(scheme.size());
        const std::size_t end = rest.find_first_of("/?");
        const HttpResult<HostAndPort> authority = splitAuthority(rest.substr(0, end));
        if (!authority) {
            return tl::unexpected(authority.error());
        }
        if (!names(*authority, identity, defaultPort, false)) {
            return refuse(421, "The request target names another destination than the connection.");
        }
        rest = end == std::string_view::npos ? std::string_view("/") : rest.substr(end);
        target.absoluteForm = true;
    }
    const std::size_t question = rest.find('?');
    HttpResult<std::string> path = decodeUnreserved(rest.substr(0, question));
    if (!path) {
        return tl::unexpected(path.error());
    }
    target.path = path->empty() ? "/" : std::move(*path);
    target.query = question == std::string_view::npos ? std::string() : std::string(rest.substr(question));
    target.strictPath = lenientPath(target.path);
    if (hasDotSegment(target.path) || hasDotSegment(target.strictPath)) {
        return refuse(400, "The path has \".\" or \"..\" segments.");
    }
    return target;
}

} // namespace coldframe::proxy
