// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/links.h"

#include "base/file.h"
#include "base/process.h"
#include "guest/agent/names.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace coldframe::guest {

namespace {

/// One rtnetlink request: header, family header, attributes.
class Request
{
public:
    template <typename T> Request(unsigned short type, unsigned short flags, const T& body)
    {
        struct nlmsghdr header
        {
        };
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<unsigned short>(NLM_F_REQUEST | NLM_F_ACK | flags);
        m_bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
        m_bytes.append(reinterpret_cast<const char*>(&body), sizeof body);
        align();
    }
    Request& attribute(unsigned short type, std::string_view data)
    {
        const struct rtattr head
        {
            static_cast<unsigned short>(sizeof(struct rtattr) + data.size()), type
        };
        m_bytes.append(reinterpret_cast<const char*>(&head), sizeof head);
        m_bytes.append(data);
        align();
        return *this;
    }
    Request& number(unsigned short type, std::uint32_t value)
    {
        return attribute(type, {reinterpret_cast<const char*>(&value), sizeof value});
    }
    /// Sends it and waits for the kernel's answer; "exists already" is success.
    Result<void> send(int socket, const char* what)
    {
        const auto size = static_cast<std::uint32_t>(m_bytes.size());
        std::memcpy(m_bytes.data(), &size, sizeof size);
        char reply[8192];
        if (::send(socket, m_bytes.data(), m_bytes.size(), 0) < 0 ||
            ::recv(socket, reply, sizeof reply, 0) < 0) {
            return failErrno(std::string("Cannot set up the network: ") + what + ".", errno);
        }
        struct nlmsgerr error
        {
        };
        std::memcpy(&error, reply + sizeof(struct nlmsghdr), sizeof error);
        if (error.error != 0 && error.error != -EEXIST) {
            return failErrno(std::string("Cannot set up the network: ") + what + ".", -error.error);
        }
        return {};
    }

private:
    void align() { m_bytes.resize((m_bytes.size() + 3) & ~std::size_t{3}); }
    std::string m_bytes;
};

constexpr unsigned short kCreate = NLM_F_CREATE | NLM_F_EXCL;

std::string ip6Bytes(const char* text)
{
    struct in6_addr address
    {
    };
    ::inet_pton(AF_INET6, text, &address);
    return {reinterpret_cast<const char*>(&address), sizeof address};
}

std::string ip4Bytes(std::uint32_t address)
{
    const std::uint32_t network = htonl(address);
    return {reinterpret_cast<const char*>(&network), sizeof network};
}

Result<void> addAddress(int socket, unsigned index, unsigned char family, unsigned char prefix,
                        const std::string& address)
{
    struct ifaddrmsg body
    {
    };
    body.ifa_family = family;
    body.ifa_prefixlen = prefix;
    body.ifa_index = index;
    body.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
    Request request(RTM_NEWADDR, kCreate, body);
    request.attribute(IFA_LOCAL, address).attribute(IFA_ADDRESS, address);
    return request.send(socket, "an address");
}

Result<void> addDefaultRoute(int socket, unsigned index, unsigned char family)
{
    struct rtmsg body
    {
    };
    body.rtm_family = family;
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = RTPROT_BOOT;
    body.rtm_scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    body.rtm_type = RTN_UNICAST;
    Request request(RTM_NEWROUTE, kCreate, body);
    request.number(RTA_OIF, index);
    return request.send(socket, family == AF_INET ? "the IPv4 route" : "the IPv6 route");
}

} // namespace

