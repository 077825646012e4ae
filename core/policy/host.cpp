// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include "base/log.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>

namespace coldframe::policy {

namespace {

constexpr std::size_t kMaxName = 253;  // RFC 1035 3.1, without the root's dot
constexpr std::size_t kMaxLabel = 63;

bool isDigit(char c)
{
    return c >= '0' && c <= '9';
}

bool isHexDigit(char c)
{
    return isDigit(c) || (c >= 'a' && c <= 'f');
}

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

tl::unexpected<Error> invalidHost(std::string_view host, const std::string& why)
{
    return fail(ErrorCode::InvalidArgument,
                "\"" + escapeForDisplay(host, 100) + "\" is not a usable host name: " + why + ".");
}

/// The URL standard's "ends in a number": such a name would be read as an IPv4 address by some client.
bool endsInNumber(std::string_view name)
{
    const auto dot = name.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
    if (std::all_of(last.begin(), last.end(), isDigit)) {
        return true;
    }
    return last.size() >= 2 && last[0] == '0' && last[1] == 'x'
           && std::all_of(last.begin() + 2, last.end(), isHexDigit);
}

bool isV4(const IpAddress& address)
{
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(address.data(), kMapped, sizeof kMapped) == 0;
}

} // namespace

Result<IpAddress> parseIp(std::string_view text)
{
    IpAddress address{};
    if (text.size() < INET6_ADDRSTRLEN) {
        char buffer[INET6_ADDRSTRLEN + 1] = {};
        std::memcpy(buffer, text.data(), text.size());
        // An embedded NUL would make inet_pton see less than the caller does.
        if (std::strlen(buffer) == text.size()) {
            if (::inet_pton(AF_INET6, buffer, address.data()) == 1) {
                return address;
            }
            address[10] = address[11] = 0xff;
            if (::inet_pton(AF_INET, buffer, address.data() + 12) == 1) {
                return address;
            }
        }
    }
    return fail(ErrorCode::InvalidArgument,
                "\"" + escapeForDisplay(text, 100) + "\" is not an IPv4 or IPv6 address.");
}

std::string formatIp(const IpAddress& address)
{
    char buffer[INET6_ADDRSTRLEN] = {};
    if (isV4(address)) {
        ::inet_ntop(AF_INET, address.data() + 12, buffer, sizeof buffer);
    } else {
        ::inet_ntop(AF_INET6, address.data(), buffer, sizeof buffer);
    }
    return buffer;
}

Result<std::string> normaliseHost(std::string_view host)
{
    if (host.empty()) {
        return invalidHost(host, "it is empty");
    }
    if (host.size() > kMaxName + 1) {
        return invalidHost(host, "it is longer than 253 characters");
    }
    if (host.front() == '[') {
        if (host.back() != ']') {
            return invalidHost(host, "the bracket is not closed");
        }
        const auto address = parseIp(host.substr(1, host.size() - 2));
        if (!address || host.find(':') == std::string_view::npos) {
            return invalidHost(host, "only an IPv6 address may stand in brackets, without a zone");
        }
        return formatIp(*address);
    }
    if (host.find(':') != std::string_view::npos) {
        const auto address = parseIp(host);
        if (!address) {
            return invalidHost(host, "it contains a colon but is not an IPv6 address");
        }
        return formatIp(*address);
    }

    std::string name(host);
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (name.size() > 1 && name.back() == '.') {
        name.pop_back();
    }
    if (name.size() > kMaxName) {
        return invalidHost(host, "it is longer than 253 characters");
    }
    std::size_t start = 0;
    while (start <= name.size()) {
        const std::size_t end = std::min(name.find('.', start), name.size());
        const std::string_view label = std::string_view(name).substr(start, end - start);
        if (label.empty()) {
            return invalidHost(host, "it has an empty label");
        }
        if (label.size() > kMaxLabel) {
            return invalidHost(host, "a label is longer than 63 characters");
        }
        if (label.front() == '-' || label.back() == '-') {
            return invalidHost(host, "a label begins or ends with a hyphen");
        }
        for (const char c : label) {
            if (static_cast<unsigned char>(c) >= 0x80) {
                return invalidHost(host, "write an international name in its xn-- form");
            }
            if (!isDigit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
                return invalidHost(host, "only letters, digits, hyphens and dots are allowed");
            }
        }
        if (label == "xn--") {
            return invalidHost(host, "the xn-- label is empty");
        }
        start = end + 1;
    }
    if (endsInNumber(name)) {
        const auto address = parseIp(name);
        if (!address) {
            return invalidHost(host, "an IPv4 address is written as four decimal numbers, like 192.0.2.1");
        }
        return formatIp(*address);
    }
    return name;
}

} // namespace coldframe::policy
