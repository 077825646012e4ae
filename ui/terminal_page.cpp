// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_page.h"

#include "api/client.h"
#include "ui/ask.h"
#include "ui/terminal_session.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTimer>
#include <QVBoxLayout>
#include <vector>

namespace coldframe::ui {

namespace {
constexpr const char* kIsAgent = "isAgent";
} // namespace

TerminalPage::TerminalPage(api::Client& client, const QString& sandbox, QWidget* parent)
    : QWidget(parent), m_client(client), m_id(sandbox)
{
    setObjectName(QStringLiteral("terminalPage"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 8, 0, 0);
    auto* bar = new QHBoxLayout;
    bar->setContentsMargins(8, 0, 8, 0);
    m_agent = new QPushButton(tr("Start Agent"), this);
    m_agent->setObjectName(QStringLiteral("startAgent"));
    m_newAgent = new QPushButton(tr("New Agent Session"), this);
    m_newAgent->setObjectName(QStringLiteral("newAgent"));
    m_newAgent->setToolTip(tr("Starts the agent once more, beside the session that runs."));
    m_newAgent->hide();
    m_shell = new QPushButton(tr("Open Shell"), this);
    m_shell->setObjectName(QStringLiteral("openShell"));
    paintIcons();
    connect(m_agent, &QPushButton::clicked, this, &TerminalPage::startAgent);
    connect(m_shell, &QPushButton::clicked, this, &TerminalPage::openShell);
    connect(m_newAgent, &QPushButton::clicked, this, &TerminalPage::startNewAgent);
    bar->addWidget(m_agent);
    bar->addWidget(m_newAgent);
    bar->addWidget(m_shell);
    bar->addStretch(1);
    layout->addLayout(bar);

    m_stack = new QStackedWidget(this);
    auto* empty = new QLabel(tr("No terminal is open. Start the agent in the workspace, or open a shell beside it; "
                                "a stopped sandbox is started first."),
                             m_stack);
    empty->setTextFormat(Qt::PlainText);
    empty->setObjectName(QStringLiteral("terminalEmpty"));
    empty->setAlignment(Qt::AlignCenter);
    empty->setWordWrap(true);
    empty->setMargin(40);
    m_tabs = new QTabWidget(m_stack);
    m_tabs->setObjectName(QStringLiteral("terminalTabs"));
    m_tabs->setAccessibleName(tr("Terminals"));
    m_tabs->setTabsClosable(true);
    m_tabs->setMovable(true);
    m_tabs->setDocumentMode(true);
    connect(m_tabs, &QTabWidget::tabCloseRequested, this, &TerminalPage::closeSession);
    m_stack->addWidget(empty);
    m_stack->addWidget(m_tabs);
    layout->addWidget(m_stack, 1);
    // Later, when the model knows the sandboxes' states.
    connect(&m_client, &api::Client::resynchronised, this, [this] { QTimer::singleShot(0, this, &TerminalPage::lookForSessions); });
}

void TerminalPage::paintIcons()
{
    m_agent->setIcon(Theme::icon(QStringLiteral("start"), palette()));
    m_newAgent->setIcon(Theme::icon(QStringLiteral("start"), palette()));
    m_shell->setIcon(Theme::icon(QStringLiteral("terminal"), palette()));
}

void TerminalPage::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_shell) {
        paintIcons();
    }
}

int TerminalPage::runningSessions() const
{
    int running = 0;
    for (int i = 0; i < m_tabs->count(); ++i) {
        running += at(i) && at(i)->isRunning() ? 1 : 0;
    }
    return running;
}

TerminalSession* TerminalPage::at(int index) const { return qobject_cast<TerminalSession*>(m_tabs->widget(index)); }

/// The tab of the agent's session, or -1.
int TerminalPage::runningAgent() const
{
    for (int i = 0; i < m_tabs->count(); ++i) {
        if (at(i) && at(i)->isRunning() && at(i)->property(kIsAgent).toBool()) {
            return i;
        }
    }
    return -1;
}

void TerminalPage::setRunning(bool running)
{
    const bool cameUp = running && !m_isRunning;
    m_isRunning = running;
    if (cameUp) {
        lookForSessions();
    }
}

void TerminalPage::lookForSessions()
{
    if (!m_isRunning || m_client.state() != api::Client::State::Connected) {
        return;
    }
    m_client.call("session.list", {{"sandbox", m_id.toStdString()}}, this, [this](Result<nlohmann::json> answer) {
        if (answer && m_isRunning && answer->is_object() && answer->contains("sessions")) {
            takeSessions((*answer)["sessions"]);
        }
    });
}

