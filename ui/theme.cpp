// SPDX-License-Identifier: Apache-2.0
#include "ui/theme.h"

#include "base/paths.h"
#include "ui/terminal_choices.h"

#include <QApplication>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QDBusVariant>
#include <QFile>
#include <QPainter>
#include <QStyle>
#include <QStyleFactory>
#include <QSvgRenderer>

namespace coldframe::ui {

namespace {

const QString kPortal = QStringLiteral("org.freedesktop.portal.Desktop");
const QString kPortalPath = QStringLiteral("/org/freedesktop/portal/desktop");
const QString kPortalSettings = QStringLiteral("org.freedesktop.portal.Settings");
const QString kAppearance = QStringLiteral("org.freedesktop.appearance");
const QString kColorScheme = QStringLiteral("color-scheme");

QPalette paletteFor(bool dark)
{
    const QColor window(dark ? "#1f2226" : "#f4f5f6");
    const QColor base(dark ? "#17191c" : "#ffffff");
    const QColor text(dark ? "#e6e8ea" : "#1c1f22");
    const QColor button(dark ? "#2b2f34" : "#e8eaec");
    const QColor accent(dark ? "#2f7f6f" : "#1f7a68");
    QPalette palette(button, window);
    for (const QPalette::ColorGroup group : {QPalette::Active, QPalette::Inactive, QPalette::Disabled}) {
        const bool off = group == QPalette::Disabled;
        const QColor ink = off ? QColor(dark ? "#7d848b" : "#8b9299") : text;
        palette.setColor(group, QPalette::Window, window);
        palette.setColor(group, QPalette::WindowText, ink);
        palette.setColor(group, QPalette::Base, base);
        palette.setColor(group, QPalette::AlternateBase, dark ? QColor("#1c1f22") : QColor("#f7f8f9"));
        palette.setColor(group, QPalette::Text, ink);
        palette.setColor(group, QPalette::Button, button);
        palette.setColor(group, QPalette::ButtonText, ink);
        palette.setColor(group, QPalette::ToolTipBase, base);
        palette.setColor(group, QPalette::ToolTipText, text);
        palette.setColor(group, QPalette::PlaceholderText, QColor(dark ? "#9aa1a8" : "#6a7178"));
        palette.setColor(group, QPalette::Highlight, off ? button : accent);
        palette.setColor(group, QPalette::HighlightedText, off ? ink : QColor("#ffffff"));
        palette.setColor(group, QPalette::Link, QColor(dark ? "#6cc5b2" : "#17695a"));
    }
    return palette;
}

} // namespace

Theme::Theme(QObject* parent)
    : QObject(parent), m_systemStyle(QApplication::style()->name()), m_systemDark(isDark(QApplication::palette()))
{
}

void Theme::apply(ThemeChoice choice)
{
    const QByteArray wanted = qgetenv("COLDFRAME_THEME");
    m_choice = wanted == "dark" ? ThemeChoice::Dark : wanted == "light" ? ThemeChoice::Light : choice;
    if (m_choice != ThemeChoice::System) {
        setPalette(m_choice == ThemeChoice::Dark);
        return;
    }
    followSystem();
    askPortal();
}

void Theme::askPortal()
{
    QDBusConnection bus = QDBusConnection::sessionBus();
    if (m_asked || !bus.isConnected()) {
        return;
    }
    m_asked = true;
    bus.connect(kPortal, kPortalPath, kPortalSettings, QStringLiteral("SettingChanged"), this,
                SLOT(portalSettingChanged(QString, QString, QDBusVariant)));
    QDBusMessage question = QDBusMessage::createMethodCall(kPortal, kPortalPath, kPortalSettings, QStringLiteral("Read"));
    question << kAppearance << kColorScheme;
    auto* watcher = new QDBusPendingCallWatcher(bus.asyncCall(question, 3000), this);
    connect(watcher, &QDBusPendingCallWatcher::finished, this, [this, watcher] {
        const QDBusPendingReply<QDBusVariant> reply = *watcher;
        if (reply.isValid()) {
            followPreference(reply.value().variant());
        }
        watcher->deleteLater();
    });
}

void Theme::portalSettingChanged(const QString& group, const QString& key, const QDBusVariant& value)
{
    if (group == kAppearance && key == kColorScheme) {
        followPreference(value.variant());
    }
}

void Theme::followPreference(const QVariant& value)
{
    // Read() wraps the value twice, the signal once.
    QVariant inner = value;
    while (inner.canConvert<QDBusVariant>()) {
        inner = inner.value<QDBusVariant>().variant();
    }
    m_preference = inner.toUInt();
    if (m_choice == ThemeChoice::System) {
        followSystem();
    }
}

void Theme::followSystem()
{
    const bool stated = m_preference == 1 || m_preference == 2;
    const bool dark = stated ? m_preference == 1 : m_systemDark;
    // “fusion” is what Qt takes where no desktop has a style of its own.
    if (dark != m_systemDark || m_systemStyle.compare(QStringLiteral("fusion"), Qt::CaseInsensitive) == 0) {
        setPalette(dark);
        return;
    }
    if (QApplication::style()->name() != m_systemStyle) {
        QApplication::setStyle(m_systemStyle);
    }
    QApplication::setPalette(QPalette());
}

void Theme::setPalette(bool dark)
{
    if (QApplication::style()->name() != QStringLiteral("fusion")) {
        if (QStyle* style = QStyleFactory::create(QStringLiteral("Fusion"))) {
            QApplication::setStyle(style);
        }
    }
    QApplication::setPalette(paletteFor(dark));
}

bool Theme::isDark(const QPalette& palette)
{
    return palette.color(QPalette::Window).lightness() < palette.color(QPalette::WindowText).lightness();
}

QColor Theme::good(const QPalette& palette) { return isDark(palette) ? QColor("#5fcf8f") : QColor("#17733b"); }
QColor Theme::bad(const QPalette& palette) { return isDark(palette) ? QColor("#ff8a80") : QColor("#b3261e"); }
QColor Theme::busy(const QPalette& palette) { return isDark(palette) ? QColor("#f0c060") : QColor("#8a5a00"); }
QColor Theme::quiet(const QPalette& palette) { return isDark(palette) ? QColor("#a3abb2") : QColor("#5f666d"); }

namespace {
bool alwaysDarkTerminals = false;
}

void Theme::setTerminalDark(bool always) { alwaysDarkTerminals = always; }

ColorScheme Theme::terminal(const QPalette& palette)
{
    return TerminalChoices::instance().scheme(alwaysDarkTerminals || isDark(palette));
}

QIcon Theme::icon(const QString& name, const QPalette& palette)
{
    const QString folder = QFile::decodeName((paths::resourcesFolder() / "icons").c_str());
    QFile file(folder + QLatin1Char('/') + name + QStringLiteral(".svg"));
    if (!file.open(QIODevice::ReadOnly)) {
        return {};
    }
    const QByteArray source = file.readAll();
    QIcon icon;
    for (const QIcon::Mode mode : {QIcon::Normal, QIcon::Disabled}) {
        const QColor ink = palette.color(mode == QIcon::Normal ? QPalette::Active : QPalette::Disabled, QPalette::ButtonText);
        QSvgRenderer renderer(QByteArray(source).replace("currentColor", ink.name().toLatin1()));
        for (const int side : {16, 22, 32, 48, 64, 128}) {
            QPixmap pixmap(side, side);
            pixmap.fill(Qt::transparent);
            QPainter painter(&pixmap);
            renderer.render(&painter);
            painter.end();
            icon.addPixmap(pixmap, mode);
        }
    }
    return icon;
}

} // namespace coldframe::ui
