// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_choices.h"

namespace coldframe::ui {

TerminalChoices::TerminalChoices() { take(loadWindowSettings()); }

TerminalChoices& TerminalChoices::instance()
{
    static TerminalChoices choices;
    return choices;
}

void TerminalChoices::take(const WindowSettings& settings)
{
    m_looks = settings.terminal;
    m_clipboard = settings.clipboard;
    emit changed();
}

void TerminalChoices::chooseClipboard(ClipboardConsent consent)
{
    WindowSettings settings = loadWindowSettings();
    settings.clipboard = consent;
    m_clipboard = consent;
    (void)saveWindowSettings(settings); // it holds as long as the window, then
}

ColorScheme TerminalChoices::scheme(bool dark) const { return ColorScheme::find(dark ? m_looks.darkScheme : m_looks.lightScheme, !dark); }

} // namespace coldframe::ui
