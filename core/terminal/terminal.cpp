// SPDX-License-Identifier: Apache-2.0
#include "terminal/terminal.h"

#include "terminal/text_safety.h"

#include <algorithm>
#include <cstdio>

namespace coldframe::terminal {

namespace {

constexpr std::size_t kMaxKittyStack = 16;
constexpr int kMaxRepeat = 4096;

/// DEC special graphics (VT100 line drawing) for 0x60 to 0x7e.
constexpr std::array<char32_t, 31> kSpecialGraphics = {
    0x25C6, 0x2592, 0x2409, 0x240C, 0x240D, 0x240A, 0x00B0, 0x00B1, 0x2424, 0x240B, 0x2518,
    0x2510, 0x250C, 0x2514, 0x253C, 0x23BA, 0x23BB, 0x2500, 0x23BC, 0x23BD, 0x251C, 0x2524,
    0x2534, 0x252C, 0x2502, 0x2264, 0x2265, 0x03C0, 0x2260, 0x00A3, 0x00B7};

} // namespace

Terminal::Terminal(int rows, int columns, Callbacks callbacks, ScrollbackLimits scrollback)
    : m_callbacks(std::move(callbacks)), m_parser(*this), m_scrollback(scrollback), m_primary(rows, columns, &m_scrollback),
      m_alternate(rows, columns, nullptr)
{
}

void Terminal::resize(int rows, int columns)
{
    m_primary.resize(rows, columns);
    m_alternate.resize(rows, columns);
}

void Terminal::setDefaultColors(std::uint32_t foreground, std::uint32_t background)
{
    const bool wasDark = isDark();
    m_foreground = foreground & 0xFFFFFFu;
    m_background = background & 0xFFFFFFu;
    if (m_modes.colorReports && wasDark != isDark()) {
        deviceStatus(996, true);
    }
}

const Line& Terminal::lineAt(std::size_t row) const
{
    if (row < m_scrollback.size()) {
        return m_scrollback.at(row);
    }
    const std::size_t below = row - m_scrollback.size();
    const std::size_t last = static_cast<std::size_t>(screen().rows()) - 1;
    return screen().line(static_cast<int>(std::min(below, last)));
}

void Terminal::readRow(std::size_t row, Row& out) const
{
    out.begin();
    if (row >= totalRows()) {
        out.end(false, RowMark::None);
        return;
    }
    const Line& line = lineAt(row);
    for (const Cell& cell : line.cells) {
        const auto used = static_cast<std::size_t>(std::find(cell.text.begin(), cell.text.end(), U'\0') - cell.text.begin());
        out.add(std::u32string_view(cell.text.data(), used), cell.width, cell.style, 0);
    }
    out.end(line.wrapped, RowMark::None);
}

std::uint64_t Terminal::rowStamp(int) const
{
    static std::uint64_t next = 0; // every row counts as changed, always
    return ++next;
}

void Terminal::send(const std::string& bytes)
{
    if (m_callbacks.reply) {
        m_callbacks.reply(bytes);
    }
}

void Terminal::print(char32_t character)
{
    Screen& screen = active();
    if (screen.graphics[screen.activeCharset] && character >= 0x60 && character <= 0x7E) {
        character = kSpecialGraphics[character - 0x60];
    }
    m_lastPrinted = character;
    screen.put(character, m_modes.autoWrap, m_modes.insert);
}

void Terminal::execute(char control)
{
    Screen& screen = active();
    switch (control) {
    case '\a':
        if (m_callbacks.bell) {
            m_callbacks.bell();
        }
        break;
    case '\b': screen.backspace(); break;
    case '\t': screen.tab(1); break;
    case '\n':
    case '\v':
    case '\f':
        screen.lineFeed();
        if (m_modes.newLine) {
            screen.carriageReturn();
        }
        break;
    case '\r': screen.carriageReturn(); break;
    case 0x0E: screen.activeCharset = 1; break;
    case 0x0F: screen.activeCharset = 0; break;
    default: break;
    }
}

void Terminal::escape(std::string_view intermediates, char final)
{
    Screen& screen = active();
    if (intermediates == "(" || intermediates == ")") {
        screen.graphics[intermediates == "(" ? 0 : 1] = final == '0';
        return;
    }
    if (intermediates == "#") {
        if (final == '8') {
            screen.fill('E');
        }
        return;
    }
    if (!intermediates.empty()) {
        return;
    }
    switch (final) {
    case '7': screen.saveCursor(); break;
    case '8': screen.restoreCursor(); break;
    case 'D': screen.lineFeed(); break;
    case 'E':
        screen.carriageReturn();
        screen.lineFeed();
        break;
    case 'H': screen.setTabStop(); break;
    case 'M': screen.reverseLineFeed(); break;
    case 'c': fullReset(); break;
    case '=': m_modes.applicationKeypad = true; break;
    case '>': m_modes.applicationKeypad = false; break;
    default: break;
    }
}

void Terminal::fullReset()
{
    m_modes = Modes{};
    m_primary.reset();
    m_alternate.reset();
    m_kittyStack.clear();
}

void Terminal::csi(const Csi& sequence)
{
    if (sequence.prefix != 0 || !sequence.intermediates.empty()) {
        privateCsi(sequence);
        return;
    }
    switch (sequence.final) {
    case 'm': selectGraphicRendition(sequence); break;
    case 'h':
    case 'l':
        for (std::size_t i = 0; i < sequence.parameters.size(); ++i) {
            setMode(false, sequence.value(i, 0), sequence.final == 'h');
        }
        break;
    case 'n': deviceStatus(sequence.value(0, 0), false); break;
    case 'c':
        if (sequence.value(0, 0) == 0) {
            send("\x1b[?62;22c");
        }
        break;
    case 't':
        // Window operations: only the size in characters is answered; titles and resizes never.
        if (sequence.value(0, 0) == 18) {
            send("\x1b[8;" + std::to_string(active().rows()) + ";" + std::to_string(active().columns()) + "t");
        }
        break;
    case 'r':
        active().setMargins(sequence.value(0, 1) - 1,
                            (sequence.value(1, 0) == 0 ? active().rows() : sequence.value(1, 0)) - 1);
        break;
    case 's': active().saveCursor(); break;
    case 'u': active().restoreCursor(); break;
    default:
        cursorCsi(sequence);
        editCsi(sequence);
    }
}

void Terminal::cursorCsi(const Csi& sequence)
{
    Screen& screen = active();
    const int count = sequence.count(0);
    const Position cursor = screen.cursor();
    const int rowInRegion = screen.originMode ? cursor.row - screen.topMargin() : cursor.row;
    switch (sequence.final) {
    case 'A': screen.moveBy(-count, 0); break;
    case 'B':
    case 'e': screen.moveBy(count, 0); break;
    case 'C':
    case 'a': screen.moveBy(0, count); break;
    case 'D': screen.moveBy(0, -count); break;
    case 'E':
        screen.moveBy(count, 0);
        screen.carriageReturn();
        break;
    case 'F':
        screen.moveBy(-count, 0);
        screen.carriageReturn();
        break;
    case 'G':
    case '`': screen.moveTo(rowInRegion, count - 1); break;
    case 'd': screen.moveTo(count - 1, cursor.column); break;
    case 'H':
    case 'f': screen.moveTo(count - 1, sequence.count(1) - 1); break;
    case 'I': screen.tab(count); break;
    case 'Z': screen.backTab(count); break;
    case 'g':
        if (sequence.value(0, 0) == 0 || sequence.value(0, 0) == 3) {
            screen.clearTabStop(sequence.value(0, 0) == 3);
        }
        break;
    default: break;
    }
}

void Terminal::editCsi(const Csi& sequence)
{
    Screen& screen = active();
    const int count = sequence.count(0);
    switch (sequence.final) {
    case 'J': screen.eraseInDisplay(sequence.value(0, 0)); break;
    case 'K': screen.eraseInLine(sequence.value(0, 0)); break;
    case 'L': screen.insertLines(count); break;
    case 'M': screen.deleteLines(count); break;
    case 'P': screen.deleteCharacters(count); break;
    case 'X': screen.eraseCharacters(count); break;
    case '@': screen.insertCharacters(count); break;
    case 'S': screen.scrollUp(count); break;
    case 'T': screen.scrollDown(count); break;
    case 'b':
        // REP repeats a character already printed, never more than one screenful asks for.
        for (int i = 0; m_lastPrinted != 0 && i < std::min(count, kMaxRepeat); ++i) {
            screen.put(m_lastPrinted, m_modes.autoWrap, m_modes.insert);
        }
        break;
    default: break;
    }
}

void Terminal::privateCsi(const Csi& sequence)
{
    const char prefix = sequence.prefix;
    const std::string& between = sequence.intermediates;
    if (prefix == '?' && between.empty()) {
        switch (sequence.final) {
        case 'h':
        case 'l':
            for (std::size_t i = 0; i < sequence.parameters.size(); ++i) {
                setMode(true, sequence.value(i, 0), sequence.final == 'h');
            }
            break;
        case 'J': active().eraseInDisplay(sequence.value(0, 0)); break;
        case 'K': active().eraseInLine(sequence.value(0, 0)); break;
        case 'n': deviceStatus(sequence.value(0, 0), true); break;
        case 'u': send("\x1b[?" + std::to_string(m_modes.kittyKeyboard) + "u"); break;
        default: break;
        }
    } else if (prefix == '?' && between == "$" && sequence.final == 'p') {
        const int mode = sequence.value(0, 0);
        send("\x1b[?" + std::to_string(mode) + ";" + std::to_string(modeState(mode)) + "$y");
    } else if (prefix == '>' && between.empty()) {
        if (sequence.final == 'c') {
            send("\x1b[>1;100;0c");
        } else if (sequence.final == 'q') {
            send("\x1bP>|Coldframe 1\x1b\\");
        } else if (sequence.final == 'm' && sequence.value(0, 0) == 4) {
            m_modes.modifyOtherKeys = sequence.value(1, 0) == 2;
        } else if (sequence.final == 'u') {
            if (m_kittyStack.size() < kMaxKittyStack) {
                m_kittyStack.push_back(m_modes.kittyKeyboard);
            }
            m_modes.kittyKeyboard = static_cast<std::uint8_t>(sequence.value(0, 0) & 1);
        }
    } else if (prefix == '<' && sequence.final == 'u') {
        for (int i = 0; i < std::min(sequence.count(0), static_cast<int>(kMaxKittyStack)); ++i) {
            m_modes.kittyKeyboard = m_kittyStack.empty() ? 0 : m_kittyStack.back();
            if (!m_kittyStack.empty()) {
                m_kittyStack.pop_back();
            }
        }
    } else if (prefix == '=' && sequence.final == 'u') {
        m_modes.kittyKeyboard = static_cast<std::uint8_t>(sequence.value(0, 0) & 1);
    } else if (prefix == 0 && between == " " && sequence.final == 'q') {
        const int style = sequence.value(0, 0);
        m_modes.cursorShape = style >= 5   ? CursorShape::Bar
                              : style >= 3 ? CursorShape::Underline
                                           : CursorShape::Block;
        m_modes.cursorBlink = style == 0 || style % 2 == 1;
    } else if (prefix == 0 && between == "!" && sequence.final == 'p') {
        // DECSTR, soft reset.
        const bool alternate = m_modes.alternateScreen;
        m_modes = Modes{};
        m_modes.alternateScreen = alternate;
        active().style = Style{};
        active().originMode = false;
        active().setMargins(0, active().rows() - 1);
    }
}

void Terminal::deviceStatus(int what, bool isPrivate)
{
    if (what == 5 && !isPrivate) {
        send("\x1b[0n");
    } else if (what == 6) {
        const Screen& screen = active();
        const int row = screen.cursor().row - (screen.originMode ? screen.topMargin() : 0);
        send(std::string("\x1b[") + (isPrivate ? "?" : "") + std::to_string(row + 1) + ";" +
             std::to_string(screen.cursor().column + 1) + "R");
    } else if (what == 996 && isPrivate) {
        send(isDark() ? "\x1b[?997;1n" : "\x1b[?997;2n");
    }
}

bool Terminal::isDark() const
{
    return ((m_background >> 16) & 255) + ((m_background >> 8) & 255) + (m_background & 255) < 384;
}

int Terminal::modeState(int mode) const
{
    const auto state = [](bool on) { return on ? 1 : 2; };
    switch (mode) {
    case 1: return state(m_modes.applicationCursorKeys);
    case 5: return state(m_modes.reverseVideo);
    case 6: return state(screen().originMode);
    case 7: return state(m_modes.autoWrap);
    case 25: return state(m_modes.cursorVisible);
    case 47:
    case 1047:
    case 1049: return state(m_modes.alternateScreen);
    case 1000: return state(m_modes.mouse == MouseTracking::Press);
    case 1002: return state(m_modes.mouse == MouseTracking::Drag);
    case 1003: return state(m_modes.mouse == MouseTracking::Motion);
    case 1004: return state(m_modes.focusEvents);
    case 1006: return state(m_modes.sgrMouse);
    case 1007: return state(m_modes.alternateScroll);
    case 2004: return state(m_modes.bracketedPaste);
    case 2026: return state(m_modes.synchronizedOutput);
    case 2031: return state(m_modes.colorReports);
    default: return 0;
    }
}

void Terminal::setMode(bool isPrivate, int mode, bool on)
{
    if (!isPrivate) {
        if (mode == 4) {
            m_modes.insert = on;
        } else if (mode == 20) {
            m_modes.newLine = on;
        }
        return;
    }
    const auto mouse = [&](MouseTracking tracking) { m_modes.mouse = on ? tracking : MouseTracking::None; };
    switch (mode) {
    case 1: m_modes.applicationCursorKeys = on; break;
    case 5: m_modes.reverseVideo = on; break;
    case 6:
        active().originMode = on;
        active().moveTo(0, 0);
        break;
    case 7: m_modes.autoWrap = on; break;
    case 12: m_modes.cursorBlink = on; break;
    case 25: m_modes.cursorVisible = on; break;
    case 47: setAlternateScreen(on, false, false); break;
    case 1047: setAlternateScreen(on, !on, false); break;
    case 1048: on ? active().saveCursor() : active().restoreCursor(); break;
    case 1049: setAlternateScreen(on, on, true); break;
    case 9:
    case 1000: mouse(MouseTracking::Press); break;
    case 1002: mouse(MouseTracking::Drag); break;
    case 1003: mouse(MouseTracking::Motion); break;
    case 1004: m_modes.focusEvents = on; break;
    case 1006: m_modes.sgrMouse = on; break;
    case 1007: m_modes.alternateScroll = on; break;
    case 2004: m_modes.bracketedPaste = on; break;
    case 2026: m_modes.synchronizedOutput = on; break;
    case 2031: m_modes.colorReports = on; break;
    default: break;
    }
}

void Terminal::setAlternateScreen(bool on, bool clear, bool saveCursor)
{
    if (on == m_modes.alternateScreen) {
        return;
    }
    if (on && saveCursor) {
        m_primary.saveCursor();
    }
    if (clear) {
        m_alternate.style = Style{};
        m_alternate.eraseInDisplay(2);
    }
    if (on) {
        const Position cursor = m_primary.cursor();
        m_modes.alternateScreen = true;
        m_alternate.originMode = false;
        m_alternate.setMargins(0, m_alternate.rows() - 1);
        m_alternate.moveTo(cursor.row, cursor.column);
    } else {
        m_modes.alternateScreen = false;
        if (saveCursor) {
            m_primary.restoreCursor();
        }
    }
}

void Terminal::osc(std::string_view text)
{
    const std::size_t semicolon = text.find(';');
    const std::string_view number = text.substr(0, semicolon);
    const std::string_view rest = semicolon == std::string_view::npos ? std::string_view{} : text.substr(semicolon + 1);
    if (number == "0" || number == "2") {
        if (m_callbacks.title) {
            m_callbacks.title(cleanForTitle(rest, 200));
        }
    } else if (number == "10" || number == "11") {
        if (rest == "?") {
            const std::uint32_t color = number == "10" ? m_foreground : m_background;
            char reply[64];
            std::snprintf(reply, sizeof reply, "\x1b]%s;rgb:%02x%02x/%02x%02x/%02x%02x\x1b\\",
                          number == "10" ? "10" : "11", (color >> 16) & 255u, (color >> 16) & 255u, (color >> 8) & 255u,
                          (color >> 8) & 255u, color & 255u, color & 255u);
            send(reply);
        }
    } else if (number == "52") {
        oscClipboard(rest);
    } else if (number == "9" || number == "777") {
        oscNotification(rest);
    }
}

void Terminal::oscClipboard(std::string_view text)
{
    const std::size_t semicolon = text.find(';');
    if (semicolon == std::string_view::npos || !m_callbacks.clipboardWrite) {
        return;
    }
    const std::string_view data = text.substr(semicolon + 1);
    if (data == "?" || data.empty()) {
        return; // a read of the user's clipboard is never answered
    }
    std::string decoded;
    if (decodeBase64(data, decoded) && decoded.size() <= 64 * 1024) {
        m_callbacks.clipboardWrite(decoded);
    }
}

void Terminal::oscNotification(std::string_view text)
{
    if (text.starts_with("4;")) {
        int state = 0;
        int percent = 0;
        const std::string copy(text.substr(2, 16));
        if (std::sscanf(copy.c_str(), "%d;%d", &state, &percent) >= 1 && m_callbacks.progress) {
            m_callbacks.progress(std::clamp(state, 0, 4), std::clamp(percent, 0, 100));
        }
        return;
    }
    if (text.starts_with("notify;")) {
        text.remove_prefix(7);
    }
    if (m_callbacks.notification && !text.empty()) {
        m_callbacks.notification(cleanForTitle(text, 400));
    }
}

void Terminal::dcs(const Csi& introducer, std::string_view)
{
    // DECRQSS and XTGETTCAP are answered "not valid" without repeating what was asked: no echo for an attacker.
    if (introducer.intermediates == "$" && introducer.final == 'q') {
        send("\x1bP0$r\x1b\\");
    } else if (introducer.intermediates == "+" && introducer.final == 'q') {
        send("\x1bP0+r\x1b\\");
    }
}

} // namespace coldframe::terminal
