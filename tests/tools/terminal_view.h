// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/terminal.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::terminal_tools {

/// What the program under test told the surroundings, in order.
struct Heard
{
    std::string replies; ///< what the terminal answered, since it was last taken
    std::vector<std::string> titles;
    std::vector<std::string> notifications; ///< "title|text"
    std::vector<std::string> clipboard;
    std::vector<std::string> progress; ///< "state,percent"
    std::vector<std::string> directories;
    int bells = 0;
};

/// The terminal engine as tests see it: bytes in; text, styles and answers out. Tests use the engine's interface through this
/// class alone. Rows and columns are 0-based here.
class TerminalView
{
public:
    TerminalView(int rows, int columns, bool testReports = false);
    ~TerminalView();

    void feed(std::string_view bytes);
    void resize(int rows, int columns);
    terminal::Terminal& terminal() { return *m_terminal; }
    const terminal::Terminal& terminal() const { return *m_terminal; }
    const Heard& heard() const { return m_heard; }
    std::string takeReplies();

    /// UTF-8, blanks at the end left out, as the one who looks at the screen cannot see them.
    std::string screenRow(int row) const;
    std::vector<std::string> screen() const;
    /// The scrollback, and then the screen.
    std::vector<std::string> everyRow() const;
    bool screenRowWrapped(int row) const;
    int width(int row, int column) const;
    /// In words: "plain", or those that apply of "bold dim italic blink inverse hidden strike overline protected
    /// underline=single fg=1 bg=#102030 ul=5", in this order.
    std::string style(int row, int column) const;
    std::string link(int row, int column) const;
    std::uint32_t linkId(int row, int column) const; ///< see Row::linkId()
    std::string mark(int row) const; ///< none, prompt, command or output
    /// Of one of Modes' fields by its name: "on", "off", a number or a word; empty: there is no such field.
    std::string mode(const std::string& name) const;

    /// Rows, cursor and modes; with styles also those of each row as runs [column, length, style].
    nlohmann::json dump(bool withStyles) const;

private:
    const terminal::Row& read(std::size_t row) const;
    const terminal::Row& readScreen(int row) const;

    Heard m_heard;
    std::unique_ptr<terminal::Terminal> m_terminal;
    mutable terminal::Row m_row;
};

} // namespace coldframe::terminal_tools
