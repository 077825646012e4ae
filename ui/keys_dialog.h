// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QDialog>
#include <nlohmann/json_fwd.hpp>

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QTreeWidget;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// The keys in the keychain, by service: never shown, only stored and removed. A typed key goes over an attachment as
/// bytes, never in a message, and is wiped from the field at once. Deletes itself when closed.
class KeysDialog : public QDialog
{
    Q_OBJECT

public:
    explicit KeysDialog(api::Client& client, QWidget* parent = nullptr);

private:
    void load();
    void showKeys(const nlohmann::json& answer);
    void store();
    void askToLogIn();
    void logIn(const QString& path);
    void logInByBrowser();
    /// Wipes the bytes.
    void send(const char* method, nlohmann::json whose, QByteArray& bytes, const QString& done, const QString& undone);
    QString loginFile() const;
    void askToRemove();
    void tell(const QString& text, bool good);
    void enableButtons();

    api::Client& m_client;
    QLabel* m_keychain = nullptr;
    QTreeWidget* m_keys = nullptr;
    QComboBox* m_service = nullptr;
    QLineEdit* m_key = nullptr;
    QLineEdit* m_account = nullptr;
    QPushButton* m_store = nullptr;
    QPushButton* m_login = nullptr;
    QPushButton* m_remove = nullptr;
    QLabel* m_message = nullptr;
    bool m_available = false;
    bool m_storing = false;
};

} // namespace coldframe::ui
