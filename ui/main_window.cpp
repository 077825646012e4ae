// SPDX-License-Identifier: Apache-2.0
#include "ui/main_window.h"

#include "api/client.h"
#include "ui/keys_dialog.h"
#include "ui/new_sandbox_dialog.h"
#include "ui/preferences_dialog.h"
#include "ui/question_bar.h"
#include "ui/sandbox_actions.h"
#include "ui/sandbox_delegate.h"
#include "ui/sandbox_list.h"
#include "ui/sandbox_model.h"
#include "ui/sandbox_page.h"
#include "ui/system_check.h"
#include "ui/terminal_page.h"
#include "ui/text.h"
#include "ui/theme.h"
#include "ui/welcome_page.h"
#include "ui/window_settings.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QListView>
#include <QMenuBar>
#include <QMimeData>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QStatusBar>
#include <QVBoxLayout>

namespace coldframe::ui {

MainWindow::MainWindow(api::Client& client, QWidget* parent) : QMainWindow(parent), m_client(client)
{
    setObjectName(QStringLiteral("mainWindow"));
    setWindowTitle(tr("Coldframe"));
    resize(1120, 720);
    setMinimumSize(640, 420);
    setAcceptDrops(true);
    m_model = new SandboxModel(client, this);
    m_actions = new SandboxActions(client, *m_model, this);

    m_splitter = new QSplitter(this);
    m_splitter->setObjectName(QStringLiteral("splitter"));
    m_splitter->setChildrenCollapsible(false);
    m_splitter->setHandleWidth(1);
    m_splitter->addWidget(makeSide());
    m_stack = new QStackedWidget(m_splitter);
    m_stack->setObjectName(QStringLiteral("stack"));
    m_welcome = new WelcomePage(client, m_stack);
    connect(m_welcome, &WelcomePage::newSandboxWanted, this, [this] { openNewSandbox(); });
    connect(m_welcome, &WelcomePage::checkWanted, this, &MainWindow::openSystemCheck);
    m_stack->addWidget(m_welcome);
    m_splitter->addWidget(m_stack);
    m_splitter->setStretchFactor(1, 1);
    m_splitter->setSizes({270, 850});
    auto* all = new QWidget(this);
    auto* column = new QVBoxLayout(all);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    m_questions = new QuestionBar(client, *m_model, all);
    connect(m_questions, &QuestionBar::said, this, &MainWindow::say);
    column->addWidget(m_questions);
    column->addWidget(m_splitter, 1);
    setCentralWidget(all);
    makeMenus();
    m_engine = new QLabel(this);
    m_engine->setObjectName(QStringLiteral("engineState"));
    m_engine->setTextFormat(Qt::PlainText);
    m_engine->setContentsMargins(8, 0, 8, 2);
    statusBar()->addPermanentWidget(m_engine);
    statusBar()->setSizeGripEnabled(false);

    connect(&client, &api::Client::stateChanged, this, [this](api::Client::State state) {
        if (state == api::Client::State::Connected) {
            m_problem.clear();
        }
        showEngine();
    });
    connect(&client, &api::Client::connectFailed, this, [this](const coldframe::Error& error) {
        m_problem = shown(error.message);
        showEngine();
    });
    connect(m_model, &SandboxModel::sandboxRemoved, this, [this](const QString& id) {
        for (SandboxPage* old : m_stack->findChildren<SandboxPage*>()) {
            if (old->sandbox() == id) {
                m_stack->removeWidget(old);
                old->deleteLater();
            }
        }
    });
    connect(m_model, &SandboxModel::changed, this, &MainWindow::showRightSide);
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, &MainWindow::showRightSide);
    connect(m_actions, &SandboxActions::said, this, &MainWindow::say);
    m_newButton->setIcon(Theme::icon(QStringLiteral("add"), palette()));
    m_keysButton->setIcon(Theme::icon(QStringLiteral("key"), palette()));
    showEngine();
}

QWidget* MainWindow::makeSide()
{
    auto* side = new QWidget(m_splitter);
    auto* layout = new QVBoxLayout(side);
    layout->setContentsMargins(8, 8, 8, 8);
    m_list = new SandboxList(side);
    m_list->setObjectName(QStringLiteral("sandboxList"));
    m_list->setAccessibleName(tr("Sandboxes"));
    m_list->setModel(m_model);
    m_list->setItemDelegate(new SandboxDelegate(m_list));
    m_list->setUniformItemSizes(true);
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setFrameShape(QFrame::NoFrame);
    m_newButton = new QPushButton(tr("New Sandbox…"), side);
    m_newButton->setObjectName(QStringLiteral("newSandbox"));
    m_keysButton = new QPushButton(tr("Keys…"), side);
    m_keysButton->setObjectName(QStringLiteral("openKeys"));
    connect(m_newButton, &QPushButton::clicked, this, [this] { openNewSandbox(); });
    connect(m_keysButton, &QPushButton::clicked, this, &MainWindow::openKeys);
    layout->addWidget(m_list, 1);
    auto* row = new QHBoxLayout;
    row->addWidget(m_newButton, 1);
    row->addWidget(m_keysButton);
    layout->addLayout(row);
    return side;
}

