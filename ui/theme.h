// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/terminal/color_scheme.h"

#include <QIcon>
#include <QObject>
#include <QPalette>
#include <QVariant>

class QDBusVariant;

namespace coldframe::ui {

/// Light or dark: the system's palette decides; where the desktop only states a preference (the settings portal) and
/// Qt did not follow it, a palette of our own does. COLDFRAME_THEME=dark|light overrides both.
class Theme : public QObject
{
    Q_OBJECT

public:
    explicit Theme(QObject* parent = nullptr);
    /// Sets style and palette of the application; asks the portal, without waiting.
    void apply();

    static bool isDark(const QPalette& palette);
    /// Colours of meaning, with at least 4.5:1 on the window and the base colour of both themes.
    static QColor good(const QPalette& palette);
    static QColor bad(const QPalette& palette);
    static QColor busy(const QPalette& palette);
    static QColor quiet(const QPalette& palette);
    static ColorScheme terminal(const QPalette& palette);
    /// An icon of resources/icons, in the text colour of the palette; null when the file is missing.
    static QIcon icon(const QString& name, const QPalette& palette);

public slots:
    void portalSettingChanged(const QString& group, const QString& key, const QDBusVariant& value);

private:
    void followPreference(const QVariant& value);
    void setPalette(bool dark);
    bool m_ours = false; ///< a palette of our own is set
};

} // namespace coldframe::ui
