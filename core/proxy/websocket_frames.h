// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace coldframe::proxy {

/// Takes the frames of one direction of a WebSocket apart (RFC 6455, section 5.2), for the sake of what is in them: a text that is
/// spread over frames, or masked, is seen whole. Sans-I/O; the frames themselves go on as they came.
class WebSocketFrames
{
public:
    /// Appends the unmasked payload of data frames to `data`, that of control frames (which may stand between the frames of a
    /// message) to `control`. False when these are no frames; nothing more is to be fed then.
    bool feed(std::string_view bytes, std::string& data, std::string& control);

private:
    bool takeHeader();
    std::string m_header;
    std::array<std::uint8_t, 4> m_mask{};
    std::size_t m_maskAt = 0;
    std::uint64_t m_left = 0;
    bool m_masked = false;
    bool m_control = false;
};

} // namespace coldframe::proxy
