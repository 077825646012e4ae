// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::proxy {

/// The strings looked for in a stream, found in one pass whatever their number (Wu and Manber's shift table over pairs of bytes).
/// Immutable; shared by the streams being scanned. The strings are kept in wiped buffers.
class PatternSet
{
public:
    static constexpr std::size_t kMinLength = 8;

    /// Patterns shorter than kMinLength are left out: they would hit by chance.
    void add(std::string_view pattern, int tag);
    /// The key itself, its three base64 alignments (also URL-safe), and its percent-encoded form where that differs.
    void addKeyForms(std::string_view key, int tag);
    void finish();

    bool isEmpty() const { return m_patterns.empty(); }
    struct Match
    {
        int tag = -1; ///< -1: none
        std::size_t at = 0;
        std::size_t length = 0;
    };
    Match locate(std::string_view text, std::size_t from = 0) const;
    /// The tag of the first match, or -1.
    int find(std::string_view text) const { return locate(text).tag; }
    std::size_t longest() const { return m_longest; }
    /// How many bytes at the end of `text` could be the start of a pattern (at least kHeldFrom of them match).
    std::size_t partialAtEnd(std::string_view text) const;

    /// A shorter beginning of a key is let through rather than held back: holding would stall interactive streams.
    static constexpr std::size_t kHeldFrom = 4;

private:
    struct Pattern
    {
        SecretBuffer text;
        int tag;
    };
    std::vector<Pattern> m_patterns;
    std::size_t m_window = 0;
    std::size_t m_longest = 0;
    std::vector<std::uint8_t> m_shift;
};

/// Scans one direction of one stream; a match that straddles pieces is found before its last part is released.
///
/// What could become a match is held back, and whoever sends the stream and sees it arrive could learn the beginning of a
/// pattern from that, a character at a time. So nothing is held back on streams whose sender has no business with the pattern (hold
/// = false): there a match is still found, but what came before its last piece has gone on.
class StreamScanner
{
public:
    enum class OnMatch { Stop, Redact };
    explicit StreamScanner(std::shared_ptr<const PatternSet> patterns, OnMatch onMatch = OnMatch::Stop, bool hold = true)
        : m_patterns(std::move(patterns)), m_onMatch(onMatch), m_hold(hold)
    {
    }
    ~StreamScanner();
    StreamScanner(const StreamScanner&) = delete;
    StreamScanner& operator=(const StreamScanner&) = delete;

    /// Appends to `out` what may go on. Returns the tag of a match, or -1. With Stop nothing more may go on then; with Redact
    /// there are as many asterisks in its place.
    int feed(std::string_view data, std::string& out);
    bool isHolding() const { return m_tail.size() > m_released; }
    /// The stream is over: what was held back may go.
    void finish(std::string& out);

private:
    std::shared_ptr<const PatternSet> m_patterns;
    OnMatch m_onMatch;
    bool m_hold;
    std::string m_tail;          ///< bytes already released, then bytes held back
    std::size_t m_released = 0;
};

std::string base64Encode(std::string_view data);
/// Lenient: nullopt-free; characters outside the alphabet end the text.
std::string base64Decode(std::string_view text);

} // namespace coldframe::proxy
