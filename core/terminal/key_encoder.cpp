// SPDX-License-Identifier: Apache-2.0
#include "terminal/key_encoder.h"

#include <algorithm>

namespace coldframe::terminal {

namespace {

constexpr unsigned kDisambiguate = 1;
constexpr unsigned kEventTypes = 2;
constexpr unsigned kAlternates = 4;
constexpr unsigned kAllKeys = 8;
constexpr unsigned kText = 16;

/// How a key is named in sequences: a number, and the final byte of its CSI.
struct Name
{
    int number = 0;
    char final = 0;
};

Name nameOf(const KeyEvent& event)
{
    switch (event.key) {
    case Key::Up: return {1, 'A'};
    case Key::Down: return {1, 'B'};
    case Key::Right: return {1, 'C'};
    case Key::Left: return {1, 'D'};
    case Key::Home: return {1, 'H'};
    case Key::End: return {1, 'F'};
    case Key::Insert: return {2, '~'};
    case Key::Delete: return {3, '~'};
    case Key::PageUp: return {5, '~'};
    case Key::PageDown: return {6, '~'};
    case Key::Backspace: return {127, 'u'};
    case Key::Tab: return {9, 'u'};
    case Key::Enter: return {13, 'u'};
    case Key::Escape: return {27, 'u'};
    case Key::CapsLock: return {57358, 'u'};
    case Key::ScrollLock: return {57359, 'u'};
    case Key::NumLock: return {57360, 'u'};
    case Key::PrintScreen: return {57361, 'u'};
    case Key::Pause: return {57362, 'u'};
    case Key::Menu: return {57363, 'u'};
    case Key::Shift: return {57441, 'u'};
    case Key::Control: return {57442, 'u'};
    case Key::Alt: return {57443, 'u'};
    case Key::Super: return {57444, 'u'};
    case Key::Character: return {static_cast<int>(event.character), 'u'};
    case Key::Function: break;
    }
    static constexpr int kTildes[] = {15, 17, 18, 19, 20, 21, 23, 24};
    const int n = event.function;
    if (n >= 1 && n <= 4) {
        return n == 3 ? Name{13, '~'} : Name{1, static_cast<char>('P' + n - 1)};
    }
    if (n >= 5 && n <= 12) {
        return {kTildes[n - 5], '~'};
    }
    return n >= 13 && n <= 35 ? Name{57376 + n - 13, 'u'} : Name{};
}

bool isModifier(Key key)
{
    return key == Key::Shift || key == Key::Control || key == Key::Alt || key == Key::Super || key == Key::CapsLock || key == Key::NumLock;
}

int modifierParameter(Modifiers m) { return 1 + (m.shift ? 1 : 0) + (m.alt ? 2 : 0) + (m.control ? 4 : 0) + (m.super ? 8 : 0); }

char32_t upper(char32_t c) { return c >= U'a' && c <= U'z' ? c - 32 : c; }
char32_t lower(char32_t c) { return c >= U'A' && c <= U'Z' ? c + 32 : c; }

/// What the key types when neither Control nor Alt is held.
std::u32string typed(const KeyEvent& event)
{
    if (event.key != Key::Character || !event.text.empty()) {
        return event.text;
    }
    const char32_t c = !event.modifiers.shift ? event.character : event.shifted != 0 ? event.shifted : upper(event.character);
    return std::u32string(1, c);
}

std::string utf8(const std::u32string& text)
{
    std::string bytes;
    for (const char32_t c : text) {
        bytes += encodeUtf8(c);
    }
    return bytes;
}

/// VT100 User Guide, table 3-5, with what xterm adds; -1: the character has none.
int controlCode(char32_t c)
{
    c = upper(c);
    if (c >= '@' && c <= '_') {
        return static_cast<int>(c) & 0x1F;
    }
    switch (c) {
    case ' ':
    case '2': return 0;
    case '3': return 0x1B;
    case '4': return 0x1C;
    case '5': return 0x1D;
    case '6': return 0x1E;
    case '7':
    case '/': return 0x1F;
    case '8':
    case '?': return 0x7F;
    default: return -1;
    }
}

std::string legacyCharacter(const KeyEvent& event)
{
    const Modifiers& m = event.modifiers;
    const std::string alt = m.alt ? "\x1b" : "";
    const int control = m.control ? controlCode(event.character) : -1;
    return alt + (control >= 0 ? std::string(1, static_cast<char>(control)) : utf8(typed(event)));
}

std::string otherKey(int code, Modifiers m) { return "\x1b[27;" + std::to_string(modifierParameter(m)) + ";" + std::to_string(code) + "~"; }

/// xterm's modifyOtherKeys; empty: the key has its usual bytes.
std::string modifiedOtherKey(const KeyEvent& event, int level)
{
    const Modifiers& m = event.modifiers;
    const bool isModified = m.control || m.alt || m.super;
    switch (event.key) {
    case Key::Character: {
        if (!isModified || (level == 1 && (!m.control || controlCode(event.character) >= 0))) {
            return {};
        }
        const char32_t c = !m.shift ? event.character : event.shifted != 0 ? event.shifted : upper(event.character);
        return otherKey(static_cast<int>(c), m);
    }
    case Key::Enter: return isModified || m.shift ? otherKey(13, m) : std::string();
    case Key::Tab: return isModified ? otherKey(9, m) : std::string();
    case Key::Backspace: return level == 2 && isModified ? otherKey(127, m) : std::string();
    case Key::Escape: return level == 2 && isModified ? otherKey(27, m) : std::string();
    default: return {};
    }
}

std::string legacy(const KeyEvent& event, const Modes& modes)
{
    const Modifiers& m = event.modifiers;
    const std::string alt = m.alt ? "\x1b" : "";
    if (modes.modifyOtherKeys != 0 && modes.kittyKeyboard == 0) {
        if (std::string bytes = modifiedOtherKey(event, modes.modifyOtherKeys); !bytes.empty()) {
            return bytes;
        }
    }
    switch (event.key) {
    case Key::Character: return legacyCharacter(event);
    case Key::Backspace: return alt + (m.control != modes.backarrowSendsBackspace ? "\b" : "\x7f");
    case Key::Tab: return m.shift ? "\x1b[Z" : alt + "\t";
    case Key::Enter: return alt + (modes.newLine ? "\r\n" : "\r");
    case Key::Escape: return alt + "\x1b";
    default: break;
    }
    Name name = nameOf(event);
    if (event.key == Key::Function && event.function == 3) {
        name = {1, 'R'};
    }
    const int parameter = modifierParameter(m);
    if (name.final == 'u' || name.final == 0) {
        return {}; // the key has no bytes
    }
    if (name.final == '~') {
        return "\x1b[" + std::to_string(name.number) + (parameter > 1 ? ";" + std::to_string(parameter) : "") + "~";
    }
    if (parameter > 1) {
        return "\x1b[1;" + std::to_string(parameter) + name.final;
    }
    const bool isApplication = event.key == Key::Function || (modes.applicationCursorKeys && modes.kittyKeyboard == 0);
    return std::string(isApplication ? "\x1bO" : "\x1b[") + name.final;
}

std::string kittySequence(const KeyEvent& event, unsigned flags)
{
    const Name name = nameOf(event);
    if (name.final == 0) {
        return {};
    }
    const Modifiers& m = event.modifiers;
    int parameter = modifierParameter(m);
    if ((flags & kAllKeys) != 0) {
        parameter += (m.capsLock ? 64 : 0) + (m.numLock ? 128 : 0);
    }
    std::string number = std::to_string(name.number);
    if (event.key == Key::Character) {
        number = std::to_string(static_cast<unsigned>(lower(event.character)));
        if ((flags & kAlternates) != 0) {
            const char32_t shifted = event.shifted != 0 ? event.shifted : upper(event.character);
            if (m.shift && shifted != event.character) {
                number += ":" + std::to_string(static_cast<unsigned>(shifted));
            }
            if (event.base != 0 && event.base != event.character) {
                number += (m.shift && shifted != event.character ? ":" : "::") + std::to_string(static_cast<unsigned>(event.base));
            }
        }
    }
    std::string second = parameter > 1 ? std::to_string(parameter) : "";
    if ((flags & kEventTypes) != 0 && event.action != KeyAction::Press) {
        second = std::to_string(parameter) + (event.action == KeyAction::Repeat ? ":2" : ":3");
    }
    std::string third;
    if ((flags & kText) != 0 && (flags & kAllKeys) != 0 && event.action != KeyAction::Release && event.key == Key::Character && !m.control && !m.alt && !m.super) {
        for (const char32_t c : typed(event)) {
            if (c >= 0x20 && (c < 0x7F || c >= 0xA0)) {
                third += (third.empty() ? "" : ":") + std::to_string(static_cast<unsigned>(c));
            }
        }
    }
    if (second.empty() && third.empty()) {
        return name.final == 'u' || name.final == '~' ? "\x1b[" + number + name.final : std::string("\x1b[") + name.final;
    }
    return "\x1b[" + number + ";" + second + (third.empty() ? "" : ";" + third) + name.final;
}

} // namespace

std::string encodeKey(const KeyEvent& given, const Modes& modes)
{
    const unsigned flags = modes.kittyKeyboard;
    KeyEvent event = given;
    if ((flags & kEventTypes) == 0) {
        if (event.action == KeyAction::Release) {
            return {};
        }
        event.action = KeyAction::Press;
    }
    if (isModifier(event.key) && (flags & kAllKeys) == 0) {
        return {};
    }
    if (flags == 0) {
        return legacy(event, modes);
    }
    if ((flags & kAllKeys) != 0) {
        return kittySequence(event, flags);
    }
    const Modifiers& m = event.modifiers;
    const bool isModified = m.control || m.alt || m.super;
    const bool isText = event.key == Key::Character && !isModified;
    const bool isPlainEditing = (event.key == Key::Enter || event.key == Key::Tab || event.key == Key::Backspace) && !isModified && !m.shift;
    if (isText || isPlainEditing) {
        return event.action == KeyAction::Release ? std::string() : legacy(event, modes);
    }
    const Name name = nameOf(event);
    const bool isEditing = event.key == Key::Enter || event.key == Key::Tab || event.key == Key::Backspace;
    if (isEditing && event.action == KeyAction::Release) {
        return {}; // so that a program that died leaves a shell that can be used
    }
    if ((flags & kDisambiguate) == 0 && name.final == 'u' && (event.key == Key::Character || isEditing || event.key == Key::Escape)) {
        return event.action == KeyAction::Release ? std::string() : legacy(event, modes);
    }
    return kittySequence(event, flags);
}

std::string encodeKey(Key key, Modifiers modifiers, const Modes& modes, int functionNumber)
{
    KeyEvent event;
    event.key = key;
    event.modifiers = modifiers;
    event.function = functionNumber;
    return encodeKey(event, modes);
}

std::string encodeCharacter(char32_t character, Modifiers modifiers, const Modes& modes)
{
    KeyEvent event;
    event.modifiers = modifiers;
    event.character = lower(character);
    event.shifted = modifiers.shift ? (character != event.character ? character : 0) : 0;
    if (!modifiers.control && !modifiers.alt && !modifiers.super) {
        event.text = std::u32string(1, modifiers.shift ? upper(character) : character);
    } else if (character != event.character && !modifiers.control) {
        event.text = std::u32string(1, character);
    }
    return encodeKey(event, modes);
}

std::string encodeMouse(MouseAction action, int button, Position position, Modifiers m, const Modes& modes)
{
    if (modes.mouse == MouseTracking::None || (modes.mouse == MouseTracking::X10 && (action != MouseAction::Press || button > 2))) {
        return {};
    }
    if (modes.mouse == MouseTracking::X10) {
        m = {}; // it tells no modifiers
    }
    if (action == MouseAction::Move &&
        (modes.mouse == MouseTracking::Press || modes.mouse == MouseTracking::X10 || (modes.mouse == MouseTracking::Drag && button == 3))) {
        return {};
    }
    if (action == MouseAction::Release && button >= 64) {
        return {}; // a wheel is not held
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
