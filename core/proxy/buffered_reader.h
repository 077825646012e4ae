// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/byte_stream.h"

#include <memory>
#include <string>
#include <string_view>

namespace coldframe::proxy {

/// A stream with the bytes read from it and not yet consumed. Reads only when asked to, so a peer cannot make it grow: the
/// buffer holds what its user has not taken plus one read.
class BufferedReader
{
public:
    static constexpr std::size_t kReadBytes = 32 * 1024;

    explicit BufferedReader(ByteStreamPtr stream) : m_stream(std::move(stream)) {}

    std::string_view view() const { return std::string_view(m_data.get() + m_at, m_end - m_at); }
    void consume(std::size_t count)
    {
        m_at += count;
        if (m_at == m_end) {
            m_at = 0;
            m_end = 0;
        }
    }
    /// Appends some bytes; 0 = the peer ended its side.
    asio::awaitable<Result<std::size_t>> fill();
    /// Everything not consumed, leaving the reader empty.
    std::string take();
    const ByteStreamPtr& stream() const { return m_stream; }

private:
    /// Space for one read behind what is there; not filled with anything, since a read of a few bytes would pay for all of it.
    void makeRoom();
    void release();

    ByteStreamPtr m_stream;
    std::unique_ptr<char[]> m_data;
    std::size_t m_capacity = 0;
    std::size_t m_at = 0;  ///< the first byte not consumed
    std::size_t m_end = 0; ///< behind the last one read
};
using BufferedReaderPtr = std::shared_ptr<BufferedReader>;

} // namespace coldframe::proxy
