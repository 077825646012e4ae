// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "ui/terminal/terminal_looks.h"
#include "ui/theme.h"

namespace coldframe::ui {

/// Whether programs may put text on the clipboard (OSC 52).
enum class ClipboardConsent { Ask, Always, Never };

/// What only the window needs to know; the engine's settings are the engine's.
struct WindowSettings
{
    ThemeChoice theme = ThemeChoice::System;
    bool darkTerminals = false;
    TerminalLooks terminal{};
    ClipboardConsent clipboard = ClipboardConsent::Ask;
};

/// window.json in paths::configFolder(). A missing or damaged file means the defaults.
WindowSettings loadWindowSettings();
Result<void> saveWindowSettings(const WindowSettings& settings);

} // namespace coldframe::ui
