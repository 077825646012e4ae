// SPDX-License-Identifier: Apache-2.0
#include "terminal/parser.h"

#include <algorithm>

namespace coldframe::terminal {

namespace {
constexpr char32_t kReplacement = 0xFFFD;
constexpr int kMaxValue = 65535;
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
    for (const char c : bytes) {
        byte(static_cast<unsigned char>(c));
        m_unfinished = isBetween() ? 0 : m_unfinished + 1;
    }
}

void Parser::byte(unsigned char c)
{
    if (m_tailBytes > 0) {
        if ((c & 0xC0u) == 0x80u) {
            utf8Tail(c);
            return;
        }
        m_tailBytes = 0;
        m_handler.print(kReplacement);
    }
    switch (m_state) {
    case State::Osc:
    case State::Dcs:
    case State::IgnoreString:
    case State::StringEscape: stringByte(c); return;
    default: break;
    }
    // "Anywhere" transitions.
    if (c == 0x1B) {
        m_state = State::Escape;
        m_intermediates.clear();
        return;
    }
    if (c == 0x18 || c == 0x1A) {
        m_state = State::Ground;
        return;
    }
    if (m_state == State::Ground) {
        ground(c);
        return;
    }
    if (c < 0x20) {
        if (m_state != State::DcsEntry) {
            m_handler.execute(static_cast<char>(c));
        }
        return;
    }
    if (c == 0x7F) {
        return;
    }
    if (c >= 0x80) {
        // UTF-8 inside a sequence is not part of any: abandon it and print.
        m_state = State::Ground;
        ground(c);
        return;
    }
    switch (m_state) {
    case State::Escape:
    case State::EscapeIntermediate:
        if (c < 0x30) {
            if (m_intermediates.size() < 2) {
                m_intermediates += static_cast<char>(c);
            }
            m_state = State::EscapeIntermediate;
            return;
        }
        if (m_state == State::Escape) {
            switch (c) {
            case '[':
                startCsi();
                m_state = State::CsiEntry;
                return;
            case ']':
                m_string.clear();
                m_stringTooLong = false;
                m_state = State::Osc;
                return;
            case 'P':
                startCsi();
                m_state = State::DcsEntry;
                return;
            case 'X':
            case '^':
            case '_': m_state = State::IgnoreString; return;
            default: break;
            }
        }
        m_state = State::Ground;
        m_handler.escape(m_intermediates, static_cast<char>(c));
        return;
    default: csiByte(c); return;
    }
}

void Parser::ground(unsigned char c)
{
    if (c < 0x20) {
        m_handler.execute(static_cast<char>(c));
    } else if (c < 0x7F) {
        m_handler.print(c);
    } else if (c >= 0xC2 && c <= 0xDF) {
        m_codepoint = c & 0x1Fu;
        m_tailBytes = 1;
        m_minimum = 0x80;
    } else if (c >= 0xE0 && c <= 0xEF) {
        m_codepoint = c & 0x0Fu;
        m_tailBytes = 2;
        m_minimum = 0x800;
    } else if (c >= 0xF0 && c <= 0xF4) {
        m_codepoint = c & 0x07u;
        m_tailBytes = 3;
        m_minimum = 0x10000;
    } else if (c != 0x7F) {
        m_handler.print(kReplacement);
    }
}

void Parser::utf8Tail(unsigned char c)
{
    m_codepoint = (m_codepoint << 6) | (c & 0x3Fu);
    if (--m_tailBytes > 0) {
        return;
    }
    const bool surrogate = m_codepoint >= 0xD800 && m_codepoint <= 0xDFFF;
    if (m_codepoint < m_minimum || m_codepoint > 0x10FFFF || surrogate) {
        m_handler.print(kReplacement);
    } else if (m_codepoint >= 0xA0) {
        m_handler.print(m_codepoint);
    } // C1 controls (U+0080 to U+009F) are ignored: in UTF-8 nobody needs them.
}

void Parser::startCsi()
{
    m_csi.prefix = 0;
    m_csi.parameters.clear();
    m_csi.intermediates.clear();
    m_csi.final = 0;
    m_inSubParameter = false;
}

void Parser::parameterByte(unsigned char c)
{
    if (m_csi.parameters.empty()) {
        m_csi.parameters.emplace_back();
    }
    const bool full = m_csi.parameters.size() > kMaxParameters;
    Csi::Parameter& last = m_csi.parameters.back();
    if (c == ';') {
        m_inSubParameter = false;
        if (!full) {
            m_csi.parameters.emplace_back();
        }
    } else if (c == ':') {
        m_inSubParameter = true;
        if (last.subParameters.size() < 8) {
            last.subParameters.push_back(-1);
        }
    } else {
        int& target = m_inSubParameter && !last.subParameters.empty() ? last.subParameters.back() : last.value;
        target = std::min(kMaxValue, std::max(0, target) * 10 + (c - '0'));
    }
}

void Parser::csiByte(unsigned char c)
{
    const bool isDcs = m_state == State::DcsEntry;
    if (c >= 0x40) {
        const bool ignored = m_state == State::CsiIgnore;
        m_csi.final = static_cast<char>(c);
        if (m_csi.parameters.size() > kMaxParameters) {
            m_csi.parameters.resize(kMaxParameters);
        }
        if (isDcs) {
            m_string.clear();
            m_stringTooLong = false;
            m_state = State::Dcs;
            return;
        }
        m_state = State::Ground;
        if (!ignored) {
            m_handler.csi(m_csi);
        }
        return;
    }
    if (m_state == State::CsiIgnore) {
        return;
    }
    if (c >= 0x3C) { // private prefix: only as the first byte
        if (m_csi.prefix != 0 || !m_csi.parameters.empty() || !m_csi.intermediates.empty()) {
            m_state = isDcs ? State::IgnoreString : State::CsiIgnore;
            return;
        }
        m_csi.prefix = static_cast<char>(c);
        return;
    }
    if (c >= 0x30) {
        if (!m_csi.intermediates.empty()) {
            m_state = isDcs ? State::IgnoreString : State::CsiIgnore;
            return;
        }
        parameterByte(c);
        if (!isDcs) {
            m_state = State::CsiParameter;
        }
        return;
    }
    if (m_csi.intermediates.size() >= 2) {
        m_state = isDcs ? State::IgnoreString : State::CsiIgnore;
        return;
    }
    m_csi.intermediates += static_cast<char>(c);
    if (!isDcs) {
        m_state = State::CsiIntermediate;
    }
}

void Parser::stringByte(unsigned char c)
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
        byte(c);
        return;
    }
    if (c == 0x1B) {
        m_stringState = m_state;
        m_state = State::StringEscape;
        return;
    }
    if (c == 0x18 || c == 0x1A) {
        m_string.clear();
        m_state = State::Ground;
        return;
    }
    if (c == 0x07 && m_state == State::Osc) {
        m_stringState = m_state;
        endString();
        return;
    }
    if (m_state == State::IgnoreString || c < 0x20) {
        return;
    }
    if (m_string.size() >= kMaxString) {
        m_stringTooLong = true;
        return;
    }
    m_string += static_cast<char>(c);
}

void Parser::endString()
{
    m_state = State::Ground;
    if (!m_stringTooLong) {
        if (m_stringState == State::Osc) {
            m_handler.osc(m_string);
        } else if (m_stringState == State::Dcs) {
            m_handler.dcs(m_csi, m_string);
        }
    }
    m_string.clear();
    m_string.shrink_to_fit();
}

} // namespace coldframe::terminal
