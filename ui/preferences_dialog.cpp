// SPDX-License-Identifier: Apache-2.0
#include "ui/preferences_dialog.h"

#include "api/client.h"
#include "ui/proxy_page.h"
#include "ui/terminal_preferences.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSpinBox>
#include <QTabWidget>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace coldframe::ui {

using nlohmann::json;

namespace {

QLabel* hint(const QString& text, QWidget* parent)
{
    auto* label = new QLabel(text, parent);
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

QPushButton* button(const QString& text, const char* name, QWidget* parent)
{
    auto* made = new QPushButton(text, parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setAutoDefault(false);
    return made;
}

QSpinBox* portField(const QString& accessible, const char* name, QWidget* parent)
{
    auto* made = new QSpinBox(parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setAccessibleName(accessible);
    made->setRange(1, 65535);
    made->setValue(443);
    return made;
}

} // namespace

PreferencesDialog::PreferencesDialog(api::Client& client, QWidget* parent)
    : QDialog(parent), m_client(client), m_window(loadWindowSettings())
{
    setObjectName(QStringLiteral("preferencesDialog"));
    setWindowTitle(tr("Preferences"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(600, 500);
    auto* layout = new QVBoxLayout(this);
    auto* tabs = new QTabWidget(this);
    tabs->setObjectName(QStringLiteral("preferencesPages"));
    tabs->addTab(makeGeneral(), tr("General"));
    m_terminal = new TerminalPreferences(m_window, this);
    tabs->addTab(m_terminal, tr("Terminal"));
    connect(m_terminal, &TerminalPreferences::changed, this, &PreferencesDialog::changeWindow);
    tabs->addTab(makeNetwork(), tr("Network"));
    m_proxy = new ProxyPage(this);
    tabs->addTab(m_proxy, tr("Proxy"));
    connect(m_proxy, &ProxyPage::applied, this, [this](const json& setting) { change({{"upstreamProxy", setting}}); });
    layout->addWidget(tabs, 1);
    m_message = hint({}, this);
    m_message->setObjectName(QStringLiteral("preferencesMessage"));
    QPalette colors = palette();
    colors.setColor(QPalette::WindowText, Theme::bad(colors));
    m_message->setPalette(colors);
    m_message->hide();
    layout->addWidget(m_message);
    auto* row = new QHBoxLayout;
    auto* closeButton = button(tr("Close"), "preferencesClose", this);
    row->addStretch(1);
    row->addWidget(closeButton);
    layout->addLayout(row);
    connect(closeButton, &QPushButton::clicked, this, &QDialog::close);
    enableButtons();
    load();
}

QWidget* PreferencesDialog::makeGeneral()
{
    auto* page = new QWidget(this);
    auto* form = new QFormLayout(page);
    form->setContentsMargins(16, 16, 16, 16);
    form->setVerticalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto choice = [&](const char* name, const QString& accessible) {
        auto* made = new QComboBox(page);
        made->setObjectName(QString::fromLatin1(name));
        made->setAccessibleName(accessible);
        return made;
    };
    m_theme = choice("preferencesTheme", tr("Theme"));
    m_theme->addItems({tr("As the system"), tr("Light"), tr("Dark")}); // in the order of ThemeChoice
    m_theme->setCurrentIndex(static_cast<int>(m_window.theme));
    form->addRow(tr("&Theme"), m_theme);
    m_darkTerminals = new QCheckBox(tr("Dark terminals in a light window too"), page);
    m_darkTerminals->setObjectName(QStringLiteral("preferencesDarkTerminals"));
    m_darkTerminals->setChecked(m_window.darkTerminals);
    form->addRow(QString(), m_darkTerminals);
    connect(m_theme, &QComboBox::currentIndexChanged, this, &PreferencesDialog::changeWindow);
    connect(m_darkTerminals, &QCheckBox::toggled, this, &PreferencesDialog::changeWindow);

    m_acceleration = choice("preferencesAcceleration", tr("Acceleration"));
    m_acceleration->addItem(tr("KVM where it works, else emulation"), QStringLiteral("auto"));
    m_acceleration->addItem(tr("KVM only"), QStringLiteral("kvm"));
    m_acceleration->addItem(tr("Emulation only"), QStringLiteral("emulate"));
    form->addRow(tr("&Acceleration"), m_acceleration);
    m_consent = new QCheckBox(tr("Run emulated sandboxes without asking each time"), page);
    m_consent->setObjectName(QStringLiteral("preferencesConsent"));
    form->addRow(QString(), m_consent);
    form->addRow(QString(), hint(tr("Emulation is slower and no security boundary: a hostile program may break out."), page));
    m_mode = choice("preferencesMode", tr("Network of new sandboxes"));
    m_mode->addItem(tr("Balanced: AI services, package registries, code hosting"), QStringLiteral("balanced"));
    m_mode->addItem(tr("Locked: only what you allow"), QStringLiteral("locked"));
    m_mode->addItem(tr("Open: everything public"), QStringLiteral("open"));
    form->addRow(tr("&New sandboxes"), m_mode);
    m_ask = new QCheckBox(tr("Ask about unknown hosts while this window is there; else block them"), page);
    m_ask->setObjectName(QStringLiteral("preferencesAsk"));
    form->addRow(QString(), m_ask);
    m_whenIdle = choice("preferencesWhenIdle", tr("Sandboxes that nobody uses"));
    m_whenIdle->addItem(tr("Run on"), QStringLiteral("nothing"));
    m_whenIdle->addItem(tr("Are paused, and go on when they are used"), QStringLiteral("pause"));
    m_whenIdle->addItem(tr("Are stopped when nothing runs in them"), QStringLiteral("stop"));
    form->addRow(tr("&Idle sandboxes"), m_whenIdle);
    m_idleMinutes = new QDoubleSpinBox(page);
    m_idleMinutes->setObjectName(QStringLiteral("preferencesIdleMinutes"));
    m_idleMinutes->setAccessibleName(tr("Minutes without use"));
    m_idleMinutes->setRange(0.1, 44640);
    m_idleMinutes->setDecimals(1);
    m_idleMinutes->setSuffix(tr(" minutes without use"));
    m_idleMinutes->setKeyboardTracking(false);
    m_idleMinutes->setEnabled(false);
    form->addRow(tr("A&fter"), m_idleMinutes);
    connect(m_whenIdle, &QComboBox::currentIndexChanged, this, [this] {
        m_idleMinutes->setEnabled(m_whenIdle->currentIndex() > 0);
        change({{"whenIdle", m_whenIdle->currentData().toString().toStdString()}});
    });
    connect(m_idleMinutes, &QDoubleSpinBox::valueChanged, this, [this](double minutes) { change({{"whenIdleMinutes", minutes}}); });
    connect(m_acceleration, &QComboBox::currentIndexChanged, this,
            [this] { change({{"acceleration", m_acceleration->currentData().toString().toStdString()}}); });
    connect(m_consent, &QCheckBox::toggled, this, [this](bool on) { change({{"consentToEmulation", on}}); });
    connect(m_ask, &QCheckBox::toggled, this, [this](bool on) { change({{"askAboutHosts", on}}); });
    connect(m_mode, &QComboBox::currentIndexChanged, this,
            [this] { change({{"defaultMode", m_mode->currentData().toString().toStdString()}}); });
    return page;
}

QWidget* PreferencesDialog::makeNetwork()
{
    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(16, 16, 16, 16);
    column->addWidget(hint(tr("Host mapping: sandboxes reach a name at an address of yours, such as a server on this computer."), page));
    m_mappings = new QTreeWidget(page);
    m_mappings->setObjectName(QStringLiteral("mappings"));
    m_mappings->setAccessibleName(tr("Host mapping"));
    m_mappings->setRootIsDecorated(false);
    m_mappings->setHeaderLabels({tr("Name"), tr("Port"), tr("Address"), tr("Port there")});
    m_mappings->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    m_mappings->header()->setStretchLastSection(false);
    column->addWidget(m_mappings, 2);
    auto* fields = new QHBoxLayout;
    m_mappedName = new QLineEdit(page);
    m_mappedName->setObjectName(QStringLiteral("mappedName"));
    m_mappedName->setAccessibleName(tr("Name to map"));
    m_mappedName->setPlaceholderText(tr("registry.example.com"));
    m_mappedPort = portField(tr("Port of the name"), "mappedPort", page);
    m_mappedAddress = new QLineEdit(page);
    m_mappedAddress->setObjectName(QStringLiteral("mappedAddress"));
    m_mappedAddress->setAccessibleName(tr("Address to map to"));
    m_mappedAddress->setPlaceholderText(QStringLiteral("127.0.0.1"));
    m_mappedTarget = portField(tr("Port of the address"), "mappedTarget", page);
    fields->addWidget(m_mappedName, 2);
    fields->addWidget(m_mappedPort);
    fields->addWidget(new QLabel(QStringLiteral("→"), page));
    fields->addWidget(m_mappedAddress, 1);
    fields->addWidget(m_mappedTarget);
    column->addLayout(fields);
    auto* mappingButtons = new QHBoxLayout;
    m_removeMapping = button(tr("Remove"), "removeMapping", page);
    m_removeMapping->setAccessibleName(tr("Remove the chosen mapping"));
    m_addMapping = button(tr("Add"), "addMapping", page);
    m_addMapping->setAccessibleName(tr("Add the mapping"));
    mappingButtons->addStretch(1);
    mappingButtons->addWidget(m_removeMapping);
    mappingButtons->addWidget(m_addMapping);
    column->addLayout(mappingButtons);

    column->addWidget(hint(tr("Extra certificate authorities: files that the proxy trusts beside the system's, for servers of your own."), page));
    m_authorities = new QListWidget(page);
    m_authorities->setObjectName(QStringLiteral("authorities"));
    m_authorities->setAccessibleName(tr("Extra certificate authorities"));
    column->addWidget(m_authorities, 1);
    auto* authorityButtons = new QHBoxLayout;
    m_removeAuthority = button(tr("Remove"), "removeAuthority", page);
    m_removeAuthority->setAccessibleName(tr("Remove the chosen authority"));
    auto* addButton = button(tr("Add…"), "addAuthority", page);
    addButton->setAccessibleName(tr("Add an authority"));
    authorityButtons->addStretch(1);
    authorityButtons->addWidget(m_removeAuthority);
    authorityButtons->addWidget(addButton);
    column->addLayout(authorityButtons);

    connect(m_addMapping, &QPushButton::clicked, this, &PreferencesDialog::addMapping);
    connect(m_removeMapping, &QPushButton::clicked, this, &PreferencesDialog::removeMapping);
    connect(addButton, &QPushButton::clicked, this, &PreferencesDialog::addAuthority);
    connect(m_removeAuthority, &QPushButton::clicked, this, &PreferencesDialog::removeAuthority);
    connect(m_mappings, &QTreeWidget::itemSelectionChanged, this, &PreferencesDialog::enableButtons);
    connect(m_authorities, &QListWidget::itemSelectionChanged, this, &PreferencesDialog::enableButtons);
    connect(m_mappedName, &QLineEdit::textChanged, this, &PreferencesDialog::enableButtons);
    connect(m_mappedAddress, &QLineEdit::textChanged, this, &PreferencesDialog::enableButtons);
    return page;
}

void PreferencesDialog::load()
{
    m_client.call("settings.get", json::object(), this, [this](Result<json> answer) {
        if (answer) {
            takeSettings(*answer);
        } else {
            tell(shown(answer.error().message));
        }
    });
}

void PreferencesDialog::takeSettings(const json& settings)
{
    m_settings = settings;
    m_filling = true;
    m_acceleration->setCurrentIndex(qMax(0, m_acceleration->findData(shownField(settings, "acceleration"))));
    m_consent->setChecked(flagField(settings, "consentToEmulation"));
    m_ask->setChecked(flagField(settings, "askAboutHosts"));
    m_mode->setCurrentIndex(qMax(0, m_mode->findData(shownField(settings, "defaultMode"))));
    m_whenIdle->setCurrentIndex(qMax(0, m_whenIdle->findData(shownField(settings, "whenIdle"))));
    const auto minutes = settings.is_object() ? settings.find("whenIdleMinutes") : settings.end();
    m_idleMinutes->setValue(minutes != settings.end() && minutes->is_number() ? minutes->get<double>() : 30);
    m_idleMinutes->setEnabled(m_whenIdle->currentIndex() > 0);
    m_mappings->clear();
    for (const json& mapping : listField(settings, "hostMappings")) {
        const auto port = [&](const char* key) {
            const qint64 number = numberField(mapping, key);
            return number > 0 ? QString::number(number) : tr("any");
        };
        new QTreeWidgetItem(m_mappings, {shownField(mapping, "name"), port("port"), shownField(mapping, "address"), port("targetPort")});
    }
    m_authorities->clear();
    for (const json& file : listField(settings, "upstreamCaFiles")) {
        m_authorities->addItem(file.is_string() ? shown(file.get<std::string>()) : QString());
    }
    m_proxy->setSettings(settings);
    m_filling = false;
    enableButtons();
}

void PreferencesDialog::change(json fields)
{
    if (m_filling) {
        return;
    }
    m_message->hide();
    m_client.call("settings.set", {{"settings", std::move(fields)}}, this, [this](Result<json> answer) {
        if (answer) {
            takeSettings(*answer);
            m_client.refreshEngine();
        } else {
            tell(shown(answer.error().message));
            load();
        }
    });
}

void PreferencesDialog::changeWindow()
{
    m_terminal->apply(m_window);
    m_window.theme = static_cast<ThemeChoice>(m_theme->currentIndex());
    m_window.darkTerminals = m_darkTerminals->isChecked();
    if (const Result<void> saved = saveWindowSettings(m_window); !saved) {
        tell(shown(saved.error().message));
    }
    emit windowSettingsChanged(m_window);
}

void PreferencesDialog::addMapping()
{
    json mappings = listField(m_settings, "hostMappings");
    mappings.push_back({{"name", m_mappedName->text().trimmed().toStdString()},
                        {"port", m_mappedPort->value()},
                        {"address", m_mappedAddress->text().trimmed().toStdString()},
                        {"targetPort", m_mappedTarget->value()}});
    m_mappedName->clear();
    change({{"hostMappings", std::move(mappings)}});
}

void PreferencesDialog::removeMapping()
{
    json mappings = listField(m_settings, "hostMappings");
    const int row = m_mappings->indexOfTopLevelItem(m_mappings->currentItem());
    if (row >= 0 && row < static_cast<int>(mappings.size())) {
        mappings.erase(static_cast<std::size_t>(row));
        change({{"hostMappings", std::move(mappings)}});
    }
}

void PreferencesDialog::addAuthority()
{
    auto* chooser = new QFileDialog(this, tr("Choose a file of certificates"));
    chooser->setObjectName(QStringLiteral("authorityChooser"));
    chooser->setAttribute(Qt::WA_DeleteOnClose);
    chooser->setFileMode(QFileDialog::ExistingFile);
    chooser->setNameFilters({tr("Certificates (*.pem *.crt *.cer)"), tr("All files (*)")});
    connect(chooser, &QFileDialog::fileSelected, this, [this](const QString& file) {
        json files = listField(m_settings, "upstreamCaFiles");
        files.push_back(file.toStdString());
        change({{"upstreamCaFiles", std::move(files)}});
    });
    chooser->open();
}

void PreferencesDialog::removeAuthority()
{
    json files = listField(m_settings, "upstreamCaFiles");
    const int row = m_authorities->currentRow();
    if (row >= 0 && row < static_cast<int>(files.size())) {
        files.erase(static_cast<std::size_t>(row));
        change({{"upstreamCaFiles", std::move(files)}});
    }
}

void PreferencesDialog::enableButtons()
{
    m_removeMapping->setEnabled(!m_mappings->selectedItems().isEmpty());
    m_removeAuthority->setEnabled(!m_authorities->selectedItems().isEmpty());
    m_addMapping->setEnabled(!m_mappedName->text().trimmed().isEmpty() && !m_mappedAddress->text().trimmed().isEmpty());
}

void PreferencesDialog::tell(const QString& text)
{
    m_message->setText(text);
    m_message->show();
}

} // namespace coldframe::ui
