// SPDX-License-Identifier: Apache-2.0
// Throughput of the terminal engine in vtebench's cases and a coloured build log, beside xterm.js (without a window, in Node) and
// libvterm, from one run; and the memory that scrollback takes. bench_terminal [SECONDS for each case and engine [CASE]]
#include "peers.h"

#include "terminal/terminal.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace coldframe;
using namespace coldframe::bench;

namespace {

constexpr double kGoalRatio = 5;       // times xterm.js, in every case
constexpr double kGoalLog = 100;       // MB/s, build_log at 200x60
constexpr double kGoalResident = 2.5;  // bytes of memory for a byte of scrollback lines

/// Nothing when the terminal shows nothing: then what was measured was not our work.
std::optional<double> ourSpeed(const Payload& payload, int rows, int columns, double seconds)
{
    terminal::Terminal terminal(rows, columns, {});
    terminal.feed(payload.setup);
    const auto start = std::chrono::steady_clock::now();
    std::chrono::duration<double> took{};
    std::size_t bytes = 0;
    do {
        for (std::size_t at = 0; at < payload.payload.size(); at += 65536) {
            const std::string_view piece = std::string_view(payload.payload).substr(at, 65536);
            terminal.feed(piece);
            bytes += piece.size();
        }
        took = std::chrono::steady_clock::now() - start;
    } while (took.count() < seconds);
    terminal::Row row;
    bool shows = false;
    for (int i = 0; i < terminal.rows(); ++i) {
        terminal.readScreenRow(i, row);
        for (int column = 0; column < row.columns(); ++column) {
            shows = shows || !row.text(column).empty();
        }
    }
    return shows ? std::optional(static_cast<double>(bytes) / 1e6 / took.count()) : std::nullopt;
}

} // namespace

int main(int count, char** arguments)
{
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const double seconds = count > 1 ? std::atof(arguments[1]) : 0.5;
    const std::string only = count > 2 ? arguments[2] : "";
    const std::vector<std::pair<int, int>> sizes = {{24, 80}, {60, 200}};
    const MemoryFigure memory = scrollbackMemory(60, 200);
    std::string why;
    const XtermFigures xterm = xtermFigures(sizes, seconds, why);
    if (xterm.empty()) {
        std::printf("%s\n", why.c_str());
    }
    int below = 0;
    bool works = true;
    for (const auto& [rows, columns] : sizes) {
        std::printf("%-30s %10s %10s %10s %9s %9s\n", (std::to_string(columns) + "x" + std::to_string(rows) + ", MB/s").c_str(), "ours", "xterm.js", "libvterm",
                    "x xterm", "x vterm");
        for (const Payload& payload : payloads(rows, columns)) {
            if (!only.empty() && payload.name != only) {
                continue;
            }
            const std::optional<double> ours = ourSpeed(payload, rows, columns, seconds);
            if (!ours) {
                std::printf("%-30s shows nothing\n", payload.name.c_str());
                works = false;
                continue;
            }
            const Figure vterm = vtermFigure(payload, rows, columns, seconds);
            const auto found = xterm.find({payload.name, rows, columns});
            const double theirs = found == xterm.end() ? 0 : found->second;
            const bool slow = (theirs > 0 && *ours < kGoalRatio * theirs) || (payload.name == "build_log" && columns == 200 && *ours < kGoalLog);
            below += slow ? 1 : 0;
            const auto shown = [](double value, const char* none) {
                char text[32];
                std::snprintf(text, sizeof text, "%.1f", value);
                return std::string(value > 0 ? text : none);
            };
            const double peer = vterm.megabytesPerSecond.value_or(0);
            std::printf("%-30s %10.1f %10s %10s %9s %9s%s\n", payload.name.c_str(), *ours, shown(theirs, "-").c_str(), shown(peer, vterm.why.c_str()).c_str(),
                        shown(theirs > 0 ? *ours / theirs : 0, "-").c_str(), shown(peer > 0 ? *ours / peer : 0, "-").c_str(), slow ? "  below the goal" : "");
        }
    }
    std::printf("scrollback at 200x60: %.1f MB of lines fed, %.1f MB kept, in %.1f MB resident: %.2f bytes for each (goal: at most %.1f)\n", memory.megabytesFed,
                memory.megabytesKept, memory.megabytesResident, memory.megabytesResident / memory.megabytesKept, kGoalResident);
    std::printf("goals: at least %.0f times xterm.js in every case, %.0f MB/s of build_log at 200x60: %d below\n", kGoalRatio, kGoalLog, below);
    return works && memory.megabytesFed > 0 ? 0 : 1;
}
