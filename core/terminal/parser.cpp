// SPDX-License-Identifier: Apache-2.0
#include "terminal/parser.h"

#include <algorithm>
#include <utility>

namespace coldframe::terminal {

namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::size_t kKeptString = 4096; ///< memory that is kept for the next string

bool isPrintable(char c) { return static_cast<unsigned char>(c) - 0x20u < 0x5Fu; }

} // namespace

void Parser::reset()
{
    m_state = State::Ground;
    m_tailBytes = 0;
    m_unfinished = 0;
    m_string.clear();
    m_intermediates.clear();
}

void Parser::feed(std::string_view bytes)
{
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    const char* started = at; // of the sequence that is not finished
    bool hasStarted = !isBetween();
    while (at != end) {
        const bool wasTail = m_tailBytes > 0;
        if (isBetween()) {
            at = ground(at, end, started);
            hasStarted = !isBetween();
            m_unfinished = 0;
            continue;
        } else if (m_tailBytes > 0) {
            const auto c = static_cast<unsigned char>(*at);
            if (c >= m_tailLowest && c <= m_tailHighest) {
                ++at;
                utf8Tail(c);
            } else {
                m_tailBytes = 0;
                add(kReplacement);
            }
            flush();
        } else if (m_state == State::Osc || m_state == State::Dcs || m_state == State::IgnoreString) {
            at = string(at, end);
        } else if (m_state == State::CsiEntry || m_state == State::CsiParameter) {
            at = parameters(at, end);
        } else {
            sequenceByte(static_cast<unsigned char>(*at++));
        }
        if (m_tailBytes > 0 && !wasTail) { // a character broke a sequence off
            started = at - 1;
            m_unfinished = 0;
        }
    }
    m_unfinished = isBetween() ? 0 : m_unfinished + static_cast<std::size_t>(end - (hasStarted ? started : end));
}

void Parser::flush()
{
    if (m_textSize > 0) {
        m_handler.print({m_text.data(), std::exchange(m_textSize, 0)});
    }
}

void Parser::add(char32_t c)
{
    if (m_textSize == m_text.size()) {
        flush();
    }
    m_text[m_textSize++] = c;
}

/// Text and controls, up to and including what begins a sequence or is the beginning of a character; `started` is where that is.
const char* Parser::ground(const char* at, const char* end, const char*& started)
{
    while (at != end) {
        const char* const first = at;
        while (at != end && isPrintable(*at)) {
            ++at;
        }
        if (at != first) {
            m_handler.printAscii({first, static_cast<std::size_t>(at - first)});
            if (at == end) {
                break;
            }
        }
        // Text that is not ASCII alone, up to a control, is printed together.
        while (at != end && (static_cast<unsigned char>(*at) >= 0x80 || (m_textSize > 0 && isPrintable(*at)))) {
            if (static_cast<unsigned char>(*at) < 0x80) {
                add(static_cast<unsigned char>(*at++));
                continue;
            }
            started = at;
            startUtf8(static_cast<unsigned char>(*at++));
            while (m_tailBytes > 0 && at != end && static_cast<unsigned char>(*at) >= m_tailLowest && static_cast<unsigned char>(*at) <= m_tailHighest) {
                utf8Tail(static_cast<unsigned char>(*at++));
            }
            if (!isBetween()) {
                flush();
                return at;
            }
        }
        flush();
        if (at == end || isPrintable(*at)) {
            continue;
        }
        started = at;
        const auto c = static_cast<unsigned char>(*at++);
        if (c == 0x1B) {
            m_state = State::Escape;
            m_intermediates.clear();
            return at;
        }
        if (c < 0x20) {
            m_handler.execute(static_cast<char>(c));
        }
    }
    return at;
}

/// The parameters of a CSI, the bulk of most output.
const char* Parser::parameters(const char* at, const char* end)
{
    while (at != end) {
        const auto c = static_cast<unsigned char>(*at++);
        if (c >= '0' && c <= '9') {
            m_csi.digit(c - '0');
        } else if (c == ';' || c == ':') {
            m_csi.separate(c == ':');
        } else if (c >= 0x40 && c < 0x7F) {
            m_csi.final = static_cast<char>(c);
            m_state = State::Ground;
            m_handler.csi(m_csi);
            return at;
        } else {
            m_state = m_csi.size() != 0 ? State::CsiParameter : State::CsiEntry;
            sequenceByte(c);
            return at;
        }
    }
    m_state = m_csi.size() != 0 ? State::CsiParameter : State::CsiEntry;
    return at;
}

/// Ill-formed input: each maximal subpart becomes one U+FFFD (Unicode, section 3.9, as the WHATWG's decoder has it).
void Parser::startUtf8(unsigned char c)
{
    m_tailLowest = 0x80;
    m_tailHighest = 0xBF;
    if (c >= 0xC2 && c <= 0xDF) {
        m_codepoint = c & 0x1Fu;
        m_tailBytes = 1;
    } else if (c >= 0xE0 && c <= 0xEF) {
        m_codepoint = c & 0x0Fu;
        m_tailBytes = 2;
        m_tailLowest = c == 0xE0 ? 0xA0 : 0x80;
        m_tailHighest = c == 0xED ? 0x9F : 0xBF;
    } else if (c >= 0xF0 && c <= 0xF4) {
        m_codepoint = c & 0x07u;
        m_tailBytes = 3;
        m_tailLowest = c == 0xF0 ? 0x90 : 0x80;
        m_tailHighest = c == 0xF4 ? 0x8F : 0xBF;
    } else {
        add(kReplacement);
    }
}

