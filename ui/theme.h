// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/terminal/color_scheme.h"

#include <QIcon>
#include <QObject>
#include <QPalette>
#include <QVariant>

class QDBusVariant;

namespace coldframe::ui {

enum class ThemeChoice { System, Light, Dark };

/// Light or dark. As the system: a desktop whose style Qt follows is left as it is; elsewhere the desktop's stated
/// preference (the settings portal) chooses between two palettes of our own. COLDFRAME_THEME=dark|light overrides all.
class Theme : public QObject
{
    Q_OBJECT

public:
    /// Looks at what the system set, so it is made before anything is changed.
    explicit Theme(QObject* parent = nullptr);
    /// Sets style and palette of the application. As the system: asks the portal, without waiting.
    void apply(ThemeChoice choice);

    static bool isDark(const QPalette& palette);
    /// Colours of meaning, with at least 4.5:1 on the window and the base colour of both themes.
    static QColor good(const QPalette& palette);
    static QColor bad(const QPalette& palette);
    static QColor busy(const QPalette& palette);
    static QColor quiet(const QPalette& palette);
    /// As the window, or dark always.
    static ColorScheme terminal(const QPalette& palette);
    static void setTerminalDark(bool always);
    /// An icon of resources/icons, in the text colour of the palette; null when the file is missing.
    static QIcon icon(const QString& name, const QPalette& palette);

public slots:
    void portalSettingChanged(const QString& group, const QString& key, const QDBusVariant& value);

private:
    void followPreference(const QVariant& value);
    void askPortal();
    void followSystem();
    void setPalette(bool dark);

    ThemeChoice m_choice = ThemeChoice::System;
    QString m_systemStyle;
    bool m_systemDark = false;
    uint m_preference = 0; ///< of the portal: 1 dark, 2 light, 0 none
    bool m_asked = false;
};

} // namespace coldframe::ui
