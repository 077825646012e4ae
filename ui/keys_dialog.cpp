// SPDX-License-Identifier: Apache-2.0
#include "ui/keys_dialog.h"

#include "api/attachment.h"
#include "api/client.h"
#include "base/secret.h"
#include "ui/ask.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QComboBox>
#include <QDir>
#include <QFile>
#include <QDateTime>
#include <QDesktopServices>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QPushButton>
#include <QTreeWidget>
#include <QUrl>
#include <QVBoxLayout>
#include <cstring>

namespace coldframe::ui {

namespace {

constexpr int kFileRole = Qt::UserRole + 1; ///< of a service in the box: where the agent on this computer keeps its log-in
constexpr int kBrowserRole = Qt::UserRole + 2; ///< whether there is a log-in by the browser

/// Where the agent keeps its credentials, as `coldframe keys login` looks for them.
QString credentialsFile(const nlohmann::json& service)
{
    const auto login = service.find("login");
    if (login == service.end() || !login->is_object()) {
        return {};
    }
    const QString file = QString::fromStdString(rawField(*login, "file"));
    const QString folder = qEnvironmentVariable(rawField(*login, "folderVariable").c_str());
    return folder.isEmpty() ? QDir::home().filePath(file) : QDir(folder).filePath(file.section(QLatin1Char('/'), -1));
}

/// What is known of a log-in; empty for a key.
QString loginState(const nlohmann::json& key)
{
    const auto login = key.find("login");
    if (login == key.end() || !login->is_object()) {
        return {};
    }
    if (rawField(*login, "state") == "over") {
        return KeysDialog::tr("Over: log in again");
    }
    const qint64 seconds = numberField(*login, "expiresAt");
    return seconds > 0 ? KeysDialog::tr("Log-in until %1").arg(QLocale().toString(QDateTime::fromSecsSinceEpoch(seconds), QLocale::ShortFormat))
                       : KeysDialog::tr("Log-in, renewed by itself");
}

} // namespace

KeysDialog::KeysDialog(api::Client& client, QWidget* parent) : QDialog(parent), m_client(client)
{
    setObjectName(QStringLiteral("keysDialog"));
    setWindowTitle(tr("Keys"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(560, 420);
    auto* layout = new QVBoxLayout(this);
    auto* intro = new QLabel(tr("Keys stay in the keychain of this computer. The proxy puts them on outside the sandbox; "
                                "inside, an agent only sees a placeholder."),
                             this);
    intro->setWordWrap(true);
    layout->addWidget(intro);
    m_keychain = new QLabel(this);
    m_keychain->setObjectName(QStringLiteral("keychainState"));
    m_keychain->setTextFormat(Qt::PlainText);
    m_keychain->setWordWrap(true);
    m_keychain->hide();
    layout->addWidget(m_keychain);

    m_keys = new QTreeWidget(this);
    m_keys->setObjectName(QStringLiteral("keysList"));
    m_keys->setAccessibleName(tr("Stored keys"));
    m_keys->setRootIsDecorated(false);
    m_keys->setHeaderLabels({tr("Service"), tr("Stored"), tr("Variable")});
    m_keys->header()->resizeSection(0, 170);
    m_keys->header()->resizeSection(1, 200);
    layout->addWidget(m_keys, 1);

    auto* form = new QFormLayout;
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_service = new QComboBox(this);
    m_service->setObjectName(QStringLiteral("keyService"));
    m_service->setAccessibleName(tr("Service"));
    m_key = new QLineEdit(this);
    m_key->setObjectName(QStringLiteral("keyField"));
    m_key->setAccessibleName(tr("Key"));
    m_key->setEchoMode(QLineEdit::Password);
    m_key->setInputMethodHints(Qt::ImhHiddenText | Qt::ImhSensitiveData | Qt::ImhNoPredictiveText);
    m_key->setMaxLength(16384);
    form->addRow(tr("&Service"), m_service);
    form->addRow(tr("&Key"), m_key);
    m_account = new QLineEdit(this);
    m_account->setObjectName(QStringLiteral("keyAccount"));
    m_account->setAccessibleName(tr("Account"));
    m_account->setPlaceholderText(tr("only for the second of several keys"));
    m_account->setMaxLength(64);
    form->addRow(tr("&Account"), m_account);
    layout->addLayout(form);
    m_message = new QLabel(this);
    m_message->setObjectName(QStringLiteral("keysMessage"));
    m_message->setTextFormat(Qt::PlainText);
    m_message->setWordWrap(true);
    m_message->hide();
    layout->addWidget(m_message);

    auto* row = new QHBoxLayout;
    m_remove = new QPushButton(tr("Remove…"), this);
    m_remove->setObjectName(QStringLiteral("keyRemove"));
    m_remove->setAutoDefault(false);
    m_login = new QPushButton(tr("Log in…"), this);
    m_login->setObjectName(QStringLiteral("keyLogin"));
    m_login->setAutoDefault(false);
    m_store = new QPushButton(tr("Store"), this);
    m_store->setObjectName(QStringLiteral("keyStore"));
    m_store->setDefault(true);
    auto* closeButton = new QPushButton(tr("Close"), this);
    closeButton->setObjectName(QStringLiteral("keysClose"));
    closeButton->setAutoDefault(false);
    row->addWidget(m_remove);
    row->addWidget(m_login);
    row->addStretch(1);
    row->addWidget(closeButton);
    row->addWidget(m_store);
    layout->addLayout(row);

    connect(m_store, &QPushButton::clicked, this, &KeysDialog::store);
    connect(m_remove, &QPushButton::clicked, this, &KeysDialog::askToRemove);
    connect(m_login, &QPushButton::clicked, this, &KeysDialog::askToLogIn);
    connect(m_service, &QComboBox::currentIndexChanged, this, &KeysDialog::enableButtons);
    connect(closeButton, &QPushButton::clicked, this, &QDialog::close);
    connect(m_key, &QLineEdit::textChanged, this, &KeysDialog::enableButtons);
    connect(m_keys, &QTreeWidget::itemSelectionChanged, this, &KeysDialog::enableButtons);
    connect(&client, &api::Client::event, this, [this](const nlohmann::json& event) {
        if (rawField(event, "type") == "keys.changed") {
            load();
        }
    });
    enableButtons();
    load();
}

void KeysDialog::load()
{
    m_client.call("keys.list", nlohmann::json::object(), this, [this](Result<nlohmann::json> answer) {
        if (answer) {
            showKeys(*answer);
        } else {
            tell(shown(answer.error().message), false);
        }
    });
}

void KeysDialog::showKeys(const nlohmann::json& answer)
{
    m_available = flagField(answer, "available");
    if (!m_available) {
        m_keychain->setText(tr("No keychain answers in this session, so no key can be stored. Keys from the environment "
                               "work without one: run for example “ANTHROPIC_API_KEY=… coldframe run”."));
    } else if (flagField(answer, "locked")) {
        m_keychain->setText(tr("The keychain is locked. Unlock it in your desktop's password manager; storing a key asks for it."));
    }
    m_keychain->setVisible(!m_available || flagField(answer, "locked"));

    const QString chosen = m_service->currentData().toString();
    m_service->clear();
    m_keys->clear();
    for (const nlohmann::json& service : listField(answer, "services")) {
        const std::string name = rawField(service, "name");
        m_service->addItem(shownField(service, "title"), QString::fromStdString(name));
        m_service->setItemData(m_service->count() - 1, credentialsFile(service), kFileRole);
        m_service->setItemData(m_service->count() - 1, service.contains("login") && service["login"].is_object() && flagField(service["login"], "browser"), kBrowserRole);
        QStringList variables;
        for (const nlohmann::json& variable : listField(service, "environment")) {
            variables.append(variable.is_string() ? shown(variable.get<std::string>()) : QString());
        }
        for (const nlohmann::json& key : listField(answer, "keys")) {
            if (rawField(key, "service") != name) {
                continue;
            }
            const QDateTime when = QDateTime::fromString(shownField(key, "storedAt"), Qt::ISODate).toLocalTime();
            const QString account = rawField(key, "account") == "default" ? QString() : shownField(key, "account");
            const QString title = account.isEmpty() ? rawField(key, "sandbox").empty() ? shownField(service, "title")
                                                                                       : tr("%1, for one sandbox").arg(shownField(service, "title"))
                                                    : tr("%1, account %2").arg(shownField(service, "title"), account);
            auto* item = new QTreeWidgetItem(m_keys, {title, !loginState(key).isEmpty() ? loginState(key)
                                                               : when.isValid()           ? QLocale().toString(when, QLocale::ShortFormat)
                                                                                          : tr("given by a program"),
                                                      variables.join(QStringLiteral(", "))});
            if (!loginState(key).isEmpty()) {
                item->setToolTip(1, tr("Log-in, renewed by itself"));
            }
            item->setData(0, Qt::UserRole, QString::fromStdString(name));
            item->setData(0, Qt::UserRole + 1, account);
            item->setData(0, Qt::UserRole + 2, QString::fromStdString(rawField(key, "sandbox")));
        }
    }
    m_service->setCurrentIndex(std::max(0, m_service->findData(chosen)));
    enableButtons();
}

void KeysDialog::enableButtons()
{
    m_store->setEnabled(m_available && !m_storing && m_service->currentIndex() >= 0 && !m_key->text().isEmpty());
    m_key->setEnabled(!m_storing);
    m_login->setVisible(!loginFile().isEmpty());
    m_login->setEnabled(m_available && !m_storing);
    m_remove->setEnabled(!m_keys->selectedItems().isEmpty());
}

void KeysDialog::store()
{
    QString typed = m_key->text();
    m_key->clear();
    QByteArray bytes = typed.trimmed().toUtf8();
    typed.fill(QLatin1Char('\0'));
    if (bytes.isEmpty()) {
        return;
    }
    m_storing = true;
    enableButtons();
    const QString title = m_service->currentText();
    send("keys.set", {{"service", m_service->currentData().toString().toStdString()}}, bytes, tr("The key for %1 is stored.").arg(title),
         tr("The key was not stored."));
}

QString KeysDialog::loginFile() const { return m_service->currentData(kFileRole).toString(); }

void KeysDialog::askToLogIn()
{
    const QString path = loginFile();
    const QString title = m_service->currentText();
    const bool hasBrowser = m_service->currentData(kBrowserRole).toBool();
    if (!QFile::exists(path) && hasBrowser) {
        logInByBrowser();
        return;
    }
    if (!QFile::exists(path)) {
        tell(tr("There is no log-in to take over at %1. Log in with the agent on this computer first, in a terminal.").arg(path), false);
        return;
    }
    ask(this,
        {tr("Log in"), tr("Use this computer's log-in for %1 in sandboxes?").arg(title),
         tr("It is copied from %1 into the keychain and renewed by Coldframe; inside are only placeholders. The agent on this computer may have to log "
            "in again later, since some servers let one of the two go on only.")
             .arg(path),
         tr("Use it"), hasBrowser ? tr("In the browser…") : QString()},
        this, [this, path] { logIn(path); }, [this] { logInByBrowser(); });
}

void KeysDialog::logInByBrowser()
{
    const QString title = m_service->currentText();
    nlohmann::json whose{{"service", m_service->currentData().toString().toStdString()}};
    if (const QString account = m_account->text().trimmed(); !account.isEmpty()) {
        whose["account"] = account.toStdString();
    }
    m_client.call("keys.login.begin", whose, this, [this, title](Result<nlohmann::json> begun) {
        if (!begun) {
            tell(shown(begun.error().message), false);
            return;
        }
        QDesktopServices::openUrl(QUrl(QString::fromStdString(rawField(*begun, "url"))));
        tell(tr("Log in in the browser that opens now."), true);
        m_client.call("keys.login.finish", {{"id", rawField(*begun, "id")}}, this, [this, title](Result<nlohmann::json> answer) {
            tell(answer ? tr("The log-in for %1 is stored; sandboxes have it from their next start on.").arg(title) : shown(answer.error().message),
                 answer.has_value());
            load();
        });
    });
}

void KeysDialog::logIn(const QString& path)
{
    QFile file(path);
    QByteArray bytes = file.open(QIODevice::ReadOnly) ? file.read(SecretBuffer::kMaxSize) : QByteArray();
    if (bytes.isEmpty()) {
        tell(tr("%1 cannot be read.").arg(path), false);
        return;
    }
    m_storing = true;
    enableButtons();
    send("keys.login", {{"service", m_service->currentData().toString().toStdString()}}, bytes,
         tr("The log-in for %1 is stored; sandboxes have it from their next start on.").arg(m_service->currentText()), tr("The log-in was not stored."));
}

void KeysDialog::send(const char* method, nlohmann::json whose, QByteArray& bytes, const QString& done, const QString& undone)
{
    if (const QString account = m_account->text().trimmed(); !account.isEmpty()) {
        whose["account"] = account.toStdString();
    }
    api::Attachment* attachment = m_client.attach(method, whose, this);
    connect(attachment, &api::Attachment::exited, this, [this, attachment, done, undone](int code, int) {
        attachment->deleteLater();
        m_storing = false;
        tell(code == 0 ? done : undone, code == 0);
        load();
    });
    const auto failed = [this, attachment](const QString& text) {
        attachment->deleteLater();
        m_storing = false;
        tell(text, false);
        enableButtons();
    };
    connect(attachment, &api::Attachment::failed, this,
            [failed](const coldframe::Error& error) { failed(shown(error.message)); });
    connect(attachment, &api::Attachment::closed, this,
            [failed] { failed(tr("The engine went away before it was stored; store it again.")); });
    attachment->sendInput(bytes);
    ::explicit_bzero(bytes.data(), static_cast<std::size_t>(bytes.size()));
}

void KeysDialog::askToRemove()
{
    const QList<QTreeWidgetItem*> items = m_keys->selectedItems();
    if (items.isEmpty()) {
        return;
    }
    const QString service = items.first()->data(0, Qt::UserRole).toString();
    const QString title = items.first()->text(0);
    nlohmann::json whose{{"service", service.toStdString()}};
    for (const auto& [field, role] : {std::pair("account", Qt::UserRole + 1), std::pair("sandbox", Qt::UserRole + 2)}) {
        if (const QString value = items.first()->data(0, role).toString(); !value.isEmpty()) {
            whose[field] = value.toStdString();
        }
    }
    ask(this,
        {tr("Remove key"), tr("Remove the key for %1?").arg(title),
         tr("It is deleted from the keychain; running sandboxes cannot use it any more."), tr("Remove")},
        this, [this, whose, title] {
            m_client.call("keys.remove", whose, this,
                          [this, title](Result<nlohmann::json> answer) {
                              tell(answer ? tr("The key for %1 is removed.").arg(title) : shown(answer.error().message),
                                   answer.has_value());
                              load();
                          });
        });
}

void KeysDialog::tell(const QString& text, bool good)
{
    QPalette colors = palette();
    colors.setColor(QPalette::WindowText, good ? Theme::good(palette()) : Theme::bad(palette()));
    m_message->setPalette(colors);
    m_message->setText(text);
    m_message->show();
}

} // namespace coldframe::ui
