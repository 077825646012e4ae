// SPDX-License-Identifier: Apache-2.0
#include "case_file.h"

#include "tools/escapes.h"
#include "tools/terminal_keys.h"
#include "tools/terminal_view.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>

namespace coldframe::terminal_tools {
namespace {

/// The parts between bars that no backslash stands before, unescaped, without blanks at the end.
std::vector<std::string> barred(const std::string& text)
{
    std::vector<std::string> parts(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            parts.back() += text[i];
            parts.back() += text[++i];
        } else if (text[i] == '|') {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    for (std::string& part : parts) {
        part = unescaped(part);
        part.erase(part.find_last_not_of(' ') + 1);
    }
    return parts;
}

std::string joined(std::vector<std::string> rows)
{
    while (!rows.empty() && rows.back().empty()) {
        rows.pop_back();
    }
    std::string all;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        all += (i == 0 ? "" : "|") + escaped(rows[i]);
    }
    return all;
}

struct Place
{
    int row = 0;
    int first = 0;
    int last = 0;
};

/// "ROW,COLUMN" or "ROW,COLUMN-COLUMN" from 1, and what stands behind it.
Place place(const std::string& text, std::string& rest)
{
    int row = 0;
    int first = 0;
    int last = 0;
    int used = 0;
    if (std::sscanf(text.c_str(), "%d,%d-%d%n", &row, &first, &last, &used) != 3) {
        used = 0;
        if (std::sscanf(text.c_str(), "%d,%d%n", &row, &first, &used) != 2) {
            throw std::runtime_error("no place: " + text);
        }
        last = first;
    }
    rest = text.substr(static_cast<std::size_t>(used));
    rest.erase(0, rest.find_first_not_of(' '));
    return {row - 1, first - 1, last - 1};
}

std::string lastOf(const std::vector<std::string>& heard) { return heard.empty() ? "none" : escaped(heard.back()); }

struct Run
{
    const Case& single;
    std::size_t pieceBytes;
    TerminalView view{single.rows, single.columns, single.reports};

    void feed(const std::string& bytes)
    {
        const std::size_t piece = pieceBytes == 0 ? bytes.size() : pieceBytes;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            view.feed(std::string_view(bytes).substr(at, piece));
        }
    }

    /// What is seen at each column of a place, which must be one and the same.
    template <typename Seen> std::string seenAt(const std::string& text, std::string& expected, Seen&& seen)
    {
        const Place where = place(text, expected);
        std::string all = seen(where.row, where.first);
        for (int column = where.first + 1; column <= where.last; ++column) {
            if (const std::string other = seen(where.row, column); other != all) {
                all += " but " + other + " in column " + std::to_string(column + 1);
                break;
            }
        }
        return all;
    }

