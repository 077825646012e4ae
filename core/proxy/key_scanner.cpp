// SPDX-License-Identifier: Apache-2.0
#include "proxy/key_scanner.h"

#include <algorithm>
#include <cstring>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::size_t pairAt(const char* text)
{
    return static_cast<std::size_t>(static_cast<std::uint8_t>(text[0])) << 8 | static_cast<std::uint8_t>(text[1]);
}

std::string percentEncode(std::string_view text)
{
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                           || std::string_view("-._~").find(c) != std::string_view::npos;
        if (plain) {
            result.push_back(c);
        } else {
            result.push_back('%');
            result.push_back(kHex[byte >> 4]);
            result.push_back(kHex[byte & 15]);
        }
    }
    return result;
}

} // namespace

std::string base64Encode(std::string_view data)
{
    std::string result;
    result.reserve((data.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < data.size(); i += 3) {
        std::uint32_t group = 0;
        const std::size_t count = std::min<std::size_t>(3, data.size() - i);
        for (std::size_t j = 0; j < 3; ++j) {
            group = group << 8 | (j < count ? static_cast<std::uint8_t>(data[i + j]) : 0u);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            result.push_back(j <= count ? kAlphabet[(group >> (18 - 6 * j)) & 63] : '=');
        }
    }
    return result;
}

std::string base64Decode(std::string_view text)
{
    std::string result;
    std::uint32_t group = 0;
    int bits = 0;
    for (char c : text) {
        c = c == '-' ? '+' : c == '_' ? '/' : c;
        const std::size_t value = kAlphabet.find(c);
        if (value == std::string_view::npos) {
            break;
        }
        group = (group << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            result.push_back(static_cast<char>(group >> bits & 0xff));
        }
    }
    return result;
}

void PatternSet::add(std::string_view pattern, int tag)
{
    if (pattern.size() < kMinLength) {
        return;
    }
    const bool known = std::any_of(m_patterns.begin(), m_patterns.end(),
                                   [pattern](const Pattern& other) { return other.text.view() == pattern; });
    if (!known) {
        m_patterns.push_back({SecretBuffer(pattern), tag});
    }
}

void PatternSet::addKeyForms(std::string_view key, int tag)
{
    add(key, tag);
    std::string encoded = percentEncode(key);
    add(encoded, tag);
    for (std::size_t i = 0; i + 2 < encoded.size(); ++i) {
        if (encoded[i] == '%') { // some write the digits small
            encoded[i + 1] = encoded[i + 1] >= 'A' ? static_cast<char>(encoded[i + 1] + 32) : encoded[i + 1];
            encoded[i + 2] = encoded[i + 2] >= 'A' ? static_cast<char>(encoded[i + 2] + 32) : encoded[i + 2];
        }
    }
    add(encoded, tag);
    wipe(encoded);
    // Inside a longer text the key's base64 form depends on where it starts modulo 3; the characters that also carry
    // neighbouring bytes are left out.
    for (std::size_t lead = 0; lead < 3; ++lead) {
        std::string shifted(lead, '\0');
        shifted.append(key);
        std::string base64 = base64Encode(shifted);
        const std::size_t first = lead == 0 ? 0 : lead + 1;
        const std::size_t last = shifted.size() / 3 * 4 + (shifted.size() % 3 == 0 ? 0 : shifted.size() % 3);
        if (last > first) {
            std::string middle = base64.substr(first, last - first);
            add(middle, tag);
            std::replace(middle.begin(), middle.end(), '+', '-');
            std::replace(middle.begin(), middle.end(), '/', '_');
            add(middle, tag);
            wipe(middle);
        }
        wipe(base64);
        wipe(shifted);
    }
}

void PatternSet::finish()
{
    m_window = 0;
    m_longest = 0;
    for (const Pattern& pattern : m_patterns) {
        m_window = m_window == 0 ? pattern.text.view().size() : std::min(m_window, pattern.text.view().size());
        m_longest = std::max(m_longest, pattern.text.view().size());
    }
    if (m_patterns.empty()) {
        return;
    }
    m_window = std::min<std::size_t>(m_window, 250);
    m_shift.assign(65536, static_cast<std::uint8_t>(m_window - 1));
    for (const Pattern& pattern : m_patterns) {
        const std::string_view text = pattern.text.view();
        for (std::size_t end = 1; end < m_window; ++end) {
            std::uint8_t& shift = m_shift[pairAt(text.data() + end - 1)];
            shift = std::min(shift, static_cast<std::uint8_t>(m_window - 1 - end));
        }
    }
}

PatternSet::Match PatternSet::locate(std::string_view text, std::size_t from) const
{
    if (m_patterns.empty() || text.size() < from + m_window) {
        return {};
    }
    std::size_t end = from + m_window - 1; // index of the window's last byte
    while (end < text.size()) {
        const std::size_t shift = m_shift[pairAt(text.data() + end - 1)];
        if (shift > 0) {
            end += shift;
            continue;
        }
        const std::string_view candidate = text.substr(end + 1 - m_window);
        for (const Pattern& pattern : m_patterns) {
            if (candidate.starts_with(pattern.text.view())) {
                return {pattern.tag, end + 1 - m_window, pattern.text.view().size()};
            }
        }
        ++end;
    }
    return {};
}

std::size_t PatternSet::partialAtEnd(std::string_view text) const
{
    std::size_t best = 0;
    for (const Pattern& pattern : m_patterns) {
        const std::string_view full = pattern.text.view();
        const std::size_t most = std::min(full.size() - 1, text.size());
        for (std::size_t length = most; length >= kHeldFrom && length > best; --length) {
            if (text[text.size() - length] == full[0] && text.substr(text.size() - length) == full.substr(0, length)) {
                best = length;
                break;
            }
        }
    }
    return best;
}

StreamScanner::~StreamScanner() { wipe(m_tail); }

int StreamScanner::feed(std::string_view data, std::string& out)
{
    if (!m_patterns || m_patterns->isEmpty()) {
        out.append(data);
        return -1;
    }
    std::string joined = std::move(m_tail);
    m_tail.clear();
    joined.append(data);
    int found = -1;
    for (PatternSet::Match match = m_patterns->locate(joined); match.tag >= 0; match = m_patterns->locate(joined, match.at + match.length)) {
        found = found < 0 ? match.tag : found;
        if (m_onMatch == OnMatch::Stop) {
            wipe(joined);
            return found;
        }
        joined.replace(match.at, match.length, match.length, '*');
    }
    const std::string_view text = joined;
    const std::size_t held = m_hold ? m_patterns->partialAtEnd(text) : 0;
    const std::size_t firstHeld = text.size() - held;
    // A pattern's beginning may reach back into bytes that were released already; those cannot be held any more.
    const std::size_t releasedUpTo = std::max(firstHeld, m_released);
    out.append(text.substr(m_released, releasedUpTo - m_released));
    // The longest beginning of a pattern is kept; without one, the bytes too few to be held so far.
    const std::size_t context = m_hold ? PatternSet::kHeldFrom - 1 : m_patterns->longest() - 1;
    const std::size_t keepFrom = held > 0 ? firstHeld : text.size() - std::min(text.size(), context);
    m_tail.assign(text.substr(keepFrom));
    m_released = releasedUpTo - keepFrom;
    wipe(joined);
    return found;
}

void StreamScanner::finish(std::string& out)
{
    if (m_tail.size() > m_released) {
        out.append(m_tail, m_released);
    }
    wipe(m_tail);
    m_released = 0;
}

} // namespace coldframe::proxy
