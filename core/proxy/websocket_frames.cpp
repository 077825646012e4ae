// SPDX-License-Identifier: Apache-2.0
#include "proxy/websocket_frames.h"

#include <algorithm>

namespace coldframe::proxy {

namespace {

/// How long a header is, as far as its first two bytes tell; 2 before they are there.
std::size_t headerSize(std::string_view header)
{
    if (header.size() < 2) {
        return 2;
    }
    const auto second = static_cast<std::uint8_t>(header[1]);
    const std::size_t length = (second & 0x7f) == 126 ? 2 : (second & 0x7f) == 127 ? 8 : 0;
    return 2 + length + ((second & 0x80) != 0 ? 4 : 0);
}

} // namespace

bool WebSocketFrames::takeHeader()
{
    const auto byte = [this](std::size_t at) { return static_cast<std::uint8_t>(m_header[at]); };
    const int opcode = byte(0) & 0x0f;
    m_control = opcode >= 8;
    const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    m_masked = (byte(1) & 0x80) != 0;
    m_left = byte(1) & 0x7f;
    const std::size_t lengthBytes = m_left == 126 ? 2 : m_left == 127 ? 8 : 0;
    if (!known || (m_control && lengthBytes > 0)) {
        return false;
    }
    if (lengthBytes > 0) {
        m_left = 0;
        for (std::size_t i = 0; i < lengthBytes; ++i) {
            m_left = m_left << 8 | byte(2 + i);
        }
    }
    m_maskAt = 0;
    for (std::size_t i = 0; m_masked && i < m_mask.size(); ++i) {
        m_mask[i] = byte(2 + lengthBytes + i);
    }
    m_header.clear();
    return (m_left >> 63) == 0; // RFC 6455, section 5.2: "the most significant bit MUST be 0"
}

bool WebSocketFrames::feed(std::string_view bytes, std::string& data, std::string& control)
{
    while (!bytes.empty()) {
        if (m_left == 0) {
            const std::size_t missing = headerSize(m_header) - m_header.size();
            const std::size_t count = std::min(missing, bytes.size());
            m_header.append(bytes.substr(0, count));
            bytes.remove_prefix(count);
            if (m_header.size() >= 2 && m_header.size() == headerSize(m_header) && !takeHeader()) {
                return false;
            }
            continue;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(m_left, bytes.size()));
        std::string& out = m_control ? control : data;
        const std::size_t from = out.size();
        out.append(bytes.substr(0, count));
        for (std::size_t i = from; m_masked && i < out.size(); ++i) {
            out[i] = static_cast<char>(static_cast<std::uint8_t>(out[i]) ^ m_mask[m_maskAt++ % 4]);
        }
        bytes.remove_prefix(count);
        m_left -= count;
    }
    return true;
}

} // namespace coldframe::proxy
