// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/key_event.h"

#include <QKeyEvent>

namespace coldframe::ui {

using namespace terminal;

namespace {

std::optional<Key> namedKey(int key)
{
    switch (key) {
    case Qt::Key_Up: return Key::Up;
    case Qt::Key_Down: return Key::Down;
    case Qt::Key_Left: return Key::Left;
    case Qt::Key_Right: return Key::Right;
    case Qt::Key_Home: return Key::Home;
    case Qt::Key_End: return Key::End;
    case Qt::Key_PageUp: return Key::PageUp;
    case Qt::Key_PageDown: return Key::PageDown;
    case Qt::Key_Insert: return Key::Insert;
    case Qt::Key_Delete: return Key::Delete;
    case Qt::Key_Backspace: return Key::Backspace;
    case Qt::Key_Escape: return Key::Escape;
    case Qt::Key_Return:
    case Qt::Key_Enter: return Key::Enter;
    case Qt::Key_Tab:
    case Qt::Key_Backtab: return Key::Tab;
    case Qt::Key_CapsLock: return Key::CapsLock;
    case Qt::Key_ScrollLock: return Key::ScrollLock;
    case Qt::Key_NumLock: return Key::NumLock;
    case Qt::Key_Print: return Key::PrintScreen;
    case Qt::Key_Pause: return Key::Pause;
    case Qt::Key_Menu: return Key::Menu;
    case Qt::Key_Shift: return Key::Shift;
    case Qt::Key_Control: return Key::Control;
    case Qt::Key_Alt: return Key::Alt;
    case Qt::Key_Super_L:
    case Qt::Key_Super_R:
    case Qt::Key_Meta: return Key::Super;
    default: return std::nullopt;
    }
}

} // namespace

std::optional<KeyEvent> keyEventOf(const QKeyEvent& event)
{
    KeyEvent made;
    const bool isRelease = event.type() == QEvent::KeyRelease;
    if (isRelease && event.isAutoRepeat()) {
        return std::nullopt;
    }
    made.action = isRelease ? KeyAction::Release : event.isAutoRepeat() ? KeyAction::Repeat : KeyAction::Press;
    const Qt::KeyboardModifiers held = event.modifiers();
    made.modifiers.shift = held.testFlag(Qt::ShiftModifier) || event.key() == Qt::Key_Backtab;
    made.modifiers.alt = held.testFlag(Qt::AltModifier);
    made.modifiers.control = held.testFlag(Qt::ControlModifier);
    made.modifiers.super = held.testFlag(Qt::MetaModifier);
    made.isKeypad = held.testFlag(Qt::KeypadModifier);
    const int key = event.key();
    if (const std::optional<Key> named = namedKey(key)) {
        made.key = *named;
        return made;
    }
    if (key >= Qt::Key_F1 && key <= Qt::Key_F35) {
        made.key = Key::Function;
        made.function = key - Qt::Key_F1 + 1;
        return made;
    }
    const bool isAscii = key >= Qt::Key_Space && key <= Qt::Key_AsciiTilde;
    if (!made.modifiers.control) { // with Control the text is a control character
        for (const uint c : event.text().toUcs4()) {
            if (c >= 0x20 && (c < 0x7F || c >= 0xA0)) {
                made.text += static_cast<char32_t>(c);
            }
        }
    }
    if (isAscii) {
        made.character = static_cast<char32_t>(key);
    } else if (!made.text.empty()) {
        made.character = made.text.front();
    } else {
        return std::nullopt; // a dead key, or one that only the desktop knows
    }
    const char32_t asTyped = made.character;
    made.character = static_cast<char32_t>(QChar::toLower(static_cast<uint>(asTyped)));
    if (made.modifiers.shift) {
        made.shifted = made.text.size() == 1 ? made.text.front() : asTyped;
    }
    return made;
}

} // namespace coldframe::ui
