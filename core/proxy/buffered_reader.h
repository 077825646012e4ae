// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/byte_stream.h"

#include <string>

namespace coldframe::proxy {

/// A stream with the bytes read from it and not yet consumed. Reads only when asked to, so a peer cannot make it grow: the
/// buffer holds what its user has not taken plus one read.
class BufferedReader
{
public:
    static constexpr std::size_t kReadBytes = 32 * 1024;

    explicit BufferedReader(ByteStreamPtr stream) : m_stream(std::move(stream)) {}

    std::string_view view() const { return std::string_view(m_data).substr(m_at); }
    void consume(std::size_t count)
    {
        m_at += count;
        if (m_at == m_data.size()) {
            m_data.clear();
            m_at = 0;
        }
    }
    /// Appends some bytes; 0 = the peer ended its side.
    asio::awaitable<Result<std::size_t>> fill();
    /// Everything not consumed, leaving the reader empty.
    std::string take();
    const ByteStreamPtr& stream() const { return m_stream; }

private:
    ByteStreamPtr m_stream;
    std::string m_data;
    std::size_t m_at = 0;
};
using BufferedReaderPtr = std::shared_ptr<BufferedReader>;

} // namespace coldframe::proxy
