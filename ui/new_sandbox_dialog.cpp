// SPDX-License-Identifier: Apache-2.0
#include "ui/new_sandbox_dialog.h"

#include "api/client.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QRegularExpression>
#include <QVBoxLayout>
#include <algorithm>

namespace coldframe::ui {

namespace {

constexpr int kServicesRole = Qt::UserRole + 1;

QLabel* sentence(QWidget* parent, const char* name, const QColor& color)
{
    auto* label = new QLabel(parent);
    label->setObjectName(QString::fromLatin1(name));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    QPalette palette = label->palette();
    palette.setColor(QPalette::WindowText, color);
    label->setPalette(palette);
    label->hide();
    return label;
}

} // namespace

NewSandboxDialog::NewSandboxDialog(api::Client& client, const QString& folder, QWidget* parent)
    : QDialog(parent), m_client(client)
{
    setObjectName(QStringLiteral("newSandboxDialog"));
    setWindowTitle(tr("New Sandbox"));
    setAttribute(Qt::WA_DeleteOnClose);
    setMinimumWidth(520);
    new QVBoxLayout(this);
    makeFields(folder);
    makeFooter();
    loadAgents();
    loadKeys();
    loadSettings();
    check();
}

void NewSandboxDialog::makeFields(const QString& folder)
{
    m_fields = new QWidget(this);
    auto* form = new QFormLayout(m_fields);
    form->setContentsMargins(0, 0, 0, 0);
    form->setVerticalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);

    auto* folderRow = new QHBoxLayout;
    m_folder = new QLineEdit(folder, m_fields);
    m_folder->setObjectName(QStringLiteral("folder"));
    m_folder->setAccessibleName(tr("Project folder"));
    m_folder->setPlaceholderText(tr("The folder that the agent works on"));
    auto* browseButton = new QPushButton(tr("Browse…"), m_fields);
    browseButton->setObjectName(QStringLiteral("browse"));
    browseButton->setAutoDefault(false);
    folderRow->addWidget(m_folder, 1);
    folderRow->addWidget(browseButton);
    form->addRow(tr("&Folder"), folderRow);
    if (auto* label = qobject_cast<QLabel*>(form->labelForField(folderRow))) {
        label->setBuddy(m_folder);
    }
    m_folderProblem = sentence(m_fields, "folderProblem", Theme::bad(palette()));
    form->addRow(QString(), m_folderProblem);

    m_agent = new QComboBox(m_fields);
    m_agent->setObjectName(QStringLiteral("agent"));
    m_agent->setAccessibleName(tr("Agent"));
    form->addRow(tr("&Agent"), m_agent);
    m_keyHint = new QWidget(m_fields);
    auto* hintRow = new QHBoxLayout(m_keyHint);
    hintRow->setContentsMargins(0, 0, 0, 0);
    m_keyHintText = sentence(m_keyHint, "keyHint", Theme::busy(palette()));
    m_keyHintText->show();
    auto* keysButton = new QPushButton(tr("Keys…"), m_keyHint);
    keysButton->setObjectName(QStringLiteral("hintKeys"));
    keysButton->setAutoDefault(false);
    hintRow->addWidget(m_keyHintText, 1);
    hintRow->addWidget(keysButton, 0, Qt::AlignTop);
    m_keyHint->hide();
    form->addRow(QString(), m_keyHint);

    m_network = new QComboBox(m_fields);
    m_network->setObjectName(QStringLiteral("network"));
    m_network->setAccessibleName(tr("Network"));
    m_network->addItem(tr("Balanced: AI services, package registries, code hosting"), QStringLiteral("balanced"));
    m_network->addItem(tr("Locked: only what you allow"), QStringLiteral("locked"));
    m_network->addItem(tr("Open: everything public"), QStringLiteral("open"));
    form->addRow(tr("Net&work"), m_network);

    m_name = new QLineEdit(m_fields);
    m_name->setObjectName(QStringLiteral("name"));
    m_name->setAccessibleName(tr("Name"));
    m_name->setPlaceholderText(tr("Made from agent and folder"));
    form->addRow(tr("&Name"), m_name);
    m_nameProblem = sentence(m_fields, "nameProblem", Theme::bad(palette()));
    form->addRow(QString(), m_nameProblem);

    m_consent = new QCheckBox(tr("Run it emulated, with reduced isolation"), m_fields);
    m_consent->setObjectName(QStringLiteral("consent"));
    const bool emulated = rawField(m_client.engine(), "acceleration") == "emulate";
    if (emulated) {
        auto* why = sentence(m_fields, "emulationReason", Theme::busy(palette()));
        why->setText(tr("%1 Emulation is slower and no security boundary: a hostile program may break out.")
                         .arg(shownField(m_client.engine(), "accelerationReason")));
        why->show();
        form->addRow(QString(), why);
    }
    m_consent->setVisible(emulated);
    form->addRow(QString(), m_consent);
    layout()->addWidget(m_fields);

