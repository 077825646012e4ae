// SPDX-License-Identifier: Apache-2.0
#include "ui/question_bar.h"

#include "api/attachment.h"
#include "api/client.h"
#include "ui/sandbox_model.h"
#include "ui/text.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {
constexpr qsizetype kMostQuestions = 64;

QPushButton* button(QWidget* parent, const char* name, const QString& text)
{
    auto* made = new QPushButton(text, parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setAutoDefault(false);
    return made;
}

QLabel* label(QWidget* parent, const char* name)
{
    auto* made = new QLabel(parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setTextFormat(Qt::PlainText);
    made->setWordWrap(true);
    return made;
}
} // namespace

QuestionBar::QuestionBar(api::Client& client, SandboxModel& model, QWidget* parent) : QFrame(parent), m_client(client), m_model(model)
{
    setObjectName(QStringLiteral("questionBar"));
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(12, 8, 12, 8);
    auto* words = new QVBoxLayout;
    words->setSpacing(2);
    m_text = label(this, "questionText");
    QFont strong = m_text->font();
    strong.setBold(true);
    m_text->setFont(strong);
    m_more = label(this, "questionMore");
    words->addWidget(m_text);
    words->addWidget(m_more);
    row->addLayout(words, 1);
    m_once = button(this, "questionOnce", tr("Allow Once"));
    m_allow = button(this, "questionAllow", tr("Allow"));
    m_no = button(this, "questionNo", tr("Not Now"));
    m_block = button(this, "questionBlock", tr("Block"));
    m_block->setToolTip(tr("Block it for this sandbox, and do not ask again"));
    auto* menu = m_menu = new QMenu(m_allow);
    connect(menu->addAction(tr("Until the Sandbox Stops")), &QAction::triggered, this, [this] { answer("allow", "session", "host"); });
    connect(menu->addAction(tr("For This Sandbox")), &QAction::triggered, this, [this] { answer("allow", "sandbox", "host"); });
    m_domain = menu->addAction(QString());
    connect(m_domain, &QAction::triggered, this, [this] { answer("allow", "sandbox", "domain"); });
    connect(menu->addAction(tr("For Every Sandbox")), &QAction::triggered, this, [this] { answer("allow", "always", "host"); });
    m_allow->setMenu(menu);
    connect(m_once, &QPushButton::clicked, this, [this] { answer("allow", "once", "host"); });
    connect(m_no, &QPushButton::clicked, this, [this] { answer("deny", "once", "host"); });
    connect(m_block, &QPushButton::clicked, this, [this] { answer("deny", "sandbox", "host"); });
    for (QPushButton* each : {m_once, m_allow, m_no, m_block}) {
        row->addWidget(each);
    }
    m_guard.setSingleShot(true);
    m_guard.setInterval(kGuardMilliseconds);
    connect(&m_guard, &QTimer::timeout, this, &QuestionBar::refresh);
    hide();
    connect(&client, &api::Client::event, this, &QuestionBar::take);
    connect(&client, &api::Client::resynchronised, this, &QuestionBar::attend);
    connect(&client, &api::Client::stateChanged, this, [this](api::Client::State state) {
        if (state != api::Client::State::Connected && !m_questions.isEmpty()) {
            m_questions.clear();
            refresh();
        }
    });
}

void QuestionBar::attend()
{
    delete m_presence;
    m_presence = m_client.attach("network.attend", json::object(), this);
    m_client.call("network.questions", json::object(), this, [this](Result<json> answer) {
        if (answer) {
            for (const json& question : listField(*answer, "questions")) {
                add(question, false);
            }
        }
    });
}

void QuestionBar::take(const json& event)
{
    const std::string type = rawField(event, "type");
    if (type == "ask" && event.contains("question")) {
        add(event["question"], true);
    } else if (type == "ask.done") {
        const std::string id = rawField(event, "id");
        for (qsizetype i = 0; i < m_questions.size(); ++i) {
            if (m_questions[i].id == id) {
                if (rawField(event, "by") == "timeout") {
                    emit said(tr("Nobody answered in time: %1 was not allowed.").arg(m_questions[i].target));
                }
                m_questions.removeAt(i);
                refresh();
                return;
            }
        }
    }
}

void QuestionBar::add(const json& value, bool isNew)
{
    Question question;
    question.id = rawField(value, "id");
    question.sandbox = QString::fromStdString(rawField(value, "sandbox"));
    const std::string host = rawField(value, "host");
    const bool isKnown = std::any_of(m_questions.cbegin(), m_questions.cend(), [&](const Question& other) { return other.id == question.id; });
    if (question.id.empty() || host.empty() || isKnown || m_questions.size() >= kMostQuestions) {
        return;
    }
    question.target = shownTarget(host.substr(0, 300), numberField(value, "port"));
    const std::string method = rawField(value, "method");
    if (!method.empty()) {
        question.request = shown((method + ' ' + rawField(value, "path")).substr(0, 160));
    }
    question.domain = shown(rawField(value, "domain").substr(0, 300));
    m_questions.append(question);
    if (isNew) {
        emit asked(question.sandbox, nameOf(question.sandbox), question.target);
    }
    refresh();
}

QString QuestionBar::nameOf(const QString& sandbox) const
{
    const Sandbox* known = m_model.find(sandbox);
    return known ? known->name : tr("A sandbox");
}

void QuestionBar::refresh()
{
    setVisible(!m_questions.isEmpty());
    if (m_questions.isEmpty()) {
        m_shown.clear();
        return;
    }
    const Question& first = m_questions.first();
    if (first.id != m_shown) {
        m_shown = first.id;
        m_menu->close(); // it was opened for another
        m_guard.start();
    }
    m_text->setText(tr("%1 wants to reach %2.").arg(nameOf(first.sandbox), first.target));
    QStringList more;
    if (!first.request.isEmpty()) {
        more.append(first.request);
    }
    if (m_questions.size() > 1) {
        more.append(tr("More questions wait: %1").arg(m_questions.size() - 1));
    }
    m_more->setText(more.join(QStringLiteral(" · ")));
    m_more->setVisible(!more.isEmpty());
    m_domain->setVisible(!first.domain.isEmpty());
    m_domain->setText(tr("For This Sandbox, All of %1").arg(first.domain));
    for (QPushButton* each : {m_once, m_allow, m_no, m_block}) {
        each->setEnabled(!m_guard.isActive());
    }
}

void QuestionBar::answer(const char* verdict, const char* span, const char* what)
{
    if (m_questions.isEmpty() || m_questions.first().id != m_shown || m_guard.isActive()) {
        return;
    }
    const Question question = m_questions.takeFirst();
    refresh();
    m_client.call("network.answer", {{"id", question.id}, {"verdict", verdict}, {"for", span}, {"what", what}}, this, [this](Result<json> done) {
        if (!done) {
            emit said(shown(done.error().message));
        }
    });
}

} // namespace coldframe::ui