void TerminalPage::takeSessions(const nlohmann::json& sessions)
{
    std::vector<TerminalSession*> lost;
    bool isOneComing = false; // whose session the list may name already
    for (int i = 0; i < m_tabs->count(); ++i) {
        isOneComing = isOneComing || (at(i) && at(i)->isRunning() && at(i)->session().empty());
        if (at(i) && at(i)->isLost()) {
            lost.push_back(at(i));
        }
    }
    for (const nlohmann::json& session : sessions) {
        const std::string id = rawField(session, "id");
        const bool isAgent = !rawField(session, "agent").empty();
        bool isOpen = false;
        for (int i = 0; i < m_tabs->count(); ++i) {
            if (at(i) && at(i)->session() == id) {
                isOpen = true;
                std::erase(lost, at(i));
                if (at(i)->isLost()) {
                    at(i)->attachAgain();
                }
            }
        }
        // What somebody looks at elsewhere is left to them: here it would get the size of this window.
        const bool isFree = numberField(session, "viewers") == 0 && rawField(session, "state") == "running";
        if (!isOpen && !isOneComing && isFree && session.value("tty", false)) {
            const QString title = isAgent ? tr("Agent") : shown(rawField(session, "label")).left(30);
            add("session.attach", {{"sandbox", m_id.toStdString()}, {"session", id}}, title, isAgent, m_tabs->count() == 0);
        }
    }
    for (TerminalSession* gone : lost) {
        gone->giveUp();
    }
}

void TerminalPage::startAgent()
{
    if (const int running = runningAgent(); running >= 0) {
        m_tabs->setCurrentIndex(running);
        m_tabs->currentWidget()->setFocus();
        return;
    }
    add("sandbox.launch", {{"sandbox", m_id.toStdString()}, {"arguments", nlohmann::json::array()}}, tr("Agent"), true);
}

void TerminalPage::startNewAgent()
{
    add("sandbox.launch", {{"sandbox", m_id.toStdString()}, {"arguments", nlohmann::json::array()}, {"new", true}}, tr("Agent"), true);
}

void TerminalPage::openShell()
{
    add("sandbox.exec",
        {{"sandbox", m_id.toStdString()},
         // A login shell, as in a terminal of the desktop: what installers add to ~/.profile holds.
         {"argv", nlohmann::json::array({"bash", "-l"})},
         {"environment", {{"TERM", "xterm-256color"}, {"COLORTERM", "truecolor"}}}},
        tr("Shell"), false);
}

TerminalSession* TerminalPage::add(std::string method, nlohmann::json params, const QString& title, bool isAgent, bool show)
{
    auto* session = new TerminalSession(m_client, std::move(method), std::move(params), m_tabs);
    session->setProperty(kIsAgent, isAgent);
    connect(session, &TerminalSession::titleChanged, this, [this, session, title](const QString& text) {
        const int index = m_tabs->indexOf(session);
        m_tabs->setTabToolTip(index, text);
        const QString tab = text.isEmpty() ? title : tr("%1: %2").arg(title, text.left(30));
        m_tabs->setTabText(index, QString(tab).replace(QLatin1Char('&'), QStringLiteral("&&")));
    });
    connect(session, &TerminalSession::ended, this, &TerminalPage::showRightSide);
    m_stack->setCurrentWidget(m_tabs);
    const int index = m_tabs->addTab(session, QString(title).replace(QLatin1Char('&'), QStringLiteral("&&")));
    if (show) {
        m_tabs->setCurrentIndex(index);
        session->setFocus();
    }
    showRightSide();
    return session;
}

void TerminalPage::closeSession(int index)
{
    auto* session = qobject_cast<TerminalSession*>(m_tabs->widget(index));
    if (!session || !session->isRunning()) {
        drop(m_tabs->widget(index));
        return;
    }
    ask(
        this,
        {tr("Close terminal"), tr("Close this terminal?"),
         tr("Its program can go on without it: it is shown again when the window is opened next, or by “coldframe attach”."), tr("End the Program"),
         session->session().empty() ? QString() : tr("Leave It Running")},
        session,
        [this, session] {
            if (session->session().empty()) {
                session->hangUp();
            } else {
                m_client.call("session.end", {{"sandbox", m_id.toStdString()}, {"session", session->session()}}, this, [](Result<nlohmann::json>) {});
            }
            drop(session);
        },
        [this, session] { drop(session); });
}

void TerminalPage::closeCurrent()
{
    if (m_tabs->count() > 0) {
        closeSession(m_tabs->currentIndex());
    }
}

void TerminalPage::drop(QWidget* session)
{
    m_tabs->removeTab(m_tabs->indexOf(session));
    session->deleteLater();
    showRightSide();
}

void TerminalPage::showRightSide()
{
    m_stack->setCurrentIndex(m_tabs->count() == 0 ? 0 : 1);
    m_newAgent->setVisible(runningAgent() >= 0);
}

} // namespace coldframe::ui
