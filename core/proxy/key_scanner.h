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
    /// The tag of the first match, or -1.
    int find(std::string_view text) const;
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
class StreamScanner
{
public:
    explicit StreamScanner(std::shared_ptr<const PatternSet> patterns) : m_patterns(std::move(patterns)) {}
    ~StreamScanner();
    StreamScanner(const StreamScanner&) = delete;
    StreamScanner& operator=(const StreamScanner&) = delete;

    /// Appends to `out` what may go on. Returns the tag of a match (then nothing more may go on), or -1.
    int feed(std::string_view data, std::string& out);
    /// The stream is over: what was held back may go.
    void finish(std::string& out);

private:
    std::shared_ptr<const PatternSet> m_patterns;
    std::string m_tail;          ///< bytes already released (at most kHeldFrom - 1), then bytes held back
    std::size_t m_released = 0;
};

std::string base64Encode(std::string_view data);
/// Lenient: nullopt-free; characters outside the alphabet end the text.
std::string base64Decode(std::string_view text);

} // namespace coldframe::proxy