void MainWindow::makeMenus()
{
    const auto add = [this](QMenu* menu, const QString& text, const char* name, auto slot) {
        QAction* action = menu->addAction(text, this, slot);
        action->setObjectName(QString::fromLatin1(name));
        return action;
    };
    QMenu* file = menuBar()->addMenu(tr("&Sandbox"));
    // The second of each pair works in a terminal too, where the first is the program's.
    add(file, tr("&New Sandbox…"), "menuNewSandbox", [this] { openNewSandbox(); })
        ->setShortcuts({QKeySequence(QKeySequence::New), QKeySequence(QStringLiteral("Ctrl+Shift+N"))});
    add(file, tr("&Keys…"), "menuKeys", [this] { openKeys(); });
    add(file, tr("&Preferences…"), "menuPreferences", [this] { openPreferences(); })
        ->setShortcuts({QKeySequence(QStringLiteral("Ctrl+,")), QKeySequence(QStringLiteral("Ctrl+Shift+P"))});
    file->addSeparator();
    add(file, tr("&Close Window"), "menuClose", [this] { close(); })->setShortcut(QKeySequence::Close);
    add(file, tr("&Quit (agents go on)"), "menuQuit", [] { QApplication::quit(); })
        ->setShortcuts({QKeySequence(QKeySequence::Quit), QKeySequence(QStringLiteral("Ctrl+Shift+Q"))});
    m_go = makeGoMenu();
    QMenu* help = menuBar()->addMenu(tr("&Help"));
    add(help, tr("&System Check…"), "menuCheck", [this] { openSystemCheck(); });
}

QMenu* MainWindow::makeGoMenu()
{
    QMenu* go = menuBar()->addMenu(tr("&Go"));
    // Control with Shift or with the page keys: what the terminal leaves to the window.
    const auto add = [this, go](const QString& text, const char* name, const char* keys, auto does) {
        QAction* action = go->addAction(text, this, [this, does] {
            if (SandboxPage* page = currentPage()) {
                does(*page);
            }
        });
        action->setObjectName(QString::fromLatin1(name));
        action->setShortcut(QKeySequence(QString::fromLatin1(keys)));
    };
    go->addAction(tr("&List of Sandboxes"), QKeySequence(QStringLiteral("Ctrl+Shift+L")), this, [this] { m_list->setFocus(); })
        ->setObjectName(QStringLiteral("goList"));
    go->addSeparator();
    add(tr("&Overview"), "goOverview", "Ctrl+Shift+O", [](SandboxPage& page) { page.showOverview(); });
    add(tr("&Terminal"), "goTerminal", "Ctrl+Shift+E", [](SandboxPage& page) { page.showTerminal(); });
    add(tr("&Network"), "goNetwork", "Ctrl+Shift+K", [](SandboxPage& page) { page.showNetwork(); });
    add(tr("&Policy"), "goPolicy", "Ctrl+Shift+Y", [](SandboxPage& page) { page.showPolicy(); });
    add(tr("Ne&xt Page"), "goNext", "Ctrl+PgDown", [](SandboxPage& page) { page.turnPage(1); });
    add(tr("&Previous Page"), "goPrevious", "Ctrl+PgUp", [](SandboxPage& page) { page.turnPage(-1); });
    go->addSeparator();
    const auto inTerminal = [](void (TerminalPage::*action)()) {
        return [action](SandboxPage& page) {
            page.showTerminal();
            (page.terminal()->*action)();
        };
    };
    add(tr("Start &Agent"), "goAgent", "Ctrl+Shift+A", inTerminal(&TerminalPage::startAgent));
    add(tr("Open &Shell"), "goShell", "Ctrl+Shift+T", inTerminal(&TerminalPage::openShell));
    add(tr("&Close Terminal"), "goCloseTerminal", "Ctrl+Shift+W", inTerminal(&TerminalPage::closeCurrent));
    add(tr("Split Terminal to the &Right"), "goSplitRight", "Ctrl+Shift+D", inTerminal(&TerminalPage::splitRight));
    add(tr("Split Terminal &Downwards"), "goSplitDown", "Ctrl+Shift+S", inTerminal(&TerminalPage::splitDown));
    add(tr("Next Ter&minal of the Tab"), "goNextSplit", "Ctrl+Shift+Right", inTerminal(&TerminalPage::focusNext));
    return go;
}

SandboxPage* MainWindow::currentPage() const { return qobject_cast<SandboxPage*>(m_stack->currentWidget()); }

