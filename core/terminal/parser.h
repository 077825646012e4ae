// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::terminal {

/// One CSI sequence (ECMA-48, section 5.4): private prefix (one of < = > ? or 0), parameters, intermediates, final.
struct Csi
{
    struct Parameter
    {
        int value = -1;                ///< -1 = omitted; at most 65535
        std::vector<int> subParameters; ///< after ':'; at most 8
    };
    char prefix = 0;
    std::vector<Parameter> parameters; ///< at most 32; the rest is dropped
    std::string intermediates;         ///< at most 2
    char final = 0;

    /// Parameter i, or fallback when omitted or absent. Zero counts as given.
    int value(std::size_t i, int fallback) const
    {
        return i < parameters.size() && parameters[i].value >= 0 ? parameters[i].value : fallback;
    }
    /// As value(), with zero meaning the fallback too: the rule for counts (CUU, ED …).
    int count(std::size_t i) const
    {
        const int n = value(i, 1);
        return n == 0 ? 1 : n;
    }
};

/// Receives what the parser recognised. Called during Parser::feed, on the same thread.
class ParserHandler
{
public:
    virtual ~ParserHandler() = default;
    virtual void print(char32_t character) = 0;
    virtual void execute(char control) = 0; ///< C0 control
    virtual void csi(const Csi& sequence) = 0;
    virtual void escape(std::string_view intermediates, char final) = 0;
    virtual void osc(std::string_view text) = 0; ///< the payload, without introducer and terminator
    virtual void dcs(const Csi& introducer, std::string_view text) = 0;
};

/// The state machine of the DEC VT500 parser (vt100.net/emu/dec_ansi_parser) over UTF-8. Input is hostile: every
/// collection is bounded, and no input makes it do more than constant work per byte.
class Parser
{
public:
    static constexpr std::size_t kMaxParameters = 32;
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
        IgnoreString,
        StringEscape, ///< ESC seen inside a string: a backslash ends it
    };

    void byte(unsigned char c);
    bool isBetween() const { return m_state == State::Ground && m_tailBytes == 0; }
    void ground(unsigned char c);
    void utf8Tail(unsigned char c);
    void csiByte(unsigned char c);
    void stringByte(unsigned char c);
    void endString();
    void startCsi();
    void parameterByte(unsigned char c);

    ParserHandler& m_handler;
    State m_state = State::Ground;
    State m_stringState = State::Ground;
    Csi m_csi;
    bool m_inSubParameter = false;
    std::string m_intermediates;
    std::string m_string;
    bool m_stringTooLong = false;
    char32_t m_codepoint = 0;
    int m_tailBytes = 0;
    char32_t m_minimum = 0;
    std::size_t m_unfinished = 0;
};

} // namespace coldframe::terminal
