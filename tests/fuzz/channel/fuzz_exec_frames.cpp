// SPDX-License-Identifier: Apache-2.0
#include "channel/exec_frames.h"

#include <algorithm>
#include <cstdlib>

using namespace coldframe::channel;

/// Byte 0 is the size of the pieces. Whatever decodes encodes to the same bytes again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 1) {
        return 0;
    }
    const std::size_t piece = std::size_t{data[0]} + 1;
    std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string_view all = input;
    std::string again;
    ExecFrameDecoder decoder;
    while (!input.empty()) {
        decoder.feed(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        for (;;) {
            const auto frame = decoder.next();
            if (!frame) {
                if (decoder.next()) {
                    std::abort(); // the error sticks
                }
                return 0;
            }
            if (!*frame) {
                break;
            }
            if ((*frame)->payload.size() > kMaxExecPayload) {
                std::abort();
            }
            again += encodeExecFrame((*frame)->type, (*frame)->payload);
            (void)decodeResize((*frame)->payload);
            (void)decodeExit((*frame)->payload);
        }
    }
    if (all.substr(0, again.size()) != again) {
        std::abort();
    }
    return 0;
}
