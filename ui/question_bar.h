// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QFrame>
#include <QList>
#include <QPointer>
#include <QTimer>
#include <nlohmann/json_fwd.hpp>
#include <string>

class QAction;
class QLabel;
class QMenu;
class QPushButton;

namespace coldframe::api {
class Attachment;
class Client;
}

namespace coldframe::ui {

class SandboxModel;

/// Asks about hosts that no rule speaks of, one at a time, while the connection to them waits. For as long as it lives and the engine is
/// connected, somebody is there who can be asked (network.attend). What a question shows is the guest's word.
class QuestionBar : public QFrame
{
    Q_OBJECT

public:
    /// A question that comes into view cannot be answered for so long: a click that was meant for the one before it, or for
    /// something else, does not become its answer.
    static constexpr int kGuardMilliseconds = 500;

    QuestionBar(api::Client& client, SandboxModel& model, QWidget* parent);

    qsizetype waiting() const { return m_questions.size(); }

signals:
    /// One came: for those who look elsewhere.
    void asked(const QString& sandbox, const QString& name, const QString& target);
    void said(const QString& text);

private:
    struct Question
    {
        std::string id;
        QString sandbox;
        QString target;
        QString request;
        QString domain;
    };

    void attend();
    void take(const nlohmann::json& event);
    void add(const nlohmann::json& question, bool isNew);
    void refresh();
    void answer(const char* verdict, const char* span, const char* what);
    QString nameOf(const QString& sandbox) const;

    api::Client& m_client;
    SandboxModel& m_model;
    QList<Question> m_questions;
    QPointer<api::Attachment> m_presence;
    QLabel* m_text = nullptr;
    QLabel* m_more = nullptr;
    QPushButton* m_once = nullptr;
    QPushButton* m_allow = nullptr;
    QPushButton* m_no = nullptr;
    QPushButton* m_block = nullptr;
    QMenu* m_menu = nullptr;
    QAction* m_domain = nullptr;
    QTimer m_guard;
    std::string m_shown; ///< id
};

} // namespace coldframe::ui
