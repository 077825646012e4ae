// SPDX-License-Identifier: Apache-2.0
#include "channel/record_layer.h"

#include <cstdlib>

using namespace coldframe::channel;

/// Byte 0 picks the side, byte 1 the size of the pieces; the rest arrives.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2) {
        return 0;
    }
    const Side side = (data[0] & 1) != 0 ? Side::Guest : Side::Host;
    const std::size_t piece = std::size_t{data[1]} + 1;
    RecordLayer layer(side);
    SessionId session{};
    session.fill(1);
    if (side == Side::Host) {
        layer.begin(session);
    }
    std::span<const std::uint8_t> rest(data + 2, size - 2);
    bool inSession = false;
    while (!rest.empty()) {
        const auto part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        layer.feed(part);
        while (const auto event = layer.next()) {
            switch (event->kind) {
            case RecordEvent::Kind::SessionStarted:
                inSession = true;
                layer.sendData("greeting");
                break;
            case RecordEvent::Kind::SessionEnded:
                if (!inSession) {
                    std::abort(); // an end without a beginning
                }
                inSession = false;
                break;
            case RecordEvent::Kind::Data:
                if (!inSession || event->data.empty() || event->data.size() > kMaxRecordPayload) {
                    std::abort();
                }
                break;
            }
        }
        layer.consumeOutput(layer.output().size() / 2);
        if (layer.output().size() > 512 * 1024) {
            std::abort(); // answers without end to a peer that does not read
        }
    }
    return 0;
}
