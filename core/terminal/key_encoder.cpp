// SPDX-License-Identifier: Apache-2.0
#include "terminal/key_encoder.h"

#include <algorithm>

namespace coldframe::terminal {

namespace {

int modifierParameter(Modifiers m) { return 1 + (m.shift ? 1 : 0) + (m.alt ? 2 : 0) + (m.control ? 4 : 0); }

std::string cursorKey(char final, Modifiers m, bool application)
{
    const int parameter = modifierParameter(m);
    if (parameter > 1) {
        return "\x1b[1;" + std::to_string(parameter) + final;
    }
    return std::string(application ? "\x1bO" : "\x1b[") + final;
}

std::string tildeKey(int number, Modifiers m)
{
    const int parameter = modifierParameter(m);
    return "\x1b[" + std::to_string(number) + (parameter > 1 ? ";" + std::to_string(parameter) : "") + "~";
}

std::string csiU(char32_t code, Modifiers m)
{
    const int parameter = modifierParameter(m);
    return "\x1b[" + std::to_string(static_cast<unsigned>(code)) +
           (parameter > 1 ? ";" + std::to_string(parameter) : "") + "u";
}

std::string functionKey(int number, Modifiers m)
{
    if (number >= 1 && number <= 4) {
        return cursorKey(static_cast<char>('P' + number - 1), m, true);
    }
    static constexpr int kCodes[] = {15, 17, 18, 19, 20, 21, 23, 24};
    if (number >= 5 && number <= 12) {
        return tildeKey(kCodes[number - 5], m);
    }
    return {};
}

} // namespace

std::string encodeUtf8(char32_t c)
{
    std::string out;
    const auto add = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) {
        add(c);
    } else if (c < 0x800) {
        add(0xC0 | (c >> 6));
        add(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        add(0xE0 | (c >> 12));
        add(0x80 | ((c >> 6) & 0x3F));
        add(0x80 | (c & 0x3F));
    } else {
        add(0xF0 | (c >> 18));
        add(0x80 | ((c >> 12) & 0x3F));
        add(0x80 | ((c >> 6) & 0x3F));
        add(0x80 | (c & 0x3F));
    }
    return out;
}

std::string encodeKey(Key key, Modifiers m, const Modes& modes, int functionNumber)
{
    const bool extended = (modes.kittyKeyboard & 1) != 0 || modes.modifyOtherKeys;
    const std::string alt = m.alt ? "\x1b" : "";
    switch (key) {
    case Key::Up: return cursorKey('A', m, modes.applicationCursorKeys);
    case Key::Down: return cursorKey('B', m, modes.applicationCursorKeys);
    case Key::Right: return cursorKey('C', m, modes.applicationCursorKeys);
    case Key::Left: return cursorKey('D', m, modes.applicationCursorKeys);
    case Key::Home: return cursorKey('H', m, modes.applicationCursorKeys);
    case Key::End: return cursorKey('F', m, modes.applicationCursorKeys);
    case Key::Insert: return tildeKey(2, m);
    case Key::Delete: return tildeKey(3, m);
    case Key::PageUp: return tildeKey(5, m);
    case Key::PageDown: return tildeKey(6, m);
    case Key::Function: return functionKey(functionNumber, m);
    case Key::Backspace: return alt + (m.control ? "\b" : "\x7f");
    case Key::Tab:
        if (m.shift) {
            return "\x1b[Z";
        }
        return extended && m.control ? csiU(9, m) : alt + "\t";
    case Key::Enter:
        if (extended && (m.shift || m.control)) {
            return csiU(13, m);
        }
        return alt + (modes.newLine ? "\r\n" : "\r");
    case Key::Escape: return (modes.kittyKeyboard & 1) != 0 ? csiU(27, m) : alt + "\x1b";
    }
    return {};
}

std::string encodeCharacter(char32_t c, Modifiers m, const Modes& modes)
{
    if ((modes.kittyKeyboard & 1) != 0 && (m.control || m.alt)) {
        const char32_t lower = c >= 'A' && c <= 'Z' ? c + 32 : c;
        return csiU(lower, m);
    }
    std::string bytes;
    if (m.control) {
        if ((c >= 'a' && c <= 'z') || (c >= '@' && c <= '_')) {
            bytes = std::string(1, static_cast<char>(c & 0x1F));
        } else if (c == ' ' || c == '2') {
            bytes = std::string(1, '\0');
        } else if (c == '/') {
            bytes = "\x1f";
        } else {
            bytes = encodeUtf8(c);
        }
    } else {
        bytes = encodeUtf8(c);
    }
    return (m.alt ? "\x1b" : "") + bytes;
}

std::string encodeMouse(MouseAction action, int button, Position position, Modifiers m, const Modes& modes)
{
    if (modes.mouse == MouseTracking::None) {
        return {};
    }
    if (action == MouseAction::Move &&
        (modes.mouse == MouseTracking::Press || (modes.mouse == MouseTracking::Drag && button == 3))) {
        return {};
    }
    int code = button + (m.shift ? 4 : 0) + (m.alt ? 8 : 0) + (m.control ? 16 : 0) +
               (action == MouseAction::Move ? 32 : 0);
    const int column = std::max(0, position.column) + 1;
    const int row = std::max(0, position.row) + 1;
    if (modes.sgrMouse) {
        return "\x1b[<" + std::to_string(code) + ";" + std::to_string(column) + ";" + std::to_string(row) +
               (action == MouseAction::Release ? "m" : "M");
    }
    if (column > 223 || row > 223) {
        return {};
    }
    if (action == MouseAction::Release) {
        code = (code & ~3) | 3;
    }
    return std::string("\x1b[M") + static_cast<char>(32 + code) + static_cast<char>(32 + column) +
           static_cast<char>(32 + row);
}

} // namespace coldframe::terminal
