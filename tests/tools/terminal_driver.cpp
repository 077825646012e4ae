// SPDX-License-Identifier: Apache-2.0
// The terminal engine without a window: runs a program in a real PTY joined to the engine, so that any test of terminals that
// talks to its standard input and output can be run against it. See `terminal_driver --help` and CONTRIBUTING.md.
#include "tools/batch.h"
#include "tools/driver_script.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>

using namespace coldframe::terminal_tools;

namespace {

constexpr const char* kHelp =
    "terminal_driver [OPTION…] [--] PROGRAM [ARGUMENT…]   run PROGRAM in a terminal of the engine, then show the screen\n"
    "terminal_driver [OPTION…] --play FILE                show the screen after a recording (asciicast v2)\n"
    "terminal_driver --batch                              streams as lines of JSON on standard input (tests/tools/batch.h)\n"
    "  --size ROWSxCOLUMNS   24x80\n"
    "  --script FILE         what to type and to wait for (tests/tools/driver_script.h); without it: wait for the end\n"
    "  --record FILE         write a recording\n"
    "  --json                show the screen as JSON, with cursor and modes; --styles: with the styles too\n"
    "  --seconds N           the longest it may take without a script (60)\n"
    "  --reports             answer DECRQCRA (checksum of a rectangle) and reports of the window's size, as tests need\n"
    "Exit status: the program's; 125 when the script failed.\n";

struct Options
{
    int rows = 24;
    int columns = 80;
    std::string script;
    std::string record;
    std::string play;
    bool json = false;
    bool styles = false;
    bool batch = false;
    bool reports = false;
    int seconds = 60;
    std::vector<std::string> command;
};

std::optional<Options> parse(int count, char** arguments)
{
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const auto value = [&] { return ++i < count ? std::string(arguments[i]) : std::string(); };
        if (argument == "--size") {
            if (std::sscanf(value().c_str(), "%dx%d", &options.rows, &options.columns) != 2) {
                return std::nullopt;
            }
        } else if (argument == "--script") {
            options.script = value();
        } else if (argument == "--record") {
            options.record = value();
        } else if (argument == "--play") {
            options.play = value();
        } else if (argument == "--seconds") {
            options.seconds = std::atoi(value().c_str());
        } else if (argument == "--json") {
            options.json = true;
        } else if (argument == "--styles") {
            options.json = options.styles = true;
        } else if (argument == "--batch") {
            options.batch = true;
        } else if (argument == "--reports") {
            options.reports = true;
        } else if (argument.starts_with("-") && argument != "--") {
            return std::nullopt;
        } else {
            options.command.assign(arguments + i + (argument == "--" ? 1 : 0), arguments + count);
            break;
        }
    }
    const int kinds = (options.batch ? 1 : 0) + (options.play.empty() ? 0 : 1) + (options.command.empty() ? 0 : 1);
    return kinds == 1 ? std::optional(options) : std::nullopt;
}

void show(const TerminalView& view, const Options& options, const std::string& title)
{
    if (options.json) {
        auto all = view.dump(options.styles);
        all["title"] = title;
        all["titles"] = view.heard().titles;
        std::cout << all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
        return;
    }
    if (!title.empty()) {
        std::cout << "== " << title << '\n';
    }
    for (const std::string& row : view.screen()) {
        std::cout << row << '\n';
    }
    std::cout << std::flush;
}

int play(const Options& options)
{
    const Recording recording = Recording::load(options.play);
    TerminalView view(recording.rows, recording.columns);
    for (const auto& event : recording.events) {
        if (event.isResize) {
            view.resize(event.rows, event.columns);
        } else {
            view.feed(event.output);
        }
    }
    show(view, options, "");
    return 0;
}

int drive(const Options& options)
{
    TerminalView view(options.rows, options.columns, options.reports);
    std::optional<Recorder> recorder;
    if (!options.record.empty()) {
        recorder.emplace(options.record, options.rows, options.columns);
    }
    PtyChild child(options.command, options.rows, options.columns);
    Joined joined{child, view, recorder ? &*recorder : nullptr};
    if (!options.script.empty()) {
        std::ifstream script(options.script);
        if (!script) {
            throw std::runtime_error("cannot read " + options.script);
        }
        runScript(script, joined, [&](const std::string& title) { show(view, options, title); });
        return child.finish();
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
    while (!child.ended() && std::chrono::steady_clock::now() < end) {
        joined.pump(100);
    }
    show(view, options, "");
    return child.finish();
}

} // namespace

int main(int count, char** arguments)
{
    const auto options = parse(count, arguments);
    if (!options) {
        std::fputs(kHelp, stderr);
        return 2;
    }
    try {
        if (options->batch) {
            runBatch(std::cin, std::cout);
            return 0;
        }
        return options->play.empty() ? drive(*options) : play(*options);
    } catch (const std::exception& error) {
        std::cout << std::flush;
        std::fprintf(stderr, "terminal_driver: %s\n", error.what());
        return 125;
    }
}
