// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/colors.h"
#include "terminal/parser.h"
#include "terminal/row.h"
#include "terminal/screen.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldframe::terminal {

/// What a program asked of the surroundings. Titles and texts are already cleaned of controls and bidi marks.
struct Callbacks
{
    std::function<void(std::string_view bytes)> reply;       ///< to the program: answers to its queries
    std::function<void(const std::string& title)> title;     ///< OSC 0, 2
    std::function<void()> bell;
    std::function<void(const std::string& title, const std::string& text)> notification; ///< OSC 9, 99, 777; one may be empty
    std::function<void(const std::string& text)> clipboardWrite; ///< OSC 52 write, decoded, at most 64 KiB; reads are never answered
    std::function<void(int state, int percent)> progress;      ///< OSC 9;4: 0 none, 1 normal, 2 error, 3 unknown length, 4 paused
    std::function<void(const std::string& path)> directory;    ///< OSC 7: an absolute path, without controls, at most 4096 bytes
    /// OSC 133: a prompt, a command or its output begins at the cursor's row; None: the command ended, with this status if known.
    std::function<void(RowMark mark, std::optional<int> status)> promptMark;
};

struct Options
{
    /// Answers DECRQCRA and the size reports, which tell a program what is on the screen: for conformance tests only.
    bool testReports = false;
};

/// A terminal of the xterm kind: parser, main and alternate screen, scrollback, modes. The guest's bytes are
/// hostile: all memory is bounded and no sequence echoes text it chose. Single-threaded; no I/O of its own.
class Terminal : private ParserHandler
{
public:
    Terminal(int rows, int columns, Callbacks callbacks, ScrollbackLimits scrollback = {}, Options options = {});

    void feed(std::string_view bytes) { m_parser.feed(bytes); }
    /// 1 to 1000 rows, 2 to 1000 columns. The main screen and the scrollback are wrapped anew.
    void resize(int rows, int columns);

    int rows() const { return m_screen.rows(); }
    int columns() const { return m_screen.columns(); }
    Position cursor() const { return m_screen.cursor(); }
    bool wrapPending() const { return m_screen.wrapPending(); }
    const Screen& screen() const { return m_screen; }
    const Modes& modes() const { return m_screen.modes; }
    /// See Parser::unfinishedBytes().
    std::size_t unfinishedBytes() const { return m_parser.unfinishedBytes(); }

    std::size_t scrollbackRows() const { return m_screen.scrollback().rows(); }
    std::size_t totalRows() const { return scrollbackRows() + static_cast<std::size_t>(rows()); } ///< scrollback first, then the screen
    /// How many rows were dropped from the front of the scrollback since the start: a row's index plus this never changes
    /// while the terminal keeps its width.
    std::uint64_t droppedRows() const { return m_screen.scrollback().dropped(); }
    void readRow(std::size_t row, Row& out) const; ///< 0 = the oldest of the scrollback; blank outside
    void readScreenRow(int row, Row& out) const { readRow(scrollbackRows() + static_cast<std::size_t>(row), out); }
    /// Of the main screen, also while the alternate one is shown. 0 <= row < rows().
    void readMainRow(int row, Row& out) const { m_screen.readGridRow(m_screen.main(), row, out); }
    /// Another one whenever the row of the screen shows something else; it moves with the row. No two rows have the same.
    std::uint64_t rowStamp(int screenRow) const;
    void clearScrollback() { m_screen.clearScrollback(); }

    /// Colours the view uses, told to programs that ask (OSC 10, 11): 0xRRGGBB.
    void setDefaultColors(std::uint32_t foreground, std::uint32_t background);
    /// The first 16 of the palette that the view uses.
    void setDefaultPalette(const std::array<std::uint32_t, 16>& palette) { m_colors.setDefaultPalette(palette); }
    /// What the program changed (OSC 4, 10, 11, 12).
    const Colors& colors() const { return m_colors; }

private:
    void printAscii(std::string_view text) override { m_screen.printAscii(text); }
    void print(std::u32string_view text) override { m_screen.print(text); }
    void execute(char control) override;
    void csi(const Csi& sequence) override;
    void escape(std::string_view intermediates, char final) override;
    void osc(std::string_view text, bool endedByBell) override;
    void dcs(const Csi& introducer, std::string_view text) override;

    // terminal_csi.cpp
    void plainCsi(const Csi& sequence);
    void privateCsi(const Csi& sequence);
    void greaterCsi(const Csi& sequence);
    void intermediateCsi(const Csi& sequence);
    void rectangleCsi(const Csi& sequence);
    void setMargins(const Csi& sequence, bool horizontal);
    void kittyKeyboard(const Csi& sequence);
    void restoreCursor();
    void pushPen();
    void popPen();
    void softReset();
    void fullReset();

    // terminal_modes.cpp
    void setMode(bool isPrivate, int mode, bool on);
    void setAlternateScreen(int mode, bool on);
    int modeState(bool isPrivate, int mode) const;
    void saveMode(int mode);
    void restoreMode(int mode);
    std::uint8_t& kittyFlags() { return m_kittyFlags[modes().alternateScreen ? 1 : 0]; }
    void showKittyFlags() { m_screen.modes.kittyKeyboard = kittyFlags(); }

    // terminal_reports.cpp
    void deviceAttributes(char prefix);
    void deviceStatus(int what, bool isPrivate);
    void windowReport(int what);
    void statusString(std::string_view what);
    void send(std::string_view bytes);
    bool isDark() const;

    // terminal_osc.cpp
    void oscTitle(std::string_view text);
    void oscPalette(std::string_view text, std::string_view end);
    void oscResetPalette(std::string_view text);
    void oscDynamicColor(int first, std::string_view text, std::string_view end);
    void oscDirectory(std::string_view text);
    void oscLink(std::string_view text);
    void oscNotify(std::string_view text);
    void oscKittyNotify(std::string_view text);
    void oscClipboard(std::string_view text);
    void oscPrompt(std::string_view text);

    void selectGraphicRendition(const Csi& sequence);
    void updateExtra();

    static constexpr std::size_t kMaxKittyStack = 16;
    static constexpr std::size_t kMaxTitles = 10;
    static constexpr std::size_t kMaxPens = 10;

    Callbacks m_callbacks;
    Options m_options;
    Parser m_parser;
    Screen m_screen;
    Colors m_colors;
    Color m_underlineColor;
    std::uint32_t m_linkId = 0;
    std::string m_linkTarget;
    std::uint32_t m_nextLinkId = 1;
    std::map<std::string, std::uint32_t> m_namedLinks; ///< "id=" and target together
    std::array<std::vector<std::uint8_t>, 2> m_kittyStacks; ///< main and alternate
    std::array<std::uint8_t, 2> m_kittyFlags{};
    std::map<int, bool> m_savedModes; ///< XTSAVE; only of modes that exist
    std::vector<std::pair<Pen, Color>> m_pens; ///< XTPUSHSGR, with the colours of underlines
    std::string m_title;
    std::vector<std::string> m_titles;
    std::string m_notificationId; ///< of a notification in pieces (OSC 99)
    std::string m_notificationTitle;
    std::string m_notificationText;
    bool m_isRectangular = false; ///< DECSACE: attribute changes take rectangles, not streams
};

/// The parameters of an SGR sequence that makes this pen from any other. Colours of 256 and 24 bits are written with semicolons,
/// which every terminal reads, or with colons as xterm's DECRQSS has them.
std::string sgrParameters(const Pen& pen, Color underlineColor, bool withColons = false);

} // namespace coldframe::terminal
