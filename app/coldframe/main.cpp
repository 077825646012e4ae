// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"
#include "command_line.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#if __has_include("ui/window_main.h")
#include "ui/window_main.h"
#define COLDFRAME_HAS_WINDOW 1
#endif

namespace {

bool hasDisplay()
{
    for (const char* variable : {"WAYLAND_DISPLAY", "DISPLAY", "QT_QPA_PLATFORM"}) {
        const char* value = std::getenv(variable);
        if (value && value[0] != '\0') {
            return true;
        }
    }
    return false;
}

} // namespace

int main(int argc, char** argv)
{
    const std::vector<std::string> words(argv + 1, argv + argc);
    const bool wantsWindow = words.empty() || words[0] == "window" || words[0] == "--new-sandbox";
    if (wantsWindow && (hasDisplay() || !words.empty())) {
#ifdef COLDFRAME_HAS_WINDOW
        if (hasDisplay()) {
            return coldframe::ui::runWindow(argc, argv);
        }
#endif
        std::fputs("coldframe: there is no display to open the window on; “coldframe --help” lists the commands.\n",
                   stderr);
        return 4;
    }
    // Keys of the environment and of prompts pass through here.
    coldframe::forbidCoreDumps();
    return coldframe::cli::runCommandLine(words.empty() ? std::vector<std::string>{"--help"} : words);
}
