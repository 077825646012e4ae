// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/parser.h"
#include "terminal/row.h"
#include "terminal/screen.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace coldframe::terminal {

enum class MouseTracking : std::uint8_t { None, Press, Drag, Motion }; ///< modes 9/1000, 1002, 1003
enum class CursorShape : std::uint8_t { Block, Underline, Bar };

/// What the program switched on; the view and the key encoder read it.
struct Modes
{
    bool applicationCursorKeys = false; ///< DECCKM
    bool applicationKeypad = false;     ///< DECKPAM
    bool bracketedPaste = false;        ///< 2004
    bool focusEvents = false;           ///< 1004
    bool sgrMouse = false;              ///< 1006
    bool autoWrap = true;               ///< DECAWM
    bool insert = false;                ///< IRM
    bool newLine = false;               ///< LNM
    bool cursorVisible = true;          ///< DECTCEM
    bool cursorBlink = false;
    bool synchronizedOutput = false;    ///< 2026: hold painting (the view gives up after its own time limit)
    bool reverseVideo = false;          ///< DECSCNM
    bool colorReports = false;          ///< 2031: the program is told when light and dark change
    bool alternateScreen = false;
    bool alternateScroll = true;        ///< 1007: wheel sends arrows on the alternate screen
    MouseTracking mouse = MouseTracking::None;
    CursorShape cursorShape = CursorShape::Block;
    std::uint8_t kittyKeyboard = 0;     ///< progressive enhancement flags; only bit 1 (disambiguate) is offered
    bool modifyOtherKeys = false;
};

/// What a program asked of the surroundings. Titles and texts are already cleaned of controls and bidi marks.
struct Callbacks
{
    std::function<void(std::string_view bytes)> reply;       ///< to the program: answers to its queries
    std::function<void(const std::string& title)> title;
    std::function<void()> bell;
    std::function<void(const std::string& text)> notification; ///< OSC 9, 777
    std::function<void(const std::string& text)> clipboardWrite; ///< OSC 52 write, decoded, ≤ 64 KiB; reads are never answered
    std::function<void(int state, int percent)> progress;      ///< OSC 9;4
};

/// A terminal of the xterm kind: parser, primary and alternate screen, scrollback, modes. The guest's bytes are
/// hostile: all memory is bounded and no sequence echoes text it chose. Single-threaded; no I/O of its own.
class Terminal : private ParserHandler
{
public:
    Terminal(int rows, int columns, Callbacks callbacks, ScrollbackLimits scrollback = {});

    void feed(std::string_view bytes) { m_parser.feed(bytes); }
    void resize(int rows, int columns);

    const Screen& screen() const { return m_modes.alternateScreen ? m_alternate : m_primary; }
    /// The screen behind the alternate one, or the one that is shown.
    const Screen& primaryScreen() const { return m_primary; }
    /// See Parser::unfinishedBytes().
    std::size_t unfinishedBytes() const { return m_parser.unfinishedBytes(); }
    int rows() const { return screen().rows(); }
    int columns() const { return screen().columns(); }
    Position cursor() const { return screen().cursor(); }
    bool wrapPending() const { return screen().wrapPending(); }
    std::size_t scrollbackRows() const { return m_scrollback.size(); }
    std::size_t totalRows() const { return totalLines(); } ///< scrollback first, then the screen
    /// How many rows were dropped from the front of the scrollback since the start: a row's index plus this never changes
    /// while the terminal keeps its width.
    std::uint64_t droppedRows() const { return m_scrollback.dropped(); }
    void readRow(std::size_t row, Row& out) const; ///< 0 = the oldest of the scrollback; blank outside
    void readScreenRow(int row, Row& out) const { readRow(scrollbackRows() + static_cast<std::size_t>(row), out); }
    /// Another one whenever the row of the screen shows something else; it moves with the row. No two rows have the same.
    std::uint64_t rowStamp(int screenRow) const;
    const Scrollback& scrollback() const { return m_scrollback; }
    const Modes& modes() const { return m_modes; }
    /// Colours the view uses, told to programs that ask (OSC 10, 11): 0xRRGGBB.
    void setDefaultColors(std::uint32_t foreground, std::uint32_t background);
    void clearScrollback() { m_scrollback.clear(); }
    /// Rows from the oldest scrollback line on: scrollback first, then the screen.
    const Line& lineAt(std::size_t row) const;
    std::size_t totalLines() const { return scrollback().size() + static_cast<std::size_t>(screen().rows()); }

private:
    void print(char32_t character) override;
    void execute(char control) override;
    void csi(const Csi& sequence) override;
    void escape(std::string_view intermediates, char final) override;
    void osc(std::string_view text) override;
    void dcs(const Csi& introducer, std::string_view text) override;

    Screen& active() { return m_modes.alternateScreen ? m_alternate : m_primary; }
    void cursorCsi(const Csi& sequence);
    void editCsi(const Csi& sequence);
    void privateCsi(const Csi& sequence);
    void selectGraphicRendition(const Csi& sequence);
    void setMode(bool isPrivate, int mode, bool on);
    void setAlternateScreen(bool on, bool clear, bool saveCursor);
    int modeState(int mode) const;
    void deviceStatus(int what, bool isPrivate);
    bool isDark() const;
    void oscClipboard(std::string_view text);
    void oscNotification(std::string_view text);
    void send(const std::string& bytes);
    void fullReset();

    Callbacks m_callbacks;
    Parser m_parser;
    Scrollback m_scrollback;
    Screen m_primary;
    Screen m_alternate;
    Modes m_modes;
    std::vector<std::uint8_t> m_kittyStack;
    char32_t m_lastPrinted = 0;
    std::uint32_t m_foreground = 0xD0D0D0;
    std::uint32_t m_background = 0x101010;
};

} // namespace coldframe::terminal
