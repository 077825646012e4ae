// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/names.h"
#include "guest/agent/refusals.h"

#include <cstdint>
#include <cstdlib>

/// Any program of the sandbox can send these bytes to the name service, and choose what a logged packet
/// holds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace coldframe::guest;
    const std::string_view packet(reinterpret_cast<const char*>(data), size);
    const auto reply = answerQuery(packet, [](const std::string& name) {
        return mayExist(name) ? DnsReply{DnsReply::Kind::Address, 0xC6120010} : DnsReply{};
    });
    // A reply is a reply, to the same id, and no amplifier.
    if (reply && (reply->size() < 12 || reply->size() > size + 16 ||
                  (static_cast<unsigned char>((*reply)[2]) & 0x80) == 0 ||
                  reply->substr(0, 2) != packet.substr(0, 2))) {
        std::abort();
    }
    for (const RefusedPacket& refused : parseNflog(packet)) {
        if (refused.host.size() > 45 || refused.port > 65535) {
            std::abort();
        }
    }
    return 0;
}
