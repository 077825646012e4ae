// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_page.h"

#include "api/attachment.h"
#include "api/client.h"
#include "ui/ask.h"
#include "ui/terminal/terminal_widget.h"
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
#include <csignal>

namespace coldframe::ui {

TerminalSession::TerminalSession(api::Client& client, std::string method, nlohmann::json params, QWidget* parent)
    : QWidget(parent), m_client(client), m_method(std::move(method)), m_params(std::move(params))
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    m_view = new TerminalWidget(this);
    m_view->setObjectName(QStringLiteral("terminalView"));
    m_view->setAccessibleName(tr("Terminal"));
    m_view->setColorScheme(Theme::terminal(palette()));
    m_status = new QLabel(tr("Connecting"), this);
    m_status->setObjectName(QStringLiteral("terminalStatus"));
    m_status->setTextFormat(Qt::PlainText);
    m_status->setContentsMargins(8, 4, 8, 4);
    m_status->setWordWrap(true);
    layout->addWidget(m_view, 1);
    layout->addWidget(m_status);
    setFocusProxy(m_view);
    connect(m_view, &TerminalWidget::titleChanged, this,
            [this](const QString& title) { emit titleChanged(shown(title.left(80).toStdString())); });
    connect(m_view, &TerminalWidget::pasteNeedsConfirmation, this, &TerminalSession::askPaste);
}

TerminalSession::~TerminalSession()
{
    if (m_attachment) {
        m_attachment->disconnect(this);
        m_attachment->close();
    }
}

void TerminalSession::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (!m_begun) {
        m_begun = true;
        // The layout gives the view its size first, so that the program starts with the right one.
        QTimer::singleShot(0, this, &TerminalSession::begin);
    }
}

void TerminalSession::begin()
{
    m_params["rows"] = m_view->rows();
    m_params["columns"] = m_view->columns();
    m_params["tty"] = true;
    m_running = true;
    m_attachment = m_client.attach(m_method, m_params, this);
    connect(m_attachment, &api::Attachment::opened, this, [this] {
        m_status->hide();
        m_attachment->sendResize(m_view->rows(), m_view->columns());
    });
    connect(m_attachment, &api::Attachment::output, m_view, &TerminalWidget::feed);
    connect(m_attachment, &api::Attachment::exited, this, [this](int code, int signal) {
        end(signal != 0 ? tr("Ended by signal %1.").arg(signal) : tr("Ended with exit code %1.").arg(code),
            code == 0 && signal == 0);
    });
    connect(m_attachment, &api::Attachment::failed, this,
            [this](const coldframe::Error& error) { end(shown(error.message), false); });
    connect(m_attachment, &api::Attachment::closed, this,
            [this] { end(tr("The connection to the program broke."), false); });
    connect(m_view, &TerminalWidget::bytesTyped, m_attachment, &api::Attachment::sendInput);
    connect(m_view, &TerminalWidget::sizeChanged, m_attachment, &api::Attachment::sendResize);
}

void TerminalSession::end(const QString& text, bool good)
{
    m_running = false;
    m_status->setText(text);
    QPalette colors = palette();
    colors.setColor(QPalette::WindowText, good ? Theme::quiet(palette()) : Theme::bad(palette()));
    m_status->setPalette(colors);
    m_status->show();
    if (m_attachment) {
        m_attachment->disconnect(m_view);
        m_view->disconnect(m_attachment);
        m_attachment->deleteLater();
        m_attachment = nullptr;
    }
    emit ended();
}

void TerminalSession::hangUp()
{
    if (m_running && m_attachment) {
        m_attachment->sendSignal(SIGHUP);
    }
}

void TerminalSession::askPaste(const QString& text)
{
    ask(this,
        {tr("Paste several lines"), tr("Paste these lines into the terminal?"),
         tr("Each line may be run as a command as soon as it is pasted:\n\n%1").arg(shown(text.left(400).toStdString())), tr("Paste")},
        this, [this, text] { m_view->confirmPaste(text); });
}

void TerminalSession::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_view) {
        m_view->setColorScheme(Theme::terminal(palette()));
    }
}

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
    m_shell = new QPushButton(tr("Open Shell"), this);
    m_shell->setObjectName(QStringLiteral("openShell"));
    paintIcons();
    connect(m_agent, &QPushButton::clicked, this, &TerminalPage::startAgent);
    connect(m_shell, &QPushButton::clicked, this, &TerminalPage::openShell);
    bar->addWidget(m_agent);
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
}

void TerminalPage::paintIcons()
{
    m_agent->setIcon(Theme::icon(QStringLiteral("start"), palette()));
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
        const auto* session = qobject_cast<TerminalSession*>(m_tabs->widget(i));
        running += session && session->isRunning() ? 1 : 0;
    }
    return running;
}

void TerminalPage::startAgent()
{
    add("sandbox.launch", {{"sandbox", m_id.toStdString()}, {"arguments", nlohmann::json::array()}}, tr("Agent"));
}

void TerminalPage::openShell()
{
    add("sandbox.exec",
        {{"sandbox", m_id.toStdString()},
         // A login shell, as in a terminal of the desktop: what installers add to ~/.profile holds.
         {"argv", nlohmann::json::array({"bash", "-l"})},
         {"environment", {{"TERM", "xterm-256color"}, {"COLORTERM", "truecolor"}}}},
        tr("Shell"));
}

TerminalSession* TerminalPage::add(std::string method, nlohmann::json params, const QString& title)
{
    auto* session = new TerminalSession(m_client, std::move(method), std::move(params), m_tabs);
    connect(session, &TerminalSession::titleChanged, this, [this, session, title](const QString& text) {
        const int index = m_tabs->indexOf(session);
        m_tabs->setTabToolTip(index, text);
        const QString tab = text.isEmpty() ? title : tr("%1: %2").arg(title, text.left(30));
        m_tabs->setTabText(index, QString(tab).replace(QLatin1Char('&'), QStringLiteral("&&")));
    });
    m_stack->setCurrentWidget(m_tabs);
    m_tabs->setCurrentIndex(m_tabs->addTab(session, title));
    session->setFocus();
    return session;
}

void TerminalPage::closeSession(int index)
{
    auto* session = qobject_cast<TerminalSession*>(m_tabs->widget(index));
    if (!session || !session->isRunning()) {
        drop(m_tabs->widget(index));
        return;
    }
    ask(this,
        {tr("Close terminal"), tr("Close this terminal?"), tr("The program in it is hung up and ends."), tr("Close")},
        session, [this, session] {
            session->hangUp();
            drop(session);
        });
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

void TerminalPage::showRightSide() { m_stack->setCurrentIndex(m_tabs->count() == 0 ? 0 : 1); }

} // namespace coldframe::ui
