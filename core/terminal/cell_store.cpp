// SPDX-License-Identifier: Apache-2.0
#include "terminal/cell_store.h"

#include <algorithm>

namespace coldframe::terminal {

std::uint32_t Clusters::add(std::u32string_view cluster)
{
    if (!m_free.empty()) {
        const std::uint32_t number = m_free.back();
        m_free.pop_back();
        m_clusters[number] = cluster;
        return number;
    }
    if (m_clusters.size() > Cell::kCharacterMask) {
        return kNone;
    }
    m_clusters.emplace_back(cluster);
    return static_cast<std::uint32_t>(m_clusters.size() - 1);
}

void Clusters::endCollecting()
{
    m_free.clear();
    for (std::size_t i = m_clusters.size(); i-- > 0;) {
        if (!m_isUsed[i]) {
            m_clusters[i] = std::u32string();
            m_free.push_back(static_cast<std::uint32_t>(i));
        }
    }
    const std::size_t used = m_clusters.size() - m_free.size();
    m_limit = std::max<std::size_t>(1024, 2 * used);
}

std::uint64_t Extras::key(Color c, std::uint32_t linkId)
{
    const auto packed = (static_cast<std::uint64_t>(c.kind) << 24) | (static_cast<std::uint64_t>(c.red) << 16) |
                        (static_cast<std::uint64_t>(c.green) << 8) | c.blue;
    return (packed << 32) | linkId;
}

std::uint16_t Extras::number(Color underlineColor, std::uint32_t linkId, std::string_view target)
{
    if (underlineColor == Color{} && linkId == 0) {
        return 0;
    }
    const std::uint64_t wanted = key(underlineColor, linkId);
    if (const auto found = m_numbers.find(wanted); found != m_numbers.end()) {
        return found->second;
    }
    std::uint16_t number = 0;
    if (m_bytes >= kMaxBytes) {
        return 0;
    }
    if (!m_free.empty()) {
        number = m_free.back();
        m_free.pop_back();
    } else if (m_extras.size() < kMaxNumbers) {
        number = static_cast<std::uint16_t>(m_extras.size());
        m_extras.emplace_back();
    } else {
        return 0;
    }
    m_extras[number] = {underlineColor, linkId, std::string(target.substr(0, kMaxTarget))};
    m_bytes += m_extras[number].target.size();
    m_numbers.emplace(wanted, number);
    return number;
}

void Extras::endCollecting()
{
    m_free.clear();
    for (std::size_t i = m_extras.size(); i-- > 1;) {
        if (m_isUsed[i]) {
            continue;
        }
        const auto found = m_numbers.find(key(m_extras[i].underlineColor, m_extras[i].linkId));
        if (found != m_numbers.end() && found->second == i) {
            m_numbers.erase(found);
        }
        m_bytes -= m_extras[i].target.size();
        m_extras[i] = Extra{};
        m_free.push_back(static_cast<std::uint16_t>(i));
    }
    m_limit = std::clamp<std::size_t>(2 * (m_extras.size() - m_free.size()), 256, kMaxNumbers);
}

} // namespace coldframe::terminal
