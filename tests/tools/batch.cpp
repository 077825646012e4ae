// SPDX-License-Identifier: Apache-2.0
#include "tools/batch.h"

#include "tools/terminal_view.h"

#include <nlohmann/json.hpp>

#include <istream>
#include <ostream>

namespace coldframe::terminal_tools {
namespace {

/// UTF-8 of characters up to U+00FF, back to the bytes that they stand for.
std::string bytesOf(const std::string& text)
{
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x80) {
            bytes += text[i];
        } else if (i + 1 < text.size()) {
            bytes += static_cast<char>(((byte & 3) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3F));
        }
    }
    return bytes;
}

} // namespace

void runBatch(std::istream& in, std::ostream& out)
{
    std::string line;
    while (std::getline(in, line)) {
        const auto job = nlohmann::json::parse(line);
        TerminalView view(job.at("rows"), job.at("columns"));
        for (const auto& step : job.at("steps")) {
            if (step.at(0) == "r") {
                view.resize(step.at(1), step.at(2));
            } else {
                view.feed(bytesOf(step.at(1)));
            }
        }
        auto answer = view.dump(job.value("styles", false));
        auto history = view.everyRow();
        history.resize(history.size() - view.screen().size());
        answer["history"] = std::move(history);
        out << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    }
}

} // namespace coldframe::terminal_tools
