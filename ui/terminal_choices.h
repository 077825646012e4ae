// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/window_settings.h"

#include <QObject>

namespace coldframe::ui {

/// What the user chose for all terminals of this window, read from the file once. GUI thread.
class TerminalChoices : public QObject
{
    Q_OBJECT

public:
    static TerminalChoices& instance();

    const TerminalLooks& looks() const { return m_looks; }
    ClipboardConsent clipboard() const { return m_clipboard; }
    /// From settings that were saved.
    void take(const WindowSettings& settings);
    /// Saves it as well.
    void chooseClipboard(ClipboardConsent consent);
    /// Which of the schemes, for a window of this brightness.
    ColorScheme scheme(bool dark) const;

signals:
    void changed();

private:
    TerminalChoices();

    TerminalLooks m_looks;
    ClipboardConsent m_clipboard = ClipboardConsent::Ask;
};

} // namespace coldframe::ui
