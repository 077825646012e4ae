// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::cli {

using nlohmann::json;

namespace {

/// Code points, which is the width of all but East Asian and combining characters.
std::size_t displayWidth(std::string_view text)
{
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u; }));
}

/// A reader that closed the pipe (`| head`) ends the output, not the command.
void writeTo(int fd, std::string text)
{
    text += '\n';
    (void)writeAll(fd, text);
}

} // namespace

int exitCodeOf(ErrorCode code)
{
    switch (code) {
    case ErrorCode::InvalidArgument: return kUsage;
    case ErrorCode::NotFound: return kNotFound;
    case ErrorCode::Unavailable:
    case ErrorCode::Closed: return kUnavailable;
    case ErrorCode::NotAllowed: return kRefused;
    case ErrorCode::Cancelled: return kInterrupted;
    default: return kFailure;
    }
}

void printError(const Error& error)
{
    std::string text = "coldframe: " + escapeForDisplay(error.message);
    if (!error.detail.empty() && error.message.find(error.detail) == std::string::npos) {
        text += "\n  (" + escapeForDisplay(error.detail, 1000) + ")";
    }
    writeTo(STDERR_FILENO, text);
}

void printLine(std::string_view text) { writeTo(STDOUT_FILENO, escapeForDisplay(text, 1u << 20)); }
void printNote(std::string_view text) { writeTo(STDERR_FILENO, escapeForDisplay(text)); }

void printJson(const json& value)
{
    writeTo(STDOUT_FILENO, value.dump(2, ' ', false, json::error_handler_t::replace));
}

std::string Table::text() const
{
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    for (const auto& row : m_rows) {
        auto& shown = cells.emplace_back();
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t column = 0; column < row.size(); ++column) {
            shown.push_back(escapeForDisplay(row[column], 400));
            widths[column] = std::max(widths[column], displayWidth(shown.back()));
        }
    }
    std::string out;
    for (const auto& row : cells) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column) {
            line += row[column];
            line.append(widths[column] - displayWidth(row[column]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

void Table::print() const { (void)writeAll(STDOUT_FILENO, text()); }

std::string textOf(const json& object, const char* key)
{
    if (!object.is_object()) {
        return {};
    }
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace coldframe::cli
