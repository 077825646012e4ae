// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace coldframe::terminal {

/// One CSI sequence (ECMA-48, section 5.4), or the introducer of a DCS: private prefix (one of < = > ? or 0), parameters,
/// intermediates, final. Parameters that follow a colon are sub-parameters (ITU T.416) of the one before the first colon.
class Csi
{
public:
    static constexpr std::size_t kMaxValues = 64; ///< parameters and sub-parameters; the rest is dropped
    static constexpr int kMaxValue = 65535;

    char prefix = 0;
    char final = 0;
    std::array<char, 2> intermediates{}; ///< 0: none

    std::size_t size() const { return m_size; }
    bool isSub(std::size_t i) const { return i < m_size && ((m_subs >> i) & 1u) != 0; }
    /// Value i, or fallback when omitted or absent. Zero counts as given.
    int value(std::size_t i, int fallback) const { return i < m_size && m_values[i] >= 0 ? m_values[i] : fallback; }
    /// As value(), with zero meaning the fallback too: the rule for counts (CUU, ED and others).
    int count(std::size_t i) const
    {
        const int n = value(i, 1);
        return n == 0 ? 1 : n;
    }

    // For the parser.
    void clear()
    {
        prefix = 0;
        final = 0;
        intermediates = {};
        m_size = 0;
        m_subs = 0;
        m_isFull = false;
    }
    void digit(int d)
    {
        if (m_size == 0) {
            m_values[m_size++] = -1;
        }
        if (!m_isFull) {
            int& value = m_values[m_size - 1];
            value = value < 0 ? d : value * 10 + d < kMaxValue ? value * 10 + d : kMaxValue;
        }
    }
    void separate(bool isSub)
    {
        if (m_size == 0) {
            m_values[m_size++] = -1;
        }
        if (m_size == kMaxValues) {
            m_isFull = true;
            return;
        }
        m_subs |= isSub ? std::uint64_t{1} << m_size : 0;
        m_values[m_size++] = -1;
    }

private:
    std::array<int, kMaxValues> m_values{}; ///< -1: omitted
    std::size_t m_size = 0;
    std::uint64_t m_subs = 0;
    bool m_isFull = false;
};

/// Receives what the parser recognised. Called during Parser::feed, on the same thread.
class ParserHandler
{
public:
    virtual ~ParserHandler() = default;
    virtual void printAscii(std::string_view text) = 0; ///< 0x20 to 0x7E, not empty
    virtual void print(std::u32string_view text) = 0;   ///< 0x20 to 0x7E, and from U+00A0 on; not empty
    virtual void execute(char control) = 0;             ///< C0 control
    virtual void csi(const Csi& sequence) = 0;
    virtual void escape(std::string_view intermediates, char final) = 0;
    virtual void osc(std::string_view text, bool endedByBell) = 0; ///< the payload, without introducer and terminator
    virtual void dcs(const Csi& introducer, std::string_view text) = 0;
};

/// The state machine of the DEC VT500 parser (vt100.net/emu/dec_ansi_parser) over UTF-8. U+0080 to U+009F are no controls, as in
/// xterm. Input is hostile: every collection is bounded, and no input makes it do more than constant work per byte.
class Parser
{
public:
    static constexpr std::size_t kMaxString = 128 * 1024; ///< an OSC or DCS longer than this is dropped whole

    explicit Parser(ParserHandler& handler) : m_handler(handler) {}
    void feed(std::string_view bytes);
    void reset();
    /// How many of the last bytes belong to a sequence or character that has not ended yet: whoever draws the screen for
    /// another terminal has to send these again. 0 between sequences.
    std::size_t unfinishedBytes() const { return m_unfinished; }

private:
    enum class State : std::uint8_t {
        Ground,
        Escape,
        EscapeIntermediate,
        CsiEntry,
        CsiParameter,
        CsiIntermediate,
        CsiIgnore,
        Osc,
        Dcs,
        DcsEntry,
        DcsIntermediate,
        IgnoreString,
        StringEscape, ///< ESC seen inside a string: a backslash ends it
    };

    bool isBetween() const { return m_state == State::Ground && m_tailBytes == 0; }
    const char* ground(const char* at, const char* end, const char*& started);
    const char* string(const char* at, const char* end);
    const char* parameters(const char* at, const char* end);
    void flush();
    void add(char32_t c);
    void sequenceByte(unsigned char c);
    void escapeByte(unsigned char c);
    void csiByte(unsigned char c);
    void startUtf8(unsigned char c);
    void utf8Tail(unsigned char c);
    void character(char32_t c);
    void startString(State state);
    void endString(bool byBell = false);
    bool isDcs() const { return m_state == State::DcsEntry || m_state == State::DcsIntermediate; }

    ParserHandler& m_handler;
    State m_state = State::Ground;
    State m_stringState = State::Ground;
    Csi m_csi;
    std::string m_intermediates;
    std::string m_string;
    bool m_stringTooLong = false;
    char32_t m_codepoint = 0;
    int m_tailBytes = 0;
    unsigned char m_tailLowest = 0x80; ///< bounds of the next byte (Unicode, table 3-7)
    unsigned char m_tailHighest = 0xBF;
    std::size_t m_unfinished = 0;
    std::array<char32_t, 128> m_text{}; ///< printed together
    std::size_t m_textSize = 0;
};

} // namespace coldframe::terminal
