// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coldframe::terminal {

/// The grapheme clusters of more than one code point that cells refer to. A cluster is never changed: a longer one gets another
/// number. What no cell refers to any more is collected when the store has doubled.
class Clusters
{
public:
    static constexpr std::size_t kMaxCodePoints = 16; ///< of one cluster; more marks are dropped

    std::u32string_view at(std::uint32_t number) const
    {
        return number < m_clusters.size() ? std::u32string_view(m_clusters[number]) : std::u32string_view{};
    }
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    std::uint32_t add(std::u32string_view cluster); ///< kNone when all numbers are in use
    std::size_t size() const { return m_clusters.size(); }
    bool isFull() const { return m_free.empty() && m_clusters.size() >= m_limit; }

    void beginCollecting() { m_isUsed.assign(m_clusters.size(), false); }
    void mark(std::uint32_t number)
    {
        if (number < m_isUsed.size()) {
            m_isUsed[number] = true;
        }
    }
    void endCollecting();

private:
    std::vector<std::u32string> m_clusters;
    std::vector<std::uint32_t> m_free;
    std::vector<bool> m_isUsed;
    std::size_t m_limit = 1024;
};

/// What few cells have: the colour of an underline and a link's target. Numbers are 16 bits; 0 is "neither". When all are in use
/// the newest links stay plain text.
class Extras
{
public:
    static constexpr std::size_t kMaxTarget = 2083;         ///< bytes of a link's target, as VTE's and kitty's limit
    static constexpr std::size_t kMaxBytes = 8 * 1024 * 1024; ///< of all targets together

    struct Extra
    {
        Color underlineColor;
        std::uint32_t linkId = 0;
        std::string target;
    };

    const Extra& at(std::uint16_t number) const { return number < m_extras.size() ? m_extras[number] : m_extras[0]; }
    /// The number of this combination; 0 when nothing is asked or the store is full.
    std::uint16_t number(Color underlineColor, std::uint32_t linkId, std::string_view target);
    bool isFull() const { return (m_free.empty() && m_extras.size() >= m_limit) || m_bytes >= kMaxBytes; }

    void beginCollecting() { m_isUsed.assign(m_extras.size(), false); }
    void mark(std::uint16_t number)
    {
        if (number < m_isUsed.size()) {
            m_isUsed[number] = true;
        }
    }
    void endCollecting();

private:
    static constexpr std::size_t kMaxNumbers = 65535;
    static std::uint64_t key(Color underlineColor, std::uint32_t linkId);

    std::vector<Extra> m_extras = std::vector<Extra>(1);
    std::vector<std::uint16_t> m_free;
    std::unordered_map<std::uint64_t, std::uint16_t> m_numbers;
    std::vector<bool> m_isUsed;
    std::size_t m_limit = 256;
    std::size_t m_bytes = 0;
};

} // namespace coldframe::terminal
