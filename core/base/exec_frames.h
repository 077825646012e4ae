// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe {

/// The frames inside an /exec stream and on an attached API connection: type (1 byte), length (4 bytes, big-endian,
/// at most 64 KiB), payload. Both ends may be hostile to the other: everything is bounded.
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

struct ExecResize
{
    int rows = 24;
    int columns = 80;
};

struct ExecExit
{
    int exitCode = 0; ///< the program's own; meaningless when signal is not 0
    int signal = 0;   ///< the signal that ended the program, 0 when it exited
};

inline constexpr std::size_t kExecHeaderSize = 5;
inline constexpr std::size_t kMaxExecPayload = 64 * 1024;
inline constexpr int kMaxTerminalSide = 1000; ///< rows or columns

/// One frame's bytes. A payload over kMaxExecPayload is cut into several frames of the same type.
std::string encodeExecFrame(ExecFrameType type, std::string_view payload);
/// Rows and columns are clamped to 1…kMaxTerminalSide.
std::string encodeResize(int rows, int columns);
std::string encodeExit(int exitCode, int signal);

/// The payloads of Resize and Exit; Protocol when the length or a range is wrong.
Result<ExecResize> decodeResize(std::string_view payload);
Result<ExecExit> decodeExit(std::string_view payload);

/// Incremental decoder; a frame too long or of unknown type is a Protocol error that sticks. Holds at most
/// what was fed and not yet taken: feed what one read gave, then take until nothing comes.
class ExecFrameDecoder
{
public:
    void feed(std::string_view bytes) { m_buffer.append(bytes); }
    Result<std::optional<ExecFrame>> next();

private:
    std::string m_buffer;
    std::size_t m_taken = 0; ///< bytes at the front of m_buffer already given out
    bool m_failed = false;
};

} // namespace coldframe
