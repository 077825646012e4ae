// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <QDialog>
#include <QStringList>
#include <nlohmann/json_fwd.hpp>

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;

namespace coldframe::api {
class Client;
struct Progress;
}

namespace coldframe::ui {

/// Makes a sandbox from a folder: what is wrong is said beside the field, the stages are shown while the engine works,
/// and Cancel cancels them. Deletes itself when closed.
class NewSandboxDialog : public QDialog
{
    Q_OBJECT

public:
    NewSandboxDialog(api::Client& client, const QString& folder, QWidget* parent = nullptr);

    /// What is wrong with a folder, as far as this side can tell; empty when nothing is. The engine has the last word.
    static QString folderProblem(const QString& folder);
    static QString nameProblem(const QString& name);

signals:
    void keysWanted();
    void created(const QString& id);

public slots:
    void reject() override;

private:
    void makeFields(const QString& folder);
    void makeFooter();
    void loadAgents();
    void loadKeys();
    void loadSettings();
    void showKeyHint();
    void check();
    void growToFit();
    void browse();
    void create();
    void takeProgress(const api::Progress& progress);
    void takeAnswer(Result<nlohmann::json> answer);
    void setWorking(bool working);
    void showError(const QString& text);

    api::Client& m_client;
    QWidget* m_fields = nullptr;
    QLineEdit* m_folder = nullptr;
    QLabel* m_folderProblem = nullptr;
    QComboBox* m_agent = nullptr;
    QWidget* m_keyHint = nullptr;
    QLabel* m_keyHintText = nullptr;
    QStringList m_stored; ///< services with a key in the keychain
    bool m_keysKnown = false;
    QComboBox* m_network = nullptr;
    QLineEdit* m_name = nullptr;
    QLabel* m_nameProblem = nullptr;
    QCheckBox* m_consent = nullptr;
    QLabel* m_error = nullptr;
    QLabel* m_stage = nullptr;
    QProgressBar* m_progress = nullptr;
    QPushButton* m_create = nullptr;
    QPushButton* m_cancel = nullptr;
    qint64 m_call = 0; ///< 0: nothing under way
};

} // namespace coldframe::ui
