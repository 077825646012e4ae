// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_page.h"

#include "api/client.h"
#include "base/file.h"
#include "ui/ask.h"
#include "ui/terminal/terminal_widget.h"
#include "ui/terminal_replay.h"
#include "ui/terminal_session.h"
#include "ui/terminal_splits.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QContextMenuEvent>
#include <QDialog>
#include <QDir>
#include <QEvent>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabBar>
#include <QTabWidget>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

namespace coldframe::ui {

namespace {
constexpr const char* kIsAgent = "isAgent";
constexpr const char* kBaseTitle = "baseTitle";   ///< of a session: before what its program says
constexpr const char* kGivenTitle = "givenTitle"; ///< of a tab: by the user
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
    connect(m_tabs, &QTabWidget::tabCloseRequested, this, &TerminalPage::closeTab);
    connect(m_tabs, &QTabWidget::tabBarDoubleClicked, this, &TerminalPage::renameTab);
    m_tabs->tabBar()->installEventFilter(this);
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

TerminalSplits* TerminalPage::tab(int index) const { return qobject_cast<TerminalSplits*>(m_tabs->widget(index)); }

QList<TerminalSession*> TerminalPage::sessions() const
{
    QList<TerminalSession*> all;
    for (int i = 0; i < m_tabs->count(); ++i) {
        all += tab(i)->sessions();
    }
    return all;
}

int TerminalPage::tabOf(TerminalSession* session) const
{
    for (int i = 0; i < m_tabs->count(); ++i) {
        if (tab(i)->isAncestorOf(session)) {
            return i;
        }
    }
    return -1;
}

TerminalSession* TerminalPage::current() const { return m_tabs->count() > 0 ? tab(m_tabs->currentIndex())->current() : nullptr; }

int TerminalPage::runningSessions() const
{
    const QList<TerminalSession*> all = sessions();
    return static_cast<int>(std::count_if(all.begin(), all.end(), [](const TerminalSession* session) { return session->isRunning(); }));
}

/// The agent's session, or nothing.
TerminalSession* TerminalPage::runningAgent() const
{
    for (TerminalSession* session : sessions()) {
        if (session->isRunning() && session->property(kIsAgent).toBool()) {
            return session;
        }
    }
    return nullptr;
}

void TerminalPage::setFolders(const QStringList& folders)
{
    m_folders = folders;
    for (TerminalSession* session : sessions()) {
        session->setFolders(folders);
    }
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

void TerminalPage::takeSessions(const nlohmann::json& list)
{
    QList<TerminalSession*> lost;
    bool isOneComing = false; // whose session the list may name already
    const QList<TerminalSession*> open = sessions();
    for (TerminalSession* one : open) {
        isOneComing = isOneComing || (one->isRunning() && one->session().empty());
        if (one->isLost()) {
            lost.append(one);
        }
    }
    for (const nlohmann::json& session : list) {
        const std::string id = rawField(session, "id");
        const bool isAgent = !rawField(session, "agent").empty();
        bool isOpen = false;
        for (TerminalSession* one : open) {
            if (one->session() == id) {
                isOpen = true;
                if (lost.removeAll(one) > 0) {
                    one->attachAgain();
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
    if (TerminalSession* running = runningAgent()) {
        m_tabs->setCurrentIndex(tabOf(running));
        running->setFocus();
        return;
    }
    add("sandbox.launch", {{"sandbox", m_id.toStdString()}, {"arguments", nlohmann::json::array()}}, tr("Agent"), true);
}

void TerminalPage::startNewAgent()
{
    add("sandbox.launch", {{"sandbox", m_id.toStdString()}, {"arguments", nlohmann::json::array()}, {"new", true}}, tr("Agent"), true);
}

nlohmann::json TerminalPage::shellParams() const
{
    nlohmann::json params = {{"sandbox", m_id.toStdString()},
                             // A login shell, as in a terminal of the desktop: what installers add to ~/.profile holds.
                             {"argv", nlohmann::json::array({"bash", "-l"})},
                             {"environment", {{"TERM", "xterm-256color"}, {"COLORTERM", "truecolor"}}}};
    // Where the terminal at hand is, if that is in a workspace: the program's word is good for no other place.
    const QString folder = current() ? QDir::cleanPath(current()->view()->directory()) : QString();
    for (const QString& workspace : m_folders) {
        if (folder == workspace || folder.startsWith(workspace + QLatin1Char('/'))) {
            params["cwd"] = apiPath(folder);
        }
    }
    return params;
}

void TerminalPage::openShell() { add("sandbox.exec", shellParams(), tr("Shell"), false); }
void TerminalPage::splitRight() { split(Qt::Horizontal); }
void TerminalPage::splitDown() { split(Qt::Vertical); }

void TerminalPage::split(Qt::Orientation direction)
{
    if (m_tabs->count() == 0) {
        openShell();
        return;
    }
    tab(m_tabs->currentIndex())->split(make("sandbox.exec", shellParams(), tr("Shell"), false), direction);
}

void TerminalPage::focusNext()
{
    if (m_tabs->count() > 0) {
        tab(m_tabs->currentIndex())->moveFocus(1);
    }
}

TerminalSession* TerminalPage::make(std::string method, nlohmann::json params, const QString& title, bool isAgent)
{
    auto* session = new TerminalSession(m_client, std::move(method), std::move(params));
    session->setFolders(m_folders);
    session->setProperty(kIsAgent, isAgent);
    session->setProperty(kBaseTitle, title);
    const auto refresh = [this, session] {
        if (const int index = tabOf(session); index >= 0) {
            showTab(tab(index));
        }
        tellProgress();
    };
    connect(session, &TerminalSession::titleChanged, this, refresh);
    connect(session, &TerminalSession::stateChanged, this, refresh);
    connect(session, &TerminalSession::ended, this, &TerminalPage::showRightSide);
    connect(session, &TerminalSession::notified, this, &TerminalPage::notified);
    connect(session, &TerminalSession::menuAboutToShow, this, [this, session](QMenu* menu) {
        menu->addSeparator();
        menu->addAction(tr("Split to the Right"), this, &TerminalPage::splitRight)->setObjectName(QStringLiteral("menuSplitRight"));
        menu->addAction(tr("Split Downwards"), this, &TerminalPage::splitDown)->setObjectName(QStringLiteral("menuSplitDown"));
        menu->addAction(tr("Open Recording…"), this, &TerminalPage::chooseRecording)->setObjectName(QStringLiteral("menuReplay"));
        menu->addAction(tr("Close Terminal"), this, [this, session] { closeSession(session); });
    });
    return session;
}

TerminalSession* TerminalPage::add(std::string method, nlohmann::json params, const QString& title, bool isAgent, bool show)
{
    TerminalSession* session = make(std::move(method), std::move(params), title, isAgent);
    auto* splits = new TerminalSplits(session, m_tabs);
    connect(splits, &TerminalSplits::currentChanged, this, [this, splits] { showTab(splits); });
    m_stack->setCurrentWidget(m_tabs);
    const int index = m_tabs->addTab(splits, QString());
    showTab(splits);
    if (show) {
        m_tabs->setCurrentIndex(index);
        session->setFocus();
    }
    showRightSide();
    return session;
}

/// The tab's title, icon and tool tip, of the terminal in it that is used.
void TerminalPage::showTab(TerminalSplits* splits)
{
    const int index = m_tabs->indexOf(splits);
    if (index < 0) {
        return;
    }
    const TerminalSession* session = splits->current();
    const QString base = session->property(kBaseTitle).toString();
    const QString given = splits->property(kGivenTitle).toString();
    QString text = !given.isEmpty() ? given : session->title().isEmpty() ? base : tr("%1: %2").arg(base, session->title().left(30));
    switch (session->progressState()) {
    case 1: text = tr("%1 (%2%)").arg(text).arg(session->progressPercent()); break;
    case 2: text = tr("%1 (failed)").arg(text); break;
    case 3: text = tr("%1 (busy)").arg(text); break;
    case 4: text = tr("%1 (waits)").arg(text); break;
    default: break;
    }
    if (session->isDetached()) {
        text = tr("%1 (detached)").arg(text);
    }
    const QList<TerminalSession*> all = splits->sessions();
    if (std::any_of(all.begin(), all.end(), [](const TerminalSession* one) { return one->isRecording(); })) {
        text = tr("● %1").arg(text);
    }
    m_tabs->setTabText(index, text.replace(QLatin1Char('&'), QStringLiteral("&&")));
    m_tabs->setTabToolTip(index, session->title());
}

void TerminalPage::tellProgress()
{
    int least = -1;
    for (const TerminalSession* session : sessions()) {
        if (session->progressState() == 1 && (least < 0 || session->progressPercent() < least)) {
            least = session->progressPercent();
        }
    }
    emit progressChanged(least);
}

void TerminalPage::renameTab(int index)
{
    if (index < 0) {
        return;
    }
    auto* dialog = new QInputDialog(this);
    dialog->setObjectName(QStringLiteral("renameTab"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(tr("Rename tab"));
    dialog->setLabelText(tr("Name (empty: what the program says)"));
    dialog->setTextValue(tab(index)->property(kGivenTitle).toString());
    connect(dialog, &QInputDialog::textValueSelected, tab(index), [this, splits = tab(index)](const QString& text) {
        splits->setProperty(kGivenTitle, text.left(60));
        showTab(splits);
    });
    dialog->open();
}

bool TerminalPage::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::ContextMenu && watched == m_tabs->tabBar()) {
        const auto* asked = static_cast<QContextMenuEvent*>(event);
        const int index = m_tabs->tabBar()->tabAt(asked->pos());
        if (index >= 0) {
            auto* menu = new QMenu(this);
            menu->setAttribute(Qt::WA_DeleteOnClose);
            menu->addAction(tr("Rename…"), this, [this, index] { renameTab(index); });
            menu->addAction(tr("Close"), this, [this, index] { closeTab(index); });
            menu->popup(asked->globalPos());
        }
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

void TerminalPage::closeSession(TerminalSession* session)
{
    if (!session->isRunning()) {
        drop(session);
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

/// Its terminals one after the other.
void TerminalPage::closeTab(int index)
{
    if (index >= 0 && index < m_tabs->count()) {
        closeSession(tab(index)->current());
    }
}

void TerminalPage::closeCurrent()
{
    if (TerminalSession* session = current()) {
        closeSession(session);
    }
}

void TerminalPage::drop(TerminalSession* session)
{
    const int index = tabOf(session);
    if (index >= 0 && !tab(index)->drop(session)) {
        QWidget* splits = m_tabs->widget(index);
        m_tabs->removeTab(index);
        splits->deleteLater();
    }
    showRightSide();
    tellProgress();
}

void TerminalPage::chooseRecording()
{
    auto* dialog = new QFileDialog(this, tr("Open recording"), QString(), tr("Recordings (*.cast)"));
    dialog->setObjectName(QStringLiteral("replayChooser"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, &TerminalPage::openRecording);
    dialog->open();
}

void TerminalPage::openRecording(const QString& path)
{
    constexpr std::size_t kMaxFile = std::size_t{1} << 30;
    const Result<std::string> text = readFile(QFile::encodeName(path).toStdString(), kMaxFile);
    Result<terminal::CastReader> recording = text ? terminal::CastReader::read(*text) : Result<terminal::CastReader>(tl::unexpected(text.error()));
    auto* window = new QDialog(this);
    window->setObjectName(QStringLiteral("replayWindow"));
    window->setAttribute(Qt::WA_DeleteOnClose);
    window->setWindowTitle(tr("Recording: %1").arg(QFileInfo(path).fileName()));
    auto* layout = new QVBoxLayout(window);
    if (recording) {
        auto* replay = new TerminalReplay(std::move(*recording), window);
        layout->setContentsMargins(0, 0, 0, 0);
        layout->addWidget(replay);
        window->resize(900, 600);
        replay->setFocus();
    } else {
        layout->addWidget(new QLabel(shown(recording.error().message), window));
    }
    window->show();
}

void TerminalPage::showRightSide()
{
    m_stack->setCurrentIndex(m_tabs->count() == 0 ? 0 : 1);
    m_newAgent->setVisible(runningAgent() != nullptr);
}

} // namespace coldframe::ui
