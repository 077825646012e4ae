// SPDX-License-Identifier: Apache-2.0
#include "policy/address_class.h"

#include "policy/pattern.h"

namespace coldframe::policy {

namespace {

struct Range
{
    IpAddress network;
    unsigned prefixLength;
    std::string_view name;
};

constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d)
{
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

constexpr IpAddress v6(std::uint16_t first, std::uint16_t second = 0, std::uint16_t third = 0)
{
    IpAddress address{};
    address[0] = static_cast<std::uint8_t>(first >> 8);
    address[1] = static_cast<std::uint8_t>(first & 0xff);
    address[2] = static_cast<std::uint8_t>(second >> 8);
    address[3] = static_cast<std::uint8_t>(second & 0xff);
    address[4] = static_cast<std::uint8_t>(third >> 8);
    address[5] = static_cast<std::uint8_t>(third & 0xff);
    return address;
}

constexpr IpAddress withTail(IpAddress address, std::uint8_t beforeLast, std::uint8_t last)
{
    address[14] = beforeLast;
    address[15] = last;
    return address;
}

// The first match counts, so the single metadata addresses come before the ranges they lie in.
constexpr Range kRanges[] = {
    {v4(169, 254, 169, 254), 128, "cloud metadata"},
    {v4(169, 254, 170, 2), 128, "cloud metadata"},   // AWS ECS task credentials
    {v4(169, 254, 170, 23), 128, "cloud metadata"},  // AWS EKS pod identity
    {v4(100, 100, 100, 200), 128, "cloud metadata"}, // Alibaba
    {v4(168, 63, 129, 16), 128, "cloud metadata"},   // Azure, a public address that answers only inside
    {v4(192, 0, 0, 192), 128, "cloud metadata"},     // Oracle
    {withTail(v6(0xfd00, 0x0ec2), 0x02, 0x54), 128, "cloud metadata"},
    {withTail(v6(0xfd20, 0x00ce), 0x02, 0x54), 128, "cloud metadata"}, // Google
    {v4(0, 0, 0, 0), 104, "unspecified"},
    {v4(10, 0, 0, 0), 104, "private"},
    {v4(100, 64, 0, 0), 106, "carrier-grade NAT"},
    {v4(127, 0, 0, 0), 104, "loopback"},
    {v4(169, 254, 0, 0), 112, "link-local"},
    {v4(172, 16, 0, 0), 108, "private"},
    {v4(192, 0, 0, 0), 120, "reserved"},
    {v4(192, 88, 99, 0), 120, "6to4 relay"},
    {v4(192, 168, 0, 0), 112, "private"},
    {v4(198, 18, 0, 0), 111, "benchmarking"},
    {v4(224, 0, 0, 0), 100, "multicast"},
    {v4(240, 0, 0, 0), 100, "reserved"},
    {withTail(IpAddress{}, 0, 1), 128, "loopback"},
    {IpAddress{}, 128, "unspecified"},
    {IpAddress{}, 96, "IPv4-compatible"},
    {IpAddress{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96, "IPv4-translated"},
    {v6(0x0064, 0xff9b, 0x0001), 48, "local-use NAT64"},
    {v6(0x2001, 0x0000), 32, "Teredo"},
    {v6(0x2001, 0x0002, 0x0000), 48, "benchmarking"},
    {v6(0x2001, 0x0000), 23, "reserved"}, // IETF protocol assignments, ORCHID
    {v6(0x2002), 16, "6to4"},
    {v6(0xfc00), 7, "private"},
    {v6(0xfe80), 10, "link-local"},
    {v6(0xfec0), 10, "site-local"},
    {v6(0xff00), 8, "multicast"},
};

constexpr IpAddress kNat64 = v6(0x0064, 0xff9b);
constexpr IpAddress kMapped = v4(0, 0, 0, 0);
constexpr unsigned kReservedPrefix = 8;

bool isIsatap(const IpAddress& address)
{
    return (address[8] & 0xfd) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

IpAddress ipv4At(const IpAddress& address, std::size_t offset, std::uint8_t mask = 0)
{
    IpAddress result = kMapped;
    for (std::size_t i = 0; i < 4; ++i) {
        result[12 + i] = address[offset + i] ^ mask;
    }
    return result;
}

} // namespace

AddressClass classify(const IpAddress& address)
{
    for (const Range& range : kRanges) {
        if (contains(range.network, range.prefixLength, address)) {
            return {false, range.name, range.prefixLength};
        }
    }
    if (contains(kMapped, 96, address)) {
        return {};
    }
    if (contains(kNat64, 96, address)) {
        // RFC 6052 3.1: the prefix must not carry a non-global IPv4 address, so what is inside decides.
        const AddressClass inner = classify(ipv4At(address, 12));
        return inner.isPublic ? inner : AddressClass{false, inner.name, 128};
    }
    if (isIsatap(address)) {
        return {false, "ISATAP", 128};
    }
    if (!contains(v6(0x2000), 3, address)) {
        return {false, "reserved", kReservedPrefix}; // only 2000::/3 is global unicast
    }
    return {};
}

std::optional<IpAddress> embeddedIpv4(const IpAddress& address)
{
    if (contains(kMapped, 96, address)) {
        return std::nullopt; // it is one
    }
    if (contains(v6(0x2002), 16, address)) {
        return ipv4At(address, 2);
    }
    if (contains(v6(0x2001, 0x0000), 32, address)) {
        return ipv4At(address, 12, 0xff); // RFC 4380 4: the client's address, inverted
    }
    const IpAddress translated{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
    if (contains(kNat64, 96, address) || contains(v6(0x0064, 0xff9b, 0x0001), 48, address)
        || contains(IpAddress{}, 96, address) || contains(translated, 96, address) || isIsatap(address)) {
        return ipv4At(address, 12);
    }
    return std::nullopt;
}

bool isLoopback(const IpAddress& address)
{
    return contains(v4(127, 0, 0, 0), 104, address) || address == withTail(IpAddress{}, 0, 1);
}

} // namespace coldframe::policy
