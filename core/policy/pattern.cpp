// SPDX-License-Identifier: Apache-2.0
#include "policy/pattern.h"

#include "base/log.h"

#include <charconv>
#include <cstring>

namespace coldframe::policy {

namespace {

constexpr std::size_t kMaxPattern = 300;

tl::unexpected<Error> invalidPattern(std::string_view text, const std::string& why)
{
    return fail(ErrorCode::InvalidArgument,
                "\"" + escapeForDisplay(text, 100) + "\" is not a network pattern: " + why
                    + ". Examples: example.com, *.example.com, example.com:443, 10.0.0.0/8, localhost:8080, all.");
}

template <typename Number> bool parseNumber(std::string_view text, Number& value)
{
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) {
        return false;
    }
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool isV4Mapped(const IpAddress& address)
{
    for (std::size_t i = 0; i < 10; ++i) {
        if (address[i] != 0) {
            return false;
        }
    }
    return address[10] == 0xff && address[11] == 0xff;
}

/// "address" or "address/length" into `pattern`.
Result<void> parseNetwork(std::string_view whole, std::string_view text, Pattern& pattern)
{
    const auto slash = text.find('/');
    const std::string_view addressText = text.substr(0, slash);
    auto address = parseIp(addressText);
    if (!address) {
        return invalidPattern(whole, "the part before the slash is not an IP address");
    }
    const bool isV4 = addressText.find(':') == std::string_view::npos;
    const unsigned width = isV4 ? 32 : 128;
    unsigned length = width;
    if (slash != std::string_view::npos) {
        if (!parseNumber(text.substr(slash + 1), length) || length > width) {
            return invalidPattern(whole, "the number after the slash must be 0 to " + std::to_string(width));
        }
    }
    pattern.kind = Pattern::Kind::Network;
    pattern.network = *address;
    pattern.prefixLength = length + (128 - width);
    for (unsigned bit = pattern.prefixLength; bit < 128; ++bit) {
        const std::uint8_t mask = static_cast<std::uint8_t>(0x80u >> (bit % 8));
        pattern.network[bit / 8] = static_cast<std::uint8_t>(pattern.network[bit / 8] & ~mask);
    }
    if (pattern.network != *address) {
        return invalidPattern(whole, "it has bits set behind the network; did you mean "
                                         + formatPattern(pattern) + "?");
    }
    return {};
}

/// Splits "rest:port" off a pattern in which a colon can only begin a port.
bool splitPort(std::string_view& text, std::uint16_t& port)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return true;
    }
    if (!parseNumber(text.substr(colon + 1), port) || port == 0) {
        return false;
    }
    text = text.substr(0, colon);
    return true;
}

bool looksLikeIpv4(std::string_view text)
{
    return text.find('/') != std::string_view::npos
           || (!text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos);
}

} // namespace

Result<Pattern> parse(std::string_view text)
{
    const std::string_view whole = text;
    if (text.empty() || text.size() > kMaxPattern) {
        return invalidPattern(whole, text.empty() ? "it is empty" : "it is too long");
    }
    Pattern pattern;
    if (text.front() == '[') {
        const auto close = text.find(']');
        if (close == std::string_view::npos) {
            return invalidPattern(whole, "the bracket is not closed");
        }
        std::string_view rest = text.substr(close + 1);
        if (!rest.empty() && (!splitPort(rest, pattern.port) || !rest.empty())) {
            return invalidPattern(whole, "after the bracket only :PORT may follow, from 1 to 65535");
        }
        const std::string_view inside = text.substr(1, close - 1);
        if (inside.find(':') == std::string_view::npos) {
            return invalidPattern(whole, "only an IPv6 address may stand in brackets");
        }
        COLDFRAME_CHECK(parseNetwork(whole, inside, pattern));
        return pattern;
    }
    const bool severalColons = text.find(':') != text.rfind(':');
    if (severalColons) {
        COLDFRAME_CHECK(parseNetwork(whole, text, pattern));
        return pattern;
    }
    if (!splitPort(text, pattern.port)) {
        return invalidPattern(whole, "the port must be a number from 1 to 65535");
    }
    if (text == "*" || text == "all" || text == "ALL") {
        return pattern;
    }
    // The newer field spelling of "any depth" is accepted for "*.", which means that here.
    for (const std::string_view wildcard : {std::string_view("**."), std::string_view("*.")}) {
        if (text.starts_with(wildcard)) {
            auto host = normaliseHost(text.substr(wildcard.size()));
            if (!host || parseIp(*host)) {
                return invalidPattern(whole, "a domain name must follow \"*.\"");
            }
            pattern.kind = Pattern::Kind::SubDomains;
            pattern.host = std::move(*host);
            return pattern;
        }
    }
    if (looksLikeIpv4(text)) {
        COLDFRAME_CHECK(parseNetwork(whole, text, pattern));
        return pattern;
    }
    if (text.find('*') != std::string_view::npos) {
        return invalidPattern(whole, "a star may only stand alone or as \"*.\" before a domain");
    }
    auto host = normaliseHost(text);
    if (!host) {
        return invalidPattern(whole, host.error().message);
    }
    if (parseIp(*host)) {
        return invalidPattern(whole, "write the address as four decimal numbers");
    }
    pattern.kind = Pattern::Kind::Host;
    pattern.host = std::move(*host);
    return pattern;
}

std::string formatPattern(const Pattern& pattern)
{
    const std::string port = pattern.port ? ":" + std::to_string(pattern.port) : std::string();
    switch (pattern.kind) {
    case Pattern::Kind::All:
        return "all" + port;
    case Pattern::Kind::Host:
        return pattern.host + port;
    case Pattern::Kind::SubDomains:
        return "*." + pattern.host + port;
    case Pattern::Kind::Network:
        break;
    }
    const bool isV4 = pattern.prefixLength >= 96 && isV4Mapped(pattern.network);
    std::string text = formatIp(pattern.network);
    const unsigned length = isV4 ? pattern.prefixLength - 96 : pattern.prefixLength;
    if (length != (isV4 ? 32u : 128u)) {
        text += "/" + std::to_string(length);
    }
    return isV4 ? text + port : (pattern.port ? "[" + text + "]" + port : text);
}

Result<std::string> parsePattern(std::string_view pattern)
{
    COLDFRAME_TRY(const Pattern parsed, parse(pattern));
    return formatPattern(parsed);
}

bool contains(const IpAddress& network, unsigned prefixLength, const IpAddress& address)
{
    const std::size_t bytes = prefixLength / 8;
    if (std::memcmp(network.data(), address.data(), bytes) != 0) {
        return false;
    }
    const unsigned rest = prefixLength % 8;
    if (rest == 0) {
        return true;
    }
    const unsigned mask = 0xff00u >> rest & 0xffu;
    return (network[bytes] & mask) == (address[bytes] & mask);
}

bool matchesName(std::string_view pattern, std::string_view name, std::uint16_t port)
{
    if (pattern.find(':') != pattern.rfind(':')) {
        return false; // IPv6
    }
    std::uint16_t patternPort = 0;
    if (!splitPort(pattern, patternPort) || (patternPort != 0 && patternPort != port)) {
        return false;
    }
    if (pattern == "all") {
        return true;
    }
    if (pattern.starts_with("*.")) {
        const std::string_view suffix = pattern.substr(1);
        return name.size() > suffix.size() && name.ends_with(suffix);
    }
    return pattern == name || (pattern == "localhost" && isLoopbackName(name));
}

bool isLoopbackName(std::string_view name)
{
    return name == "localhost" || name == "host.docker.internal" || name == "gateway.docker.internal";
}

} // namespace coldframe::policy