    connect(m_folder, &QLineEdit::textChanged, this, &NewSandboxDialog::check);
    connect(m_name, &QLineEdit::textChanged, this, &NewSandboxDialog::check);
    connect(m_agent, &QComboBox::currentIndexChanged, this, &NewSandboxDialog::check);
    connect(m_agent, &QComboBox::currentIndexChanged, this, &NewSandboxDialog::showKeyHint);
    connect(keysButton, &QPushButton::clicked, this, &NewSandboxDialog::keysWanted);
    connect(&m_client, &api::Client::event, this, [this](const nlohmann::json& event) {
        if (rawField(event, "type") == "keys.changed") {
            loadKeys();
        }
    });
    connect(m_consent, &QCheckBox::toggled, this, &NewSandboxDialog::check);
    connect(browseButton, &QPushButton::clicked, this, &NewSandboxDialog::browse);
}

void NewSandboxDialog::makeFooter()
{
    m_error = sentence(this, "createError", Theme::bad(palette()));
    layout()->addWidget(m_error);
    m_stage = new QLabel(this);
    m_stage->setObjectName(QStringLiteral("stage"));
    m_stage->setTextFormat(Qt::PlainText);
    m_stage->hide();
    m_progress = new QProgressBar(this);
    m_progress->setObjectName(QStringLiteral("createProgress"));
    m_progress->setAccessibleName(tr("Progress"));
    m_progress->setTextVisible(false);
    m_progress->hide();
    layout()->addWidget(m_stage);
    layout()->addWidget(m_progress);
    auto* row = new QHBoxLayout;
    m_create = new QPushButton(tr("Create"), this);
    m_create->setObjectName(QStringLiteral("create"));
    m_create->setDefault(true);
    m_cancel = new QPushButton(tr("Cancel"), this);
    m_cancel->setObjectName(QStringLiteral("cancel"));
    m_cancel->setAutoDefault(false);
    row->addStretch(1);
    row->addWidget(m_cancel);
    row->addWidget(m_create);
    static_cast<QVBoxLayout*>(layout())->addLayout(row);
    connect(m_create, &QPushButton::clicked, this, &NewSandboxDialog::create);
    connect(m_cancel, &QPushButton::clicked, this, &NewSandboxDialog::reject);
}

void NewSandboxDialog::loadAgents()
{
    m_client.call("agents.list", nlohmann::json::object(), this, [this](Result<nlohmann::json> answer) {
        if (!answer) {
            showError(shown(answer.error().message));
            return;
        }
        for (const nlohmann::json& agent : listField(*answer, "agents")) {
            if (flagField(agent, "supported")) {
                m_agent->addItem(shownField(agent, "title"), shownField(agent, "name"));
                QStringList services;
                for (const nlohmann::json& service : listField(agent, "services")) {
                    services.append(service.is_string() ? shown(service.get<std::string>()) : QString());
                }
                m_agent->setItemData(m_agent->count() - 1, services, kServicesRole);
            }
        }
        showKeyHint();
        check();
    });
}

void NewSandboxDialog::loadKeys()
{
    m_client.call("keys.list", nlohmann::json::object(), this, [this](Result<nlohmann::json> answer) {
        if (!answer) {
            return; // the hint is a help, not a condition
        }
        m_stored.clear();
        for (const nlohmann::json& key : listField(*answer, "keys")) {
            m_stored.append(shownField(key, "service"));
        }
        for (const nlohmann::json& service : listField(*answer, "services")) {
            const auto login = service.find("login"); // it is as good as the key that it is used instead of
            if (login != service.end() && login->is_object() && m_stored.contains(shownField(service, "name"))) {
                m_stored.append(shownField(*login, "insteadOf"));
            }
        }
        m_keysKnown = true;
        showKeyHint();
    });
}

void NewSandboxDialog::loadSettings()
{
    m_client.call("settings.get", nlohmann::json::object(), this, [this](Result<nlohmann::json> answer) {
        if (!answer) {
            return;
        }
        m_network->setCurrentIndex(qMax(0, m_network->findData(shownField(*answer, "defaultMode"))));
        if (flagField(*answer, "consentToEmulation")) {
            m_consent->setChecked(true); // agreed to once for all
        }
    });
}

void NewSandboxDialog::showKeyHint()
{
    const QStringList services = m_agent->currentData(kServicesRole).toStringList();
    const bool stored = std::any_of(services.begin(), services.end(), [this](const QString& s) { return m_stored.contains(s); });
    m_keyHint->setVisible(m_keysKnown && !services.isEmpty() && !stored);
    m_keyHintText->setText(tr("No key for %1 is stored, so it cannot reach its service yet.").arg(m_agent->currentText()));
    growToFit();
}

