// SPDX-License-Identifier: Apache-2.0
#include "terminal/key_encoder.h"
#include "terminal/text_safety.h"
#include "terminal/graphemes.h"

#include <QtTest>

using namespace coldframe::terminal;

class TestTerminalKeys : public QObject
{
    Q_OBJECT

private slots:
    void namedKeys()
    {
        Modes modes;
        QCOMPARE(encodeKey(Key::Up, {}, modes), std::string("\x1b[A"));
        modes.applicationCursorKeys = true;
        QCOMPARE(encodeKey(Key::Up, {}, modes), std::string("\x1bOA"));
        QCOMPARE(encodeKey(Key::Up, {.control = true}, modes), std::string("\x1b[1;5A"));
        QCOMPARE(encodeKey(Key::Delete, {}, modes), std::string("\x1b[3~"));
        QCOMPARE(encodeKey(Key::Function, {}, modes, 5), std::string("\x1b[15~"));
        QCOMPARE(encodeKey(Key::Function, {}, modes, 1), std::string("\x1bOP"));
        QCOMPARE(encodeKey(Key::Backspace, {}, modes), std::string("\x7f"));
        QCOMPARE(encodeKey(Key::Tab, {.shift = true}, modes), std::string("\x1b[Z"));
        QCOMPARE(encodeKey(Key::Enter, {}, modes), std::string("\r"));
    }

    void shiftEnterIsToldApartWhenAsked()
    {
        Modes modes;
        QCOMPARE(encodeKey(Key::Enter, {.shift = true}, modes), std::string("\r"));
        modes.kittyKeyboard = 1;
        QCOMPARE(encodeKey(Key::Enter, {.shift = true}, modes), std::string("\x1b[13;2u"));
        QCOMPARE(encodeKey(Key::Escape, {}, modes), std::string("\x1b[27u"));
        QCOMPARE(encodeCharacter(U'c', {.control = true}, modes), std::string("\x1b[99;5u"));
    }

    void controlCharacters()
    {
        const Modes modes;
        QCOMPARE(encodeCharacter(U'c', {.control = true}, modes), std::string("\x03"));
        QCOMPARE(encodeCharacter(U'd', {.control = true}, modes), std::string("\x04"));
        QCOMPARE(encodeCharacter(U'[', {.control = true}, modes), std::string("\x1b"));
        QCOMPARE(encodeCharacter(U'x', {.alt = true}, modes), std::string("\x1bx"));
        QCOMPARE(encodeCharacter(U'é', {}, modes), std::string("\xC3\xA9"));
    }

    void mouse()
    {
        Modes modes;
        QVERIFY(encodeMouse(MouseAction::Press, 0, {4, 9}, {}, modes).empty());
        modes.mouse = MouseTracking::Press;
        QCOMPARE(encodeMouse(MouseAction::Press, 0, {4, 9}, {}, modes), std::string("\x1b[M *%"));
        modes.sgrMouse = true;
        QCOMPARE(encodeMouse(MouseAction::Press, 0, {4, 9}, {}, modes), std::string("\x1b[<0;10;5M"));
        QCOMPARE(encodeMouse(MouseAction::Release, 0, {4, 999}, {}, modes), std::string("\x1b[<0;1000;5m"));
        QVERIFY(encodeMouse(MouseAction::Move, 0, {0, 0}, {}, modes).empty());
        modes.mouse = MouseTracking::Drag;
        QCOMPARE(encodeMouse(MouseAction::Move, 0, {0, 0}, {}, modes), std::string("\x1b[<32;1;1M"));
    }

    void pasteCannotEndItsBracket()
    {
        QCOMPARE(encodePaste("a\nb", false), std::string("a\rb"));
        const std::string attack = "x\x1b[201~rm -rf ~\n";
        const std::string bracketed = encodePaste(attack, true);
        QVERIFY(bracketed.find("\x1b[201~") == bracketed.size() - 6);
        QVERIFY(bracketed.find("rm -rf") != std::string::npos);
    }

    void widths()
    {
        const auto width = [](char32_t c) { return traitsOf(c).width(); };
        QCOMPARE(width(U'a'), 1);
        QCOMPARE(width(U'中'), 2);
        QCOMPARE(width(0x1F600), 2);
        QCOMPARE(width(0x301), 0);
        QCOMPARE(width(0x200D), 0);
        QCOMPARE(width(0x2500), 1);
    }
};

QTEST_APPLESS_MAIN(TestTerminalKeys)
#include "test_terminal_keys.moc"