SandboxPage* MainWindow::page(const QString& id)
{
    for (SandboxPage* known : m_stack->findChildren<SandboxPage*>()) {
        if (known->sandbox() == id && m_stack->indexOf(known) >= 0) {
            return known;
        }
    }
    if (!m_model->find(id)) {
        return nullptr;
    }
    auto* made = new SandboxPage(m_client, *m_model, *m_actions, id, m_stack);
    connect(made, &SandboxPage::said, this, &MainWindow::say);
    connect(made, &SandboxPage::programNotified, this, [this, id](const QString& title, const QString& text) { emit programNotified(id, title, text); });
    m_stack->addWidget(made);
    return made;
}

void MainWindow::showRightSide()
{
    if (!m_list->currentIndex().isValid() && m_model->rowCount() > 0) {
        m_list->setCurrentIndex(m_model->index(0)); // comes back here
        return;
    }
    const QModelIndex current = m_list->currentIndex();
    SandboxPage* chosen = current.isValid() ? page(current.data(SandboxModel::IdRole).toString()) : nullptr;
    m_stack->setCurrentWidget(chosen ? static_cast<QWidget*>(chosen) : m_welcome);
    showEngine();
}

void MainWindow::showEngine()
{
    const bool connected = m_client.state() == api::Client::State::Connected;
    QString line;
    if (connected) {
        const nlohmann::json& engine = m_client.engine();
        const bool kvm = rawField(engine, "acceleration") == "kvm";
        line = tr("Engine %1 · %2").arg(shownField(engine, "engineVersion"), kvm ? tr("KVM") : tr("emulation: reduced isolation"));
        m_engine->setToolTip(shownField(engine, "accelerationReason").toHtmlEscaped());
    } else {
        line = m_problem.isEmpty() ? tr("Connecting to the engine") : tr("No engine");
    }
    m_engine->setText(line);
    m_newButton->setEnabled(connected);
    m_keysButton->setEnabled(connected);
    m_go->setEnabled(currentPage() != nullptr);
    for (QAction* action : m_go->actions()) {
        action->setEnabled(currentPage() != nullptr);
    }
    if (!m_problem.isEmpty()) {
        m_welcome->showWaiting(m_problem);
        statusBar()->showMessage(m_problem, 10000);
    } else if (!connected || !m_model->isKnown()) {
        m_welcome->showWaiting({});
    } else {
        m_welcome->showReady();
    }
}

void MainWindow::bringUp()
{
    setWindowState(windowState() & ~Qt::WindowMinimized);
    show();
    raise();
    activateWindow();
}

void MainWindow::showSandbox(const QString& id)
{
    const int row = m_model->rowOf(id);
    if (row >= 0) {
        m_list->setCurrentIndex(m_model->index(row));
    }
    bringUp();
}

void MainWindow::openNewSandbox(const QString& folder)
{
    bringUp();
    if (m_newSandbox) {
        m_newSandbox->raise();
        return;
    }
    m_newSandbox = new NewSandboxDialog(m_client, folder, this);
    connect(m_newSandbox, &NewSandboxDialog::created, this, &MainWindow::sandboxCreated);
    connect(m_newSandbox, &NewSandboxDialog::keysWanted, this, &MainWindow::openKeys);
    m_newSandbox->open();
}

void MainWindow::sandboxCreated(const QString& id)
{
    showSandbox(id);
    if (SandboxPage* made = page(id)) {
        made->showTerminal();
        made->terminal()->startAgent();
    }
}

void MainWindow::openKeys()
{
    bringUp();
    if (!m_keys) {
        m_keys = new KeysDialog(m_client, this);
        m_keys->open();
    }
}

void MainWindow::openPreferences()
{
    bringUp();
    if (!m_preferences) {
        m_preferences = new PreferencesDialog(m_client, this);
        connect(m_preferences, &PreferencesDialog::windowSettingsChanged, this, &MainWindow::windowSettingsChanged);
        m_preferences->open();
    }
}

void MainWindow::openSystemCheck()
{
    bringUp();
    if (!m_check) {
        m_check = new SystemCheckDialog(m_client, this);
        m_check->open();
    }
}

void MainWindow::say(const QString& text) { statusBar()->showMessage(text, 8000); }

void MainWindow::closeEvent(QCloseEvent* event)
{
    event->accept();
    if (!m_staysInTray || !m_staysInTray()) {
        QApplication::quit();
    }
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event)
{
    const QList<QUrl> urls = event->mimeData()->urls();
    if (urls.size() == 1 && QFileInfo(urls.first().toLocalFile()).isDir()) {
        event->acceptProposedAction();
    }
}

void MainWindow::dropEvent(QDropEvent* event)
{
    const QList<QUrl> urls = event->mimeData()->urls();
    if (!urls.isEmpty()) {
        event->acceptProposedAction();
        openNewSandbox(urls.first().toLocalFile());
    }
}

void MainWindow::changeEvent(QEvent* event)
{
    QMainWindow::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_newButton) {
        m_newButton->setIcon(Theme::icon(QStringLiteral("add"), palette()));
        m_keysButton->setIcon(Theme::icon(QStringLiteral("key"), palette()));
    }
}

} // namespace coldframe::ui