    /// {expected, seen}; equal for what only does something.
    std::pair<std::string, std::string> carryOut(const Case::Line& line)
    {
        const std::string& rest = line.rest;
        std::string expected;
        const auto& heard = view.heard();
        if (line.word == "in") {
            feed(unescaped(rest));
        } else if (line.word == "resize") {
            int rows = 0;
            int columns = 0;
            if (std::sscanf(rest.c_str(), "%dx%d", &rows, &columns) != 2) {
                throw std::runtime_error("no size: " + rest);
            }
            view.resize(rows, columns);
        } else if (line.word == "rows") {
            return {joined(barred(rest)), joined(view.screen())};
        } else if (line.word == "all") {
            return {joined(barred(rest)), joined(view.everyRow())};
        } else if (line.word == "history") {
            return {rest, std::to_string(view.terminal().scrollbackRows())};
        } else if (line.word == "at") {
            const auto cursor = view.terminal().cursor();
            return {rest, std::to_string(cursor.row + 1) + "," + std::to_string(cursor.column + 1) + (view.terminal().wrapPending() ? " pending" : "")};
        } else if (line.word == "reply") {
            return {escaped(unescaped(rest)), escaped(view.takeReplies())};
        } else if (line.word == "attr") {
            const std::string seen = seenAt(rest, expected, [&](int row, int column) { return view.style(row, column); });
            return {expected, seen};
        } else if (line.word == "link") {
            const std::string seen = seenAt(rest, expected, [&](int row, int column) {
                const std::string link = view.link(row, column);
                return link.empty() ? "none" : link;
            });
            return {expected, seen};
        } else if (line.word == "samelink") {
            std::string words;
            const Place one = place(rest, words);
            const Place other = place(words, expected);
            return {expected, view.linkId(one.row, one.first) == view.linkId(other.row, other.first) ? "yes" : "no"};
        } else if (line.word == "width") {
            const std::string seen = seenAt(rest, expected, [&](int row, int column) { return std::to_string(view.width(row, column)); });
            return {expected, seen};
        } else if (line.word == "wrapped") {
            const int row = std::stoi(rest);
            return {rest, std::to_string(row) + (view.screenRowWrapped(row - 1) ? " yes" : " no")};
        } else if (line.word == "mark") {
            const int row = std::stoi(rest);
            return {rest, std::to_string(row) + " " + view.mark(row - 1)};
        } else if (line.word == "mode") {
            const std::string name = rest.substr(0, rest.find(' '));
            return {rest, name + " " + view.mode(name)};
        } else if (line.word == "title") {
            return {escaped(unescaped(rest)), lastOf(heard.titles)};
        } else if (line.word == "notify") {
            return {escaped(unescaped(rest)), lastOf(heard.notifications)};
        } else if (line.word == "clipboard") {
            return {escaped(unescaped(rest)), lastOf(heard.clipboard)};
        } else if (line.word == "progress") {
            return {escaped(unescaped(rest)), lastOf(heard.progress)};
        } else if (line.word == "directory") {
            return {escaped(unescaped(rest)), lastOf(heard.directories)};
        } else if (line.word == "bell") {
            return {rest, std::to_string(heard.bells)};
        } else if (line.word == "key" || line.word == "mouse") {
            const std::size_t equals = rest.find(" = ");
            const std::string what = unescaped(rest.substr(0, equals == std::string::npos ? rest.size() - (rest.ends_with(" =") ? 2 : 0) : equals));
            const std::string bytes = equals == std::string::npos ? std::string() : rest.substr(equals + 3);
            const auto& modes = view.terminal().modes();
            return {escaped(unescaped(bytes)), escaped(line.word == "key" ? keyBytes(what, modes) : mouseBytes(what, modes))};
        } else {
            throw std::runtime_error("there is no such word");
        }
        return {};
    }
};

} // namespace

std::vector<Case> loadCases(const std::string& path)
{
    std::ifstream file(path);
    std::vector<Case> cases;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        const auto wrong = [&](const std::string& why) { return std::runtime_error(path + ":" + std::to_string(number) + ": " + why); };
        if (line.empty() || line[0] == '#') {
            continue;
        }
        if (line[0] == '[') {
            const std::size_t end = line.rfind("] ");
            if (end == std::string::npos || end + 2 >= line.size()) {
                throw wrong("a case begins with [NAME] SOURCE");
            }
            Case next;
            next.subject = std::filesystem::path(path).stem().string();
            next.name = line.substr(1, end - 1);
            next.source = line.substr(end + 2);
            cases.push_back(std::move(next));
            continue;
        }
        if (cases.empty()) {
            throw wrong("a line of no case");
        }
        Case& current = cases.back();
        const std::size_t space = line.find(' ');
        const std::string word = line.substr(0, space);
        const std::string rest = space == std::string::npos ? std::string() : line.substr(space + 1);
        if (word == "size") {
            if (std::sscanf(rest.c_str(), "%dx%d", &current.rows, &current.columns) != 2) {
                throw wrong("no size");
            }
        } else if (word == "reports") {
            current.reports = true;
        } else {
            current.lines.push_back({number, word, rest});
        }
    }
    return cases;
}

std::string failure(const Case& single, std::size_t pieceBytes)
{
    Run run{single, pieceBytes};
    for (const Case::Line& line : single.lines) {
        const std::string where = single.subject + ".cases:" + std::to_string(line.number) + ": " + line.word + " ";
        try {
            const auto [expected, seen] = run.carryOut(line);
            if (expected != seen) {
                return where + "expected <" + expected + ">, saw <" + seen + ">" + (pieceBytes == 0 ? "" : " (fed in pieces of " + std::to_string(pieceBytes) + ")");
            }
        } catch (const std::exception& error) {
            return where + line.rest + ": " + error.what();
        }
    }
    return {};
}

} // namespace coldframe::terminal_tools
