// SPDX-License-Identifier: Apache-2.0
#include "base/exec_frames.h"

#include <algorithm>

namespace coldframe {

namespace {

void appendBigEndian(std::string& out, std::uint32_t value, int bytes)
{
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((value >> shift) & 0xFFu));
    }
}

std::uint32_t readBigEndian(std::string_view bytes)
{
    std::uint32_t value = 0;
    for (const char byte : bytes) {
        value = (value << 8) | static_cast<unsigned char>(byte);
    }
    return value;
}

bool isKnown(std::uint8_t type) { return type <= 3 || (type >= 16 && type <= 19); }

} // namespace

std::string encodeExecFrame(ExecFrameType type, std::string_view payload)
{
    std::string out;
    out.reserve(payload.size() + kExecHeaderSize);
    do {
        const std::string_view part = payload.substr(0, kMaxExecPayload);
        out.push_back(static_cast<char>(type));
        appendBigEndian(out, static_cast<std::uint32_t>(part.size()), 4);
        out.append(part);
        payload.remove_prefix(part.size());
    } while (!payload.empty());
    return out;
}

std::string encodeResize(int rows, int columns)
{
    std::string payload;
    appendBigEndian(payload, static_cast<std::uint32_t>(std::clamp(rows, 1, kMaxTerminalSide)), 2);
    appendBigEndian(payload, static_cast<std::uint32_t>(std::clamp(columns, 1, kMaxTerminalSide)), 2);
    return encodeExecFrame(ExecFrameType::Resize, payload);
}

std::string encodeExit(int exitCode, int signal)
{
    std::string payload;
    appendBigEndian(payload, static_cast<std::uint32_t>(exitCode), 4);
    appendBigEndian(payload, static_cast<std::uint32_t>(signal), 4);
    return encodeExecFrame(ExecFrameType::Exit, payload);
}

Result<ExecResize> decodeResize(std::string_view payload)
{
    if (payload.size() != 4) {
        return fail(ErrorCode::Protocol, "A resize frame has the wrong length.");
    }
    const int rows = static_cast<int>(readBigEndian(payload.substr(0, 2)));
    const int columns = static_cast<int>(readBigEndian(payload.substr(2, 2)));
    if (rows < 1 || rows > kMaxTerminalSide || columns < 1 || columns > kMaxTerminalSide) {
        return fail(ErrorCode::Protocol, "A resize frame asks for an impossible terminal size.");
    }
    return ExecResize{rows, columns};
}

Result<ExecExit> decodeExit(std::string_view payload)
{
    if (payload.size() != 8) {
        return fail(ErrorCode::Protocol, "An exit frame has the wrong length.");
    }
    return ExecExit{static_cast<int>(readBigEndian(payload.substr(0, 4))),
                    static_cast<int>(readBigEndian(payload.substr(4, 4)))};
}

Result<std::optional<ExecFrame>> ExecFrameDecoder::next()
{
    // What was taken is dropped in one go, so that many small frames in one read cost no repeated moves.
    const auto dropTaken = [this] {
        m_buffer.erase(0, m_taken);
        m_taken = 0;
    };
    const std::string_view rest = std::string_view(m_buffer).substr(m_taken);
    if (!m_failed && !rest.empty() && !isKnown(static_cast<std::uint8_t>(rest[0]))) {
        m_failed = true;
    }
    if (!m_failed && rest.size() >= kExecHeaderSize && readBigEndian(rest.substr(1, 4)) > kMaxExecPayload) {
        m_failed = true;
    }
    if (m_failed) {
        m_buffer.clear();
        m_taken = 0;
        return fail(ErrorCode::Protocol, "The other end of the terminal stream sent something that is no frame.");
    }
    if (rest.size() < kExecHeaderSize) {
        dropTaken();
        return std::optional<ExecFrame>{};
    }
    const std::size_t length = readBigEndian(rest.substr(1, 4));
    if (rest.size() < kExecHeaderSize + length) {
        dropTaken();
        return std::optional<ExecFrame>{};
    }
    ExecFrame frame{static_cast<ExecFrameType>(static_cast<std::uint8_t>(rest[0])),
                    std::string(rest.substr(kExecHeaderSize, length))};
    m_taken += kExecHeaderSize + length;
    if (m_taken == m_buffer.size()) {
        dropTaken();
    }
    return std::optional<ExecFrame>(std::move(frame));
}

} // namespace coldframe