void Parser::utf8Tail(unsigned char c)
{
    m_codepoint = (m_codepoint << 6) | (c & 0x3Fu);
    m_tailLowest = 0x80;
    m_tailHighest = 0xBF;
    if (--m_tailBytes == 0) {
        character(m_codepoint);
    }
}

void Parser::character(char32_t c)
{
    if (c >= 0xA0) { // in UTF-8 the C1 controls are none (as in xterm), nor anything to see
        add(c);
    }
}

/// Inside an escape sequence, not inside a string.
void Parser::sequenceByte(unsigned char c)
{
    if (m_state == State::StringEscape) {
        if (c == '\\') {
            endString();
            return;
        }
        // ESC ends the string unfinished and starts a new sequence.
        m_string.clear();
        m_intermediates.clear();
        m_state = State::Escape;
    }
    // "Anywhere" transitions.
    if (c == 0x1B) {
        m_state = State::Escape;
        m_intermediates.clear();
    } else if (c == 0x18 || c == 0x1A) {
        m_state = State::Ground;
    } else if (c < 0x20) {
        if (!isDcs()) {
            m_handler.execute(static_cast<char>(c));
        }
    } else if (c >= 0x80) {
        // UTF-8 is not part of any sequence: abandon it and print.
        m_state = State::Ground;
        startUtf8(c);
        flush();
    } else if (c == 0x7F) {
        return;
    } else if (m_state == State::Escape || m_state == State::EscapeIntermediate) {
        if (c >= 0x30) {
            escapeByte(c);
        } else {
            if (m_intermediates.size() < 2) {
                m_intermediates += static_cast<char>(c);
            }
            m_state = State::EscapeIntermediate;
        }
    } else {
        csiByte(c);
    }
}

void Parser::escapeByte(unsigned char c)
{
    if (m_intermediates.empty()) {
        switch (c) {
        case '[':
            m_csi.clear();
            m_state = State::CsiEntry;
            return;
        case 'P':
            m_csi.clear();
            m_state = State::DcsEntry;
            return;
        case ']': startString(State::Osc); return;
        case 'X':
        case '^':
        case '_': startString(State::IgnoreString); return;
        default: break;
        }
    }
    m_state = State::Ground;
    m_handler.escape(m_intermediates, static_cast<char>(c));
}

void Parser::csiByte(unsigned char c)
{
    if (c >= 0x40) {
        m_csi.final = static_cast<char>(c);
        if (isDcs()) {
            startString(State::Dcs);
            return;
        }
        const bool ignored = m_state == State::CsiIgnore;
        m_state = State::Ground;
        if (!ignored) {
            m_handler.csi(m_csi);
        }
        return;
    }
    if (m_state == State::CsiIgnore) {
        return;
    }
    const bool hadIntermediate = m_state == State::CsiIntermediate || m_state == State::DcsIntermediate;
    const bool isWrong = (c >= 0x3C && (m_csi.prefix != 0 || m_csi.size() != 0)) || (c >= 0x30 && hadIntermediate) ||
                         (c < 0x30 && m_csi.intermediates[1] != 0);
    if (isWrong) {
        if (isDcs()) {
            startString(State::IgnoreString);
        } else {
            m_state = State::CsiIgnore;
        }
    } else if (c >= 0x3C) { // private prefix: only as the first byte
        m_csi.prefix = static_cast<char>(c);
    } else if (c >= 0x30) {
        if (c >= 0x3A) {
            m_csi.separate(c == ':');
        } else {
            m_csi.digit(c - '0');
        }
        m_state = isDcs() ? State::DcsEntry : State::CsiParameter;
    } else {
        m_csi.intermediates[m_csi.intermediates[0] == 0 ? 0 : 1] = static_cast<char>(c);
        m_state = isDcs() ? State::DcsIntermediate : State::CsiIntermediate;
    }
}

void Parser::startString(State state)
{
    m_string.clear();
    m_stringTooLong = false;
    m_state = state;
    m_stringState = state;
}

const char* Parser::string(const char* at, const char* end)
{
    while (at != end) {
        const auto c = static_cast<unsigned char>(*at++);
        if (c == 0x1B) {
            m_state = State::StringEscape;
            return at;
        }
        if (c == 0x18 || c == 0x1A) {
            m_string.clear();
            m_state = State::Ground;
            return at;
        }
        if (c == 0x07 && m_state == State::Osc) {
            endString(true);
            return at;
        }
        if (m_state == State::IgnoreString || c < 0x20) {
            continue;
        }
        if (m_string.size() >= kMaxString) {
            m_stringTooLong = true;
            continue;
        }
        m_string += static_cast<char>(c);
    }
    return at;
}

void Parser::endString(bool byBell)
{
    m_state = State::Ground;
    if (!m_stringTooLong) {
        if (m_stringState == State::Osc) {
            m_handler.osc(m_string, byBell);
        } else if (m_stringState == State::Dcs) {
            m_handler.dcs(m_csi, m_string);
        }
    }
    m_string.clear();
    if (m_string.capacity() > kKeptString) {
        m_string.shrink_to_fit();
    }
}

} // namespace coldframe::terminal
