// SPDX-License-Identifier: Apache-2.0
#include "proxy/buffered_reader.h"

namespace coldframe::proxy {

asio::awaitable<Result<std::size_t>> BufferedReader::fill()
{
    if (m_at > 0) {
        m_data.erase(0, m_at);
        m_at = 0;
    }
    const std::size_t before = m_data.size();
    m_data.resize(before + kReadBytes);
    const std::span<std::uint8_t> space(reinterpret_cast<std::uint8_t*>(m_data.data()) + before, kReadBytes);
    auto count = co_await m_stream->read(space);
    m_data.resize(before + (count ? *count : 0));
    if (m_data.empty()) {
        m_data = std::string(); // an idle connection keeps no buffer
    }
    co_return count;
}

std::string BufferedReader::take()
{
    std::string rest(view());
    m_data = std::string();
    m_at = 0;
    return rest;
}

} // namespace coldframe::proxy
