// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_preferences.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFontComboBox>
#include <QFormLayout>
#include <QSpinBox>

namespace coldframe::ui {

TerminalPreferences::TerminalPreferences(const WindowSettings& settings, QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("terminalPreferences"));
    const TerminalLooks& looks = settings.terminal;
    auto* form = new QFormLayout(this);
    form->setContentsMargins(16, 16, 16, 16);
    form->setVerticalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto box = [&](const QString& text, const char* name, bool on) {
        auto* made = new QCheckBox(text, this);
        made->setObjectName(QString::fromLatin1(name));
        made->setChecked(on);
        form->addRow(QString(), made);
        connect(made, &QCheckBox::toggled, this, &TerminalPreferences::changed);
        return made;
    };
    m_font = new QFontComboBox(this);
    m_font->setObjectName(QStringLiteral("terminalFont"));
    m_font->setAccessibleName(tr("Font"));
    m_font->setFontFilters(QFontComboBox::MonospacedFonts);
    m_font->setEditable(false);
    if (!looks.family.isEmpty()) {
        m_font->setCurrentFont(QFont(looks.family));
    }
    form->addRow(tr("&Font"), m_font);
    m_ownFont = box(tr("System font"), "terminalSystemFont", looks.family.isEmpty());
    m_font->setEnabled(!m_ownFont->isChecked());
    connect(m_ownFont, &QCheckBox::toggled, m_font, &QWidget::setDisabled);
    connect(m_font, &QFontComboBox::currentFontChanged, this, &TerminalPreferences::changed);
    m_size = new QSpinBox(this);
    m_size->setObjectName(QStringLiteral("terminalFontSize"));
    m_size->setAccessibleName(tr("Font size"));
    m_size->setRange(TerminalLooks::kMinPoints - 1, TerminalLooks::kMaxPoints); // the least: none of its own
    m_size->setSpecialValueText(tr("as the system"));
    m_size->setValue(looks.points == 0 ? m_size->minimum() : looks.points);
    m_size->setKeyboardTracking(false);
    connect(m_size, &QSpinBox::valueChanged, this, &TerminalPreferences::changed);
    form->addRow(tr("&Size"), m_size);
    m_ligatures = box(tr("Join signs such as -> where the font can"), "terminalLigatures", looks.ligatures);
    m_dark = schemes("terminalDarkScheme", tr("Colours in the dark"), false, looks.darkScheme);
    form->addRow(tr("&Dark colours"), m_dark);
    m_light = schemes("terminalLightScheme", tr("Colours in the light"), true, looks.lightScheme);
    form->addRow(tr("&Light colours"), m_light);
    m_copyOnSelect = box(tr("Copy what is selected at once"), "terminalCopyOnSelect", looks.copyOnSelect);
    m_visualBell = box(tr("Flash at the bell"), "terminalVisualBell", looks.visualBell);
    m_audibleBell = box(tr("Sound the bell"), "terminalAudibleBell", looks.audibleBell);
    m_clipboard = new QComboBox(this);
    m_clipboard->setObjectName(QStringLiteral("terminalClipboard"));
    m_clipboard->setAccessibleName(tr("Programs may use the clipboard"));
    m_clipboard->addItems({tr("Programs ask before they copy"), tr("Programs may always copy"), tr("Programs may never copy")}); // in the order of ClipboardConsent
    m_clipboard->setCurrentIndex(static_cast<int>(settings.clipboard));
    connect(m_clipboard, &QComboBox::currentIndexChanged, this, &TerminalPreferences::changed);
    form->addRow(tr("&Clipboard"), m_clipboard);
}

QComboBox* TerminalPreferences::schemes(const char* name, const QString& accessible, bool isLight, const QString& chosen)
{
    auto* made = new QComboBox(this);
    made->setObjectName(QString::fromLatin1(name));
    made->setAccessibleName(accessible);
    for (const ColorScheme& scheme : ColorScheme::all()) {
        if (scheme.isLight == isLight) {
            made->addItem(scheme.name, scheme.id);
        }
    }
    made->setCurrentIndex(qMax(0, made->findData(chosen)));
    connect(made, &QComboBox::currentIndexChanged, this, &TerminalPreferences::changed);
    return made;
}

void TerminalPreferences::apply(WindowSettings& settings) const
{
    TerminalLooks& looks = settings.terminal;
    looks.family = m_ownFont->isChecked() ? QString() : m_font->currentFont().family();
    looks.points = m_size->value() == m_size->minimum() ? 0 : m_size->value();
    looks.ligatures = m_ligatures->isChecked();
    looks.darkScheme = m_dark->currentData().toString();
    looks.lightScheme = m_light->currentData().toString();
    looks.copyOnSelect = m_copyOnSelect->isChecked();
    looks.visualBell = m_visualBell->isChecked();
    looks.audibleBell = m_audibleBell->isChecked();
    settings.clipboard = static_cast<ClipboardConsent>(m_clipboard->currentIndex());
}

} // namespace coldframe::ui
