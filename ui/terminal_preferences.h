// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/window_settings.h"

#include <QWidget>

class QCheckBox;
class QComboBox;
class QFontComboBox;
class QSpinBox;

namespace coldframe::ui {

/// How terminals look and behave: a page of the preferences.
class TerminalPreferences : public QWidget
{
    Q_OBJECT

public:
    TerminalPreferences(const WindowSettings& settings, QWidget* parent = nullptr);
    /// Writes what is chosen here into the settings.
    void apply(WindowSettings& settings) const;

signals:
    void changed();

private:
    QComboBox* schemes(const char* name, const QString& accessible, bool isLight, const QString& chosen);

    QCheckBox* m_ownFont = nullptr;
    QFontComboBox* m_font = nullptr;
    QSpinBox* m_size = nullptr;
    QCheckBox* m_ligatures = nullptr;
    QComboBox* m_dark = nullptr;
    QComboBox* m_light = nullptr;
    QCheckBox* m_copyOnSelect = nullptr;
    QCheckBox* m_visualBell = nullptr;
    QCheckBox* m_audibleBell = nullptr;
    QComboBox* m_clipboard = nullptr;
};

} // namespace coldframe::ui
