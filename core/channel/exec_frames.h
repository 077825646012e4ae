// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe::channel {

/// The frames inside an /exec stream and on an attached API connection: type (1 byte), length (4 bytes, big-endian,
/// at most 64 KiB), payload.
enum class ExecFrameType : std::uint8_t {
    Stdin = 0,      ///< to the program (or key bytes on a keys.set attachment)
    Resize = 1,     ///< rows, columns: two big-endian u16, 1…1000 each
    Signal = 2,     ///< one byte: the signal number, to the foreground process group
    StdinEnd = 3,   ///< empty
    Stdout = 16,    ///< PTY output or stdout
    Stderr = 17,
    Exit = 18,      ///< exit code i32, signal i32, both big-endian; the last frame
    Failure = 19,   ///< JSON {"code","message","detail"}: the program was not started; the last frame
};

struct ExecFrame
{
    ExecFrameType type{};
    std::string payload;
};

inline constexpr std::size_t kMaxExecPayload = 64 * 1024;

std::string encodeExecFrame(ExecFrameType type, std::string_view payload);
std::string encodeResize(int rows, int columns);
std::string encodeExit(int exitCode, int signal);

/// Incremental decoder; a frame too long or of unknown type is a Protocol error that sticks.
class ExecFrameDecoder
{
public:
    void feed(std::string_view bytes) { m_buffer.append(bytes); }
    Result<std::optional<ExecFrame>> next();

private:
    std::string m_buffer;
};

} // namespace coldframe::channel