QString NewSandboxDialog::folderProblem(const QString& folder)
{
    const QFileInfo info(folder);
    if (!info.isAbsolute()) {
        return tr("Write the whole path, beginning with /.");
    }
    if (!info.exists()) {
        return tr("There is no such folder.");
    }
    if (!info.isDir()) {
        return tr("This is a file; choose a folder.");
    }
    if (!info.isReadable() || !info.isExecutable()) {
        return tr("You may not read this folder.");
    }
    const QString whole = info.canonicalFilePath();
    if (whole == QDir::rootPath()) {
        return tr("This is the whole machine; choose a project folder.");
    }
    if (whole == QFileInfo(QDir::homePath()).canonicalFilePath()) {
        return tr("This is your home folder, with your keys and settings; choose a project folder in it.");
    }
    return {};
}

QString NewSandboxDialog::nameProblem(const QString& name)
{
    static const QRegularExpression good(QStringLiteral("\\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\\z"));
    if (name.isEmpty() || good.match(name).hasMatch()) {
        return {};
    }
    return tr("A name has 1 to 63 letters, digits, dots, dashes or underscores and starts with a letter or a digit.");
}

void NewSandboxDialog::check()
{
    const QString folder = m_folder->text();
    const QString folderText = folder.isEmpty() ? QString() : folderProblem(folder);
    m_folderProblem->setText(folderText);
    m_folderProblem->setVisible(!folderText.isEmpty());
    const QString nameText = nameProblem(m_name->text());
    m_nameProblem->setText(nameText);
    m_nameProblem->setVisible(!nameText.isEmpty());
    const bool agreed = m_consent->isHidden() || m_consent->isChecked();
    m_create->setEnabled(m_call == 0 && !folder.isEmpty() && folderText.isEmpty() && nameText.isEmpty() && agreed &&
                         m_agent->currentIndex() >= 0);
    growToFit();
}

/// What appears beside a field must not squeeze the others: labels that wrap have no height of their own to ask for.
void NewSandboxDialog::growToFit()
{
    layout()->activate();
    const int wanted = layout()->hasHeightForWidth() ? layout()->totalHeightForWidth(width()) : sizeHint().height();
    if (isVisible() && height() < wanted) {
        resize(width(), wanted);
    }
}

void NewSandboxDialog::browse()
{
    auto* chooser = new QFileDialog(this, tr("Choose the project folder"), m_folder->text());
    chooser->setObjectName(QStringLiteral("folderChooser"));
    chooser->setAttribute(Qt::WA_DeleteOnClose);
    chooser->setFileMode(QFileDialog::Directory);
    chooser->setOption(QFileDialog::ShowDirsOnly);
    connect(chooser, &QFileDialog::fileSelected, m_folder, &QLineEdit::setText);
    chooser->open();
}

void NewSandboxDialog::create()
{
    nlohmann::json params = {
        {"agent", m_agent->currentData().toString().toStdString()},
        {"workspaces", nlohmann::json::array({{{"path", apiPath(QDir::cleanPath(m_folder->text()))}, {"readOnly", false}}})},
        {"network", {{"allow", nlohmann::json::array()},
                     {"deny", nlohmann::json::array()},
                     {"policy", m_network->currentData().toString().toStdString()}}},
        {"start", true},
        {"progress", true}};
    if (!m_name->text().isEmpty()) {
        params["name"] = m_name->text().toStdString();
    }
    if (!m_consent->isHidden() && m_consent->isChecked()) {
        params["consentEmulation"] = true;
    }
    m_stage->setText(tr("Asking the engine"));
    m_progress->setRange(0, 0);
    m_call = m_client.call(
        "sandbox.create", std::move(params), this, [this](Result<nlohmann::json> answer) { takeAnswer(std::move(answer)); },
        [this](const api::Progress& progress) { takeProgress(progress); });
    setWorking(true);
}

void NewSandboxDialog::takeProgress(const api::Progress& progress)
{
    m_stage->setText(shown(progress.text));
    m_progress->setRange(0, progress.total > 0 ? 1000 : 0);
    if (progress.total > 0) {
        m_progress->setValue(static_cast<int>(1000.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total)));
    }
}

void NewSandboxDialog::takeAnswer(Result<nlohmann::json> answer)
{
    m_call = 0;
    setWorking(false);
    if (!answer) {
        showError(shown(answer.error().message));
        return;
    }
    emit created(QString::fromStdString(rawField(*answer, "id")));
    accept();
    close();
}

void NewSandboxDialog::setWorking(bool working)
{
    m_fields->setEnabled(!working);
    m_stage->setVisible(working);
    m_progress->setVisible(working);
    if (working) {
        m_error->hide();
    }
    m_cancel->setEnabled(true);
    check();
}

void NewSandboxDialog::showError(const QString& text)
{
    m_error->setText(text);
    m_error->show();
}

void NewSandboxDialog::reject()
{
    if (m_call == 0) {
        QDialog::reject();
        close();
        return;
    }
    // The answer comes as an error and leaves the fields for another try.
    m_client.cancel(m_call);
    m_stage->setText(tr("Cancelling"));
    m_cancel->setEnabled(false);
}

} // namespace coldframe::ui
