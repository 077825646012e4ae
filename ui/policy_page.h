// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QWidget>
#include <nlohmann/json_fwd.hpp>

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class SuggestionBar;

/// What a sandbox may reach, and why: the mode, the groups of hosts with their switches, the rules, a box that says what would happen
/// with a host, and an allow-list made of what the sandbox used.
class PolicyPage : public QWidget
{
    Q_OBJECT

public:
    PolicyPage(api::Client& client, const QString& sandbox, QWidget* parent = nullptr);

signals:
    void said(const QString& text);
    void failed(const QString& text);

protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    QWidget* makeHead();
    QWidget* makeRules();
    QWidget* makeNewRule();
    QWidget* makeGroups();
    void load();
    void showRules(const nlohmann::json& answer);
    void showGroups(const nlohmann::json& answer);
    void fitColumns();
    void setMode();
    void check();
    void addOne();
    void removeChosen();
    void noteEdited(QTreeWidgetItem* item, int column);
    void switchGroup(QTreeWidgetItem* item);
    void offerTightening();
    void change(const char* method, nlohmann::json params, const QString& done);

    api::Client& m_client;
    QString m_id;
    QComboBox* m_mode = nullptr;
    QLabel* m_modeText = nullptr;
    SuggestionBar* m_suggestions = nullptr;
    QLineEdit* m_host = nullptr;
    QLabel* m_verdict = nullptr;
    QTreeWidget* m_rules = nullptr;
    QLabel* m_noRules = nullptr;
    QTreeWidget* m_groups = nullptr;
    QLineEdit* m_pattern = nullptr;
    QComboBox* m_action = nullptr;
    QComboBox* m_lasts = nullptr;
    QPushButton* m_add = nullptr;
    QPushButton* m_remove = nullptr;
    bool m_filling = false; ///< what changes is not the user's doing
    bool m_loaded = false;
    int m_verdictKind = 0; ///< 1 yes, 2 no, 3 a question
};

} // namespace coldframe::ui