Result<void> makeLink()
{
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) {
        return failErrno("Cannot set up the network.", errno);
    }
    struct ifinfomsg link
    {
    };
    link.ifi_family = AF_UNSPEC;
    if (::if_nametoindex(kLinkName) == 0) {
        Request request(RTM_NEWLINK, kCreate, link);
        struct rtattr kind
        {
            static_cast<unsigned short>(sizeof(struct rtattr) + 5), IFLA_INFO_KIND
        };
        std::string info(reinterpret_cast<const char*>(&kind), sizeof kind);
        info += "dummy";
        request.attribute(IFLA_IFNAME, std::string_view(kLinkName, std::strlen(kLinkName) + 1));
        request.attribute(IFLA_LINKINFO, info);
        // The same in every sandbox: nothing outside sees it, and a random one would be an id that copies of a template share.
        request.attribute(IFLA_ADDRESS, std::string_view("\x02" "cfcf\x01", 6));
        COLDFRAME_CHECK(request.send(socket.get(), "the interface"));
    }
    const unsigned index = ::if_nametoindex(kLinkName);
    link.ifi_index = static_cast<int>(index);
    link.ifi_flags = IFF_UP;
    link.ifi_change = IFF_UP;
    COLDFRAME_CHECK(Request(RTM_NEWLINK, 0, link).send(socket.get(), "bringing the interface up"));
    COLDFRAME_CHECK(addAddress(socket.get(), index, AF_INET, 15, ip4Bytes(kAgentAddress)));
    COLDFRAME_CHECK(addAddress(socket.get(), index, AF_INET, 15, ip4Bytes(kHostAddress)));
    COLDFRAME_CHECK(addDefaultRoute(socket.get(), index, AF_INET));
    // IPv6 may be compiled out or switched off; then nothing leaves that way either.
    if (addAddress(socket.get(), index, AF_INET6, 64, ip6Bytes("fd63:6f6c:6466::1"))) {
        (void)addDefaultRoute(socket.get(), index, AF_INET6);
    }
    return {};
}

std::string firewallRules(unsigned short tcpPort, unsigned short dnsPort)
{
    const std::string tcp = std::to_string(tcpPort);
    const std::string dns = std::to_string(dnsPort);
    // What the agent itself answers, asked for in any way; then everything that would leave through the link.
    const auto redirects = [&](const std::string& leaving) {
        return "    ip daddr 198.18.0.1 udp dport 53 redirect to :" + dns +
               "\n    ip daddr 198.18.0.1 tcp dport 53 redirect to :" + dns +
               "\n    ip daddr 198.18.0.2 tcp dport != " + std::to_string(kProxyPort) +
               " redirect to :" + tcp + "\n    " + leaving + " udp dport 53 redirect to :" + dns + "\n    " +
               leaving + " tcp dport 53 redirect to :" + dns + "\n    " + leaving +
               " meta l4proto tcp redirect to :" + tcp + "\n";
    };
    // Multicast and link-local chatter is nobody's attempt to leave; it is dropped without a record.
    const std::string refusals = "    oifname != \"cf0\" accept\n"
                                 "    ct status dnat accept\n"
                                 "    ip6 daddr { fe80::/10, ff00::/8 } drop\n"
                                 "    ip daddr { 224.0.0.0/4, 255.255.255.255, 198.19.255.255 } drop\n"
                                 "    limit rate 2000/second burst 500 packets log group " +
                                 std::to_string(kNflogGroup) +
                                 " snaplen 128\n"
                                 "    meta l4proto tcp reject with tcp reset\n"
                                 // ping says of this one that it is filtered, of the next that a port is closed.
                                 "    meta l4proto { icmp, ipv6-icmp } reject with icmpx type admin-prohibited\n"
                                 "    reject with icmpx type port-unreachable\n";
    return "table inet coldframe\n"
           "delete table inet coldframe\n"
           "table inet coldframe {\n"
           "  chain own {\n    type nat hook output priority -110; policy accept;\n" +
           redirects("oifname \"cf0\"") +
           "  }\n"
           "  chain containers {\n    type nat hook prerouting priority -110; policy accept;\n" +
           redirects("fib daddr oifname \"cf0\"") +
           "  }\n"
           "  chain refuse_own {\n    type filter hook output priority 0; policy accept;\n" +
           refusals +
           "  }\n"
           "  chain refuse_containers {\n    type filter hook forward priority -5; policy accept;\n" +
           refusals + "  }\n}\n";
}

Result<void> applyFirewall(const std::string& rules)
{
    ProcessSpec spec;
    spec.arguments = {"/usr/sbin/nft", "-f", "-"};
    spec.standardInput = rules;
    COLDFRAME_TRY(const ProcessResult result, SystemProcessRunner().run(spec));
    if (result.exitCode != 0) {
        return fail(ErrorCode::Unavailable, "The sandbox's network rules cannot be set.",
                    result.standardError);
    }
    return {};
}

} // namespace coldframe::guest
