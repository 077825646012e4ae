// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exec_frames.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace coldframe::guest {

/// The last output of a program, as frames-to-be. Offsets count all bytes ever appended, so a reader that
/// fell behind what is kept sees it by `begin()`. Not thread-safe.
class OutputRing
{
public:
    struct Piece
    {
        ExecFrameType type{};
        std::string_view data; ///< valid until the next append or trim
        std::uint64_t end = 0; ///< offset after it
    };

    void append(ExecFrameType type, std::string_view data);
    /// Drops whole bytes from the front until at most maxBytes are kept.
    void trim(std::size_t maxBytes);
    std::uint64_t begin() const { return m_begin; }
    std::uint64_t end() const { return m_end; }
    /// What follows `offset` (moved up to begin() when older), at most maxBytes; empty data when there is
    /// none.
    Piece from(std::uint64_t offset, std::size_t maxBytes) const;

private:
    struct Chunk
    {
        ExecFrameType type;
        std::uint64_t begin;
        std::string data;
    };
    std::deque<Chunk> m_chunks;
    std::uint64_t m_begin = 0;
    std::uint64_t m_end = 0;
};

} // namespace coldframe::guest
