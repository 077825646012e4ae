// SPDX-License-Identifier: Apache-2.0
#include "tools/terminal_view.h"

#include "tools/escapes.h"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace coldframe::terminal_tools {
namespace {

using namespace coldframe::terminal;

std::string colorText(const Color& color)
{
    if (color.kind == Color::Kind::Palette) {
        return std::to_string(color.red);
    }
    char text[8];
    std::snprintf(text, sizeof text, "#%02X%02X%02X", color.red, color.green, color.blue);
    return text;
}

std::string styleText(const Style& style)
{
    std::string all;
    const auto add = [&](bool applies, const std::string& name) {
        if (applies) {
            all += (all.empty() ? "" : " ") + name;
        }
    };
    static constexpr const char* kUnderlines[] = {"none", "single", "double", "curly", "dotted", "dashed"};
    add(style.bold, "bold");
    add(style.dim, "dim");
    add(style.italic, "italic");
    add(style.blink, "blink");
    add(style.inverse, "inverse");
    add(style.hidden, "hidden");
    add(style.strike, "strike");
    add(style.overline, "overline");
    add(style.isProtected, "protected");
    add(style.underline != Underline::None, std::string("underline=") + kUnderlines[static_cast<std::size_t>(style.underline)]);
    add(style.foreground.kind != Color::Kind::Default, "fg=" + colorText(style.foreground));
    add(style.background.kind != Color::Kind::Default, "bg=" + colorText(style.background));
    add(style.underlineColor.kind != Color::Kind::Default, "ul=" + colorText(style.underlineColor));
    return all.empty() ? "plain" : all;
}

std::string rowText(const Row& row)
{
    std::string text;
    for (int column = 0; column < row.columns(); ++column) {
        if (row.width(column) == 0) {
            continue;
        }
        const std::u32string_view cluster = row.text(column);
        if (cluster.empty()) {
            text += ' ';
        }
        for (const char32_t c : cluster) {
            text += utf8(c);
        }
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::string onOff(bool on) { return on ? "on" : "off"; }

} // namespace

TerminalView::TerminalView(int rows, int columns, bool testReports)
{
    Callbacks callbacks;
    callbacks.reply = [this](std::string_view bytes) { m_heard.replies += bytes; };
    callbacks.title = [this](const std::string& title) { m_heard.titles.push_back(title); };
    callbacks.bell = [this] { ++m_heard.bells; };
    callbacks.clipboardWrite = [this](const std::string& text) { m_heard.clipboard.push_back(text); };
    callbacks.directory = [this](const std::string& path) { m_heard.directories.push_back(path); };
    callbacks.progress = [this](int state, int percent) { m_heard.progress.push_back(std::to_string(state) + "," + std::to_string(percent)); };
    callbacks.notification = [this](const std::string& title, const std::string& text) { m_heard.notifications.push_back(title + "|" + text); };
    m_terminal = std::make_unique<Terminal>(rows, columns, std::move(callbacks), ScrollbackLimits{}, Options{testReports});
}

TerminalView::~TerminalView() = default;

void TerminalView::feed(std::string_view bytes) { m_terminal->feed(bytes); }

void TerminalView::resize(int rows, int columns) { m_terminal->resize(rows, columns); }

std::string TerminalView::takeReplies() { return std::exchange(m_heard.replies, {}); }

const Row& TerminalView::read(std::size_t row) const
{
    m_terminal->readRow(row, m_row);
    return m_row;
}

const Row& TerminalView::readScreen(int row) const
{
    m_terminal->readScreenRow(row, m_row);
    return m_row;
}

std::string TerminalView::screenRow(int row) const { return rowText(readScreen(row)); }

std::vector<std::string> TerminalView::screen() const
{
    std::vector<std::string> rows;
    for (int row = 0; row < m_terminal->rows(); ++row) {
        rows.push_back(screenRow(row));
    }
    return rows;
}

std::vector<std::string> TerminalView::everyRow() const
{
    std::vector<std::string> rows;
    for (std::size_t row = 0; row < m_terminal->totalRows(); ++row) {
        rows.push_back(rowText(read(row)));
    }
    return rows;
}

bool TerminalView::screenRowWrapped(int row) const { return readScreen(row).wrapped(); }

int TerminalView::width(int row, int column) const { return readScreen(row).width(column); }

std::string TerminalView::style(int row, int column) const { return styleText(readScreen(row).style(column)); }

std::string TerminalView::link(int row, int column) const { return std::string(readScreen(row).link(column)); }

std::uint32_t TerminalView::linkId(int row, int column) const { return readScreen(row).linkId(column); }

std::string TerminalView::mark(int row) const
{
    static constexpr const char* kNames[] = {"none", "prompt", "command", "output"};
    return kNames[static_cast<std::size_t>(readScreen(row).mark())];
}

std::string TerminalView::mode(const std::string& name) const
{
    const Modes& modes = m_terminal->modes();
    const std::pair<const char*, bool> flags[] = {
        {"applicationCursorKeys", modes.applicationCursorKeys}, {"applicationKeypad", modes.applicationKeypad},
        {"bracketedPaste", modes.bracketedPaste}, {"focusEvents", modes.focusEvents}, {"sgrMouse", modes.sgrMouse},
        {"autoWrap", modes.autoWrap}, {"insert", modes.insert}, {"newLine", modes.newLine}, {"cursorVisible", modes.cursorVisible},
        {"cursorBlink", modes.cursorBlink}, {"synchronizedOutput", modes.synchronizedOutput}, {"reverseVideo", modes.reverseVideo},
        {"colorReports", modes.colorReports}, {"alternateScreen", modes.alternateScreen}, {"alternateScroll", modes.alternateScroll}};
    for (const auto& [known, on] : flags) {
        if (name == known) {
            return onOff(on);
        }
    }
    if (name == "mouse") {
        static constexpr const char* kNames[] = {"none", "x10", "press", "drag", "motion"};
        return kNames[static_cast<std::size_t>(modes.mouse)];
    }
    if (name == "cursorShape") {
        static constexpr const char* kNames[] = {"block", "underline", "bar"};
        return kNames[static_cast<std::size_t>(modes.cursorShape)];
    }
    return name == "kittyKeyboard" ? std::to_string(static_cast<int>(modes.kittyKeyboard)) : std::string();
}

nlohmann::json TerminalView::dump(bool withStyles) const
{
    nlohmann::json all;
    all["rows"] = m_terminal->rows();
    all["columns"] = m_terminal->columns();
    all["screen"] = screen();
    all["scrollback"] = m_terminal->scrollbackRows();
    const Position cursor = m_terminal->cursor();
    all["cursor"] = {cursor.row, cursor.column};
    all["wrapPending"] = m_terminal->wrapPending();
    all["alternateScreen"] = m_terminal->modes().alternateScreen;
    if (!withStyles) {
        return all;
    }
    auto styles = nlohmann::json::array();
    for (int row = 0; row < m_terminal->rows(); ++row) {
        auto runs = nlohmann::json::array();
        const Row& shown = readScreen(row);
        for (int column = 0; column < shown.columns();) {
            int end = column + 1;
            while (end < shown.columns() && shown.style(end) == shown.style(column)) {
                ++end;
            }
            if (!(shown.style(column) == Style{})) {
                runs.push_back({column, end - column, styleText(shown.style(column))});
            }
            column = end;
        }
        styles.push_back(std::move(runs));
    }
    all["styles"] = std::move(styles);
    return all;
}

} // namespace coldframe::terminal_tools
