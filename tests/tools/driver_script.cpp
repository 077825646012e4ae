// SPDX-License-Identifier: Apache-2.0
#include "tools/driver_script.h"

#include "tools/escapes.h"
#include "tools/terminal_keys.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace coldframe::terminal_tools {
namespace {

using Clock = std::chrono::steady_clock;

bool shows(const TerminalView& view, const std::string& text)
{
    for (const std::string& row : view.screen()) {
        if (row.find(text) != std::string::npos) {
            return true;
        }
    }
    return false;
}

std::string wholeScreen(const TerminalView& view)
{
    std::string all;
    for (const std::string& row : view.screen()) {
        all += row + "\n";
    }
    return all;
}

struct Script
{
    Joined& joined;
    const Dump& dump;
    std::chrono::duration<double> deadline{20};

    void until(const std::function<bool()>& holds)
    {
        const auto end = Clock::now() + deadline;
        while (!holds()) {
            if (Clock::now() > end) {
                throw std::runtime_error("this did not come to pass in time");
            }
            if (joined.child.ended()) {
                throw std::runtime_error("the program ended before this came to pass");
            }
            joined.pump(50);
        }
    }

    void settle(std::chrono::milliseconds quiet)
    {
        const auto end = Clock::now() + deadline;
        auto last = Clock::now();
        while (Clock::now() - last < quiet && Clock::now() < end && !joined.child.ended()) {
            if (joined.pump(20)) {
                last = Clock::now();
            }
        }
    }

    void run(const std::string& command, const std::string& rest)
    {
        std::istringstream words(rest);
        int first = 0;
        int second = 0;
        if (command == "wait") {
            until([&, text = unescaped(rest)] { return shows(joined.view, text); });
        } else if (command == "gone") {
            until([&, text = unescaped(rest)] { return !shows(joined.view, text); });
        } else if (command == "screen") {
            std::ifstream file(rest);
            if (!file) {
                throw std::runtime_error("cannot read it");
            }
            std::string wanted((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
            wanted.erase(wanted.find_last_not_of('\n') + 1);
            until([&] {
                std::string all = wholeScreen(joined.view);
                all.erase(all.find_last_not_of('\n') + 1);
                return all == wanted;
            });
        } else if (command == "type") {
            joined.child.write(unescaped(rest));
        } else if (command == "key") {
            joined.child.write(keyBytes(rest, joined.view.terminal().modes()));
        } else if (command == "mouse") {
            joined.child.write(mouseBytes(rest, joined.view.terminal().modes()));
        } else if (command == "dump") {
            dump(rest);
        } else if (command == "end") {
            const auto end = Clock::now() + deadline;
            while (!joined.child.ended()) {
                if (Clock::now() > end) {
                    throw std::runtime_error("the program has not ended in time");
                }
                joined.pump(50);
            }
        } else if (command == "settle" && words >> first) {
            settle(std::chrono::milliseconds(first));
        } else if (command == "pause" && words >> first) {
            const auto end = Clock::now() + std::chrono::milliseconds(first);
            while (Clock::now() < end && !joined.child.ended()) {
                joined.pump(20);
            }
        } else if (command == "deadline" && words >> first) {
            deadline = std::chrono::seconds(first);
        } else if (command == "resize" && words >> first >> second) {
            if (joined.recorder) {
                joined.recorder->resize(first, second);
            }
            joined.view.resize(first, second);
            joined.child.resize(first, second);
        } else {
            throw std::runtime_error("there is no such command");
        }
    }
};

} // namespace

bool Joined::pump(int milliseconds)
{
    std::string bytes;
    if (!child.read(bytes, milliseconds)) {
        return false;
    }
    if (recorder) {
        recorder->output(bytes);
    }
    view.feed(bytes);
    child.write(view.takeReplies());
    return true;
}

void runScript(std::istream& script, Joined& joined, const Dump& dump)
{
    Script state{joined, dump};
    std::string line;
    for (int number = 1; std::getline(script, line); ++number) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        const std::size_t space = line.find(' ');
        try {
            state.run(line.substr(0, space), space == std::string::npos ? std::string() : line.substr(space + 1));
        } catch (const std::exception& error) {
            throw std::runtime_error("line " + std::to_string(number) + " (" + line + "): " + error.what() + ". The screen:\n" + wholeScreen(joined.view));
        }
    }
}

} // namespace coldframe::terminal_tools
