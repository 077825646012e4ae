// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>

namespace coldframe::ui {

/// How terminals look and behave, as the user chose it. Values of another version or out of range mean the defaults.
struct TerminalLooks
{
    static constexpr int kMinPoints = 6;
    static constexpr int kMaxPoints = 48;

    QString family;       ///< empty: the system's font of fixed width
    int points = 0;       ///< 0: the system's size, at least 10
    bool ligatures = false;
    QString darkScheme;   ///< ColorScheme::id; empty: Coldframe's own
    QString lightScheme;
    bool copyOnSelect = false; ///< to the clipboard too; what is selected is always there for the middle button
    bool visualBell = true;
    bool audibleBell = false;

    bool operator==(const TerminalLooks&) const = default;
};

} // namespace coldframe::ui
