// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/output_ring.h"

#include <algorithm>

namespace coldframe::guest {

namespace {
constexpr std::size_t kChunkBytes = 16 * 1024;
}

void OutputRing::append(ExecFrameType type, std::string_view data)
{
    while (!data.empty()) {
        if (m_chunks.empty() || m_chunks.back().type != type || m_chunks.back().data.size() >= kChunkBytes) {
            m_chunks.push_back({type, m_end, {}});
        }
        std::string& last = m_chunks.back().data;
        const std::size_t taken = std::min(data.size(), kChunkBytes - last.size());
        last.append(data.substr(0, taken));
        data.remove_prefix(taken);
        m_end += taken;
    }
}

void OutputRing::trim(std::size_t maxBytes)
{
    while (m_end - m_begin > maxBytes) {
        const std::uint64_t surplus = m_end - m_begin - maxBytes;
        Chunk& first = m_chunks.front();
        const std::uint64_t kept = first.begin + first.data.size() - m_begin;
        if (kept <= surplus) {
            m_begin += kept;
            m_chunks.pop_front();
        } else {
            m_begin += surplus;
        }
    }
}

OutputRing::Piece OutputRing::from(std::uint64_t offset, std::size_t maxBytes) const
{
    offset = std::max(offset, m_begin);
    const auto after =
        std::upper_bound(m_chunks.begin(), m_chunks.end(), offset,
                         [](std::uint64_t value, const Chunk& chunk) { return value < chunk.begin; });
    if (offset >= m_end || after == m_chunks.begin()) {
        return {ExecFrameType::Stdout, {}, offset};
    }
    const Chunk& chunk = *std::prev(after);
    const std::string_view data = std::string_view(chunk.data).substr(offset - chunk.begin, maxBytes);
    return {chunk.type, data, offset + data.size()};
}

} // namespace coldframe::guest
