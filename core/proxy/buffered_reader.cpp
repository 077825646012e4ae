// SPDX-License-Identifier: Apache-2.0
#include "proxy/buffered_reader.h"

#include <cstring>
#include <utility>

namespace coldframe::proxy {

void BufferedReader::makeRoom()
{
    const std::size_t size = m_end - m_at;
    if (m_capacity - size < kReadBytes) {
        const std::size_t capacity = std::max(m_capacity * 2, size + kReadBytes);
        auto data = std::make_unique_for_overwrite<char[]>(capacity);
        if (size > 0) {
            std::memcpy(data.get(), m_data.get() + m_at, size);
        }
        m_data = std::move(data);
        m_capacity = capacity;
    } else if (m_at > 0) {
        std::memmove(m_data.get(), m_data.get() + m_at, size);
    }
    m_at = 0;
    m_end = size;
}

asio::awaitable<Result<std::size_t>> BufferedReader::fill()
{
    makeRoom();
    const std::span<std::uint8_t> space(reinterpret_cast<std::uint8_t*>(m_data.get()) + m_end, kReadBytes);
    auto count = co_await m_stream->read(space);
    m_end += count ? *count : 0;
    if (m_end == 0) {
        release(); // an idle connection keeps no buffer
    }
    co_return count;
}

std::string BufferedReader::take()
{
    std::string rest(view());
    release();
    return rest;
}

void BufferedReader::release()
{
    m_data.reset();
    m_capacity = 0;
    m_at = 0;
    m_end = 0;
}

} // namespace coldframe::proxy
