// SPDX-License-Identifier: Apache-2.0
// The real main window against the fake engine, driven by object names.
#include "window_test.h"

#include "api/client.h"
#include "ui/main_window.h"
#include "ui/new_sandbox_dialog.h"
#include "ui/network_model.h"
#include "ui/rules.h"
#include "ui/sandbox_model.h"
#include "ui/question_bar.h"
#include "ui/sandbox_page.h"
#include "ui/terminal/terminal_widget.h"
#include "ui/terminal_page.h"
#include "ui/terminal_replay.h"
#include "ui/terminal_session.h"
#include "ui/text.h"
#include "ui/theme.h"
#include "ui/window_settings.h"
#include "ui/tray.h"

#include <QDialog>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QMenu>
#include <QAction>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QDir>
#include <QFile>
#include <QFileDialog>
#include <QInputDialog>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QTabWidget>
#include <QTemporaryDir>
#include <QTableView>
#include <QTreeWidget>
#include <QSignalSpy>
#include <QSpinBox>
#include <optional>

using namespace coldframe;
using namespace coldframe::ui;

class TestMainWindow : public WindowTest
{
    Q_OBJECT

private slots:
    void cleanup() { end(); }

    void listShowsSandboxesAndFollowsThem()
    {
        begin({QStringLiteral("--populate")});
        auto* list = child<QListView>("sandboxList");
        QCOMPARE(list->model()->rowCount(), 3);
        QCOMPARE(list->model()->index(0, 0).data().toString(), QStringLiteral("claude-webshop"));
        QVERIFY(list->model()->index(0, 0).data(Qt::AccessibleTextRole).toString().contains(QStringLiteral("running")));
        page(kDocs);
        QTRY_COMPARE(shownChild<QLabel>("overviewState")->text(), QStringLiteral("Stopped"));
        click("start");
        QTRY_COMPARE(state(kDocs), SandboxState::Running);
        QTRY_COMPARE(shownChild<QLabel>("overviewState")->text(), QStringLiteral("Running"));
        QCOMPARE(requests("sandbox.start").size(), 1);
    }

    void emptyStateOffersANewSandbox()
    {
        begin({});
        QTRY_VERIFY(shownChild<QPushButton>("welcomeNewSandbox"));
        QVERIFY(!shownChild<QLabel>("welcomeText")->text().isEmpty());
        click("welcomeNewSandbox");
        QTRY_VERIFY(shownChild<QDialog>("newSandboxDialog"));
    }

    void createsThroughTheDialogAndStartsTheAgent()
    {
        begin({QStringLiteral("--stage"), QStringLiteral("5")});
        QTemporaryDir folder;
        m_scene->window.openNewSandbox(folder.path());
        QTRY_COMPARE(child<QComboBox>("agent")->count(), 3); // the unsupported one is not offered
        child<QLineEdit>("name")->setText(QStringLiteral("first"));
        child<QComboBox>("network")->setCurrentIndex(1);
        click("create");
        QTRY_VERIFY(!shownChild<QDialog>("newSandboxDialog"));
        const QJsonObject asked = requests("sandbox.create").value(0);
        QCOMPARE(asked[QStringLiteral("name")].toString(), QStringLiteral("first"));
        QCOMPARE(asked[QStringLiteral("agent")].toString(), QStringLiteral("claude"));
        QCOMPARE(asked[QStringLiteral("workspaces")][0][QStringLiteral("path")].toString(), folder.path());
        QCOMPARE(asked[QStringLiteral("network")][QStringLiteral("policy")].toString(), QStringLiteral("locked"));
        QVERIFY(!asked.contains(QStringLiteral("consentEmulation")));
        QTRY_COMPARE(requests("sandbox.launch").size(), 1);
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView"));
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("fake agent")));
    }

    void createIsCancelledAndCanBeTriedAgain()
    {
        begin({QStringLiteral("--stage"), QStringLiteral("60000")});
        QTemporaryDir folder;
        m_scene->window.openNewSandbox(folder.path());
        QTRY_COMPARE(child<QComboBox>("agent")->count(), 3);
        click("create");
        QTRY_VERIFY(shownChild<QLabel>("stage"));
        QTRY_COMPARE(shownChild<QLabel>("stage")->text(), QStringLiteral("Preparing the disk"));
        click("cancel");
        QTRY_VERIFY(shownChild<QLabel>("createError"));
        QVERIFY(child<QPushButton>("create")->isEnabled());
        QCOMPARE(m_scene->window.model().rowCount(), 0);
    }

    void wrongFoldersAndNamesAreToldBesideTheField()
    {
        begin({});
        m_scene->window.openNewSandbox();
        QTRY_COMPARE(child<QComboBox>("agent")->count(), 3);
        auto* folder = child<QLineEdit>("folder");
        auto* problem = child<QLabel>("folderProblem");
        QVERIFY(!child<QPushButton>("create")->isEnabled());
        for (const QString& wrong : {QStringLiteral("/"), QDir::homePath(), QStringLiteral("/no/such/folder"),
                                     QStringLiteral("/etc/passwd"), QStringLiteral("relative")}) {
            folder->setText(wrong);
            QVERIFY2(problem->isVisible(), qPrintable(wrong));
            QVERIFY(!child<QPushButton>("create")->isEnabled());
        }
        QTemporaryDir good;
        folder->setText(good.path());
        QVERIFY(!problem->isVisible());
        QVERIFY(child<QPushButton>("create")->isEnabled());
        child<QLineEdit>("name")->setText(QStringLiteral("-rf"));
        QVERIFY(child<QLabel>("nameProblem")->isVisible());
        QVERIFY(!child<QPushButton>("create")->isEnabled());
    }

    void hazard_13_emulationNeedsAConsentAndLeavesAMark()
    {
        begin({QStringLiteral("--emulate"), QStringLiteral("--stage"), QStringLiteral("5")});
        QTemporaryDir folder;
        m_scene->window.openNewSandbox(folder.path());
        QTRY_COMPARE(child<QComboBox>("agent")->count(), 3);
        QVERIFY(child<QLabel>("emulationReason")->text().contains(QStringLiteral("/dev/kvm")));
        QVERIFY(child<QCheckBox>("consent")->isVisible());
        QVERIFY(!child<QPushButton>("create")->isEnabled());
        child<QCheckBox>("consent")->setChecked(true);
        click("create");
        QTRY_VERIFY(!shownChild<QDialog>("newSandboxDialog"));
        QCOMPARE(requests("sandbox.create").value(0)[QStringLiteral("consentEmulation")].toBool(), true);
        QTRY_VERIFY(shownChild<QLabel>("reducedIsolationMark"));
    }

    void terminalTypesResizesAndShowsTheExit()
    {
        begin({QStringLiteral("--populate")});
        page(kParser)->showTerminal();
        click("startAgent"); // of this sandbox: a shell
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView"));
        auto* view = shownChild<TerminalWidget>("terminalView");
        QTRY_VERIFY(!shownChild<QLabel>("terminalStatus"));
        QTRY_VERIFY(!view->screenText().trimmed().isEmpty()); // the shell throws away what comes before its prompt
        QTest::keyClicks(view, QStringLiteral("echo $((40+2))-done; stty size"));
        QTest::keyClick(view, Qt::Key_Return);
        QTRY_VERIFY2(view->screenText().contains(QStringLiteral("42-done")), qPrintable(view->screenText().trimmed()));
        QTRY_VERIFY(view->screenText().contains(QStringLiteral("%1 %2").arg(view->rows()).arg(view->columns())));
        const int before = view->columns();
        m_scene->window.resize(900, 560);
        QTRY_VERIFY(view->columns() < before);
        const QString size = QStringLiteral("%1 %2").arg(view->rows()).arg(view->columns());
        QTest::keyClicks(view, QStringLiteral("clear; stty size; exit 3"));
        QTest::keyClick(view, Qt::Key_Return);
        QTRY_VERIFY(shownChild<QLabel>("terminalStatus"));
        QVERIFY(shownChild<QLabel>("terminalStatus")->text().contains(QLatin1Char('3')));
        QVERIFY(view->screenText().contains(size));
    }

    void closingARunningTerminalAsksFirst()
    {
        begin({QStringLiteral("--populate")});
        SandboxPage* shop = page(kWebshop);
        shop->showTerminal();
        click("startAgent");
        QTRY_COMPARE(shop->terminal()->runningSessions(), 1);
        auto* tabs = shop->findChild<QTabWidget*>(QStringLiteral("terminalTabs"));
        emit tabs->tabCloseRequested(0);
        answer("confirmCancel");
        QCOMPARE(tabs->count(), 1);
        emit tabs->tabCloseRequested(0);
        answer("confirmAccept");
        QTRY_COMPARE(tabs->count(), 0);
    }

    void aTabIsSplitRenamedAndDetached()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--kept-session")});
        SandboxPage* shop = page(kWebshop);
        shop->showTerminal();
        auto* tabs = shop->findChild<QTabWidget*>(QStringLiteral("terminalTabs"));
        QTRY_COMPARE(tabs->count(), 1);
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView") &&
                    shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("kept session")));
        auto* kept = shop->findChild<TerminalSession*>();
        const int wide = kept->view()->columns();
        shop->terminal()->splitRight();
        shop->terminal()->splitDown();
        QTRY_COMPARE(shop->findChildren<TerminalSession*>().size(), 3);
        QTRY_COMPARE(requests("sandbox.exec").size(), 2);
        QCOMPARE(tabs->count(), 1);
        QTRY_VERIFY(kept->view()->columns() < wide);
        QTRY_COMPARE(shop->terminal()->runningSessions(), 3);
        shop->terminal()->focusNext();
        shop->terminal()->renameTab(0);
        auto* name = shop->findChild<QInputDialog*>(QStringLiteral("renameTab"));
        QVERIFY(name);
        name->setTextValue(QStringLiteral("build & test"));
        name->accept();
        QTRY_COMPARE(tabs->tabText(0), QStringLiteral("build && test"));
        // Left and seen again, without its program's noticing.
        const auto attached = requests("session.attach").size();
        kept->detach();
        QVERIFY(kept->isDetached() && kept->isRunning());
        QTRY_VERIFY(shownChild<QPushButton>("terminalAgain"));
        click("terminalAgain");
        QTRY_COMPARE(requests("session.attach").size(), attached + 1);
        QTRY_VERIFY(kept->view()->screenText().contains(QStringLiteral("kept session")));
        QVERIFY(!kept->isDetached());
    }

    void aRecordingIsMarkedAndPlayed()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--kept-session")});
        SandboxPage* shop = page(kWebshop);
        shop->showTerminal();
        auto* tabs = shop->findChild<QTabWidget*>(QStringLiteral("terminalTabs"));
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView") &&
                    shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("kept session")));
        auto* session = shop->findChild<TerminalSession*>();
        const QTemporaryDir folder;
        const QString file = folder.filePath(QStringLiteral("x.cast"));
        QVERIFY(!shownChild<QLabel>("recordingMark"));
        session->record(file);
        QVERIFY(shownChild<QLabel>("recordingMark"));
        QVERIFY(tabs->tabText(0).startsWith(QStringLiteral("●")));
        QTest::keyClicks(session->view(), QStringLiteral("echo $((6*7))-shown"));
        QTest::keyClick(session->view(), Qt::Key_Return);
        QTRY_VERIFY_WITH_TIMEOUT(session->view()->screenText().contains(QStringLiteral("42-shown")), 20000);
        session->stopRecording();
        QVERIFY(!shownChild<QLabel>("recordingMark"));
        QFile written(file);
        QVERIFY(written.open(QIODevice::ReadOnly));
        QVERIFY(!(written.permissions() & (QFile::ReadGroup | QFile::ReadOther)));
        shop->terminal()->openRecording(file);
        auto* replay = shop->findChild<TerminalReplay*>();
        QVERIFY(replay);
        replay->seek(1'000'000'000);
        QTRY_VERIFY(replay->view()->screenText().contains(QStringLiteral("kept session")) && replay->view()->screenText().contains(QStringLiteral("42-shown")));
        QTest::keyClick(replay->view(), Qt::Key_Space);
        QVERIFY(replay->isPlaying());
        QTest::keyClick(replay->view(), Qt::Key_Space);
        QVERIFY(!replay->isPlaying());
        QVERIFY(replay->view()->isReadOnly());
    }

    void aProgramAsksBeforeItCopiesAndTellsHowFarItIs()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--kept-session")});
        SandboxPage* shop = page(kWebshop);
        shop->showTerminal();
        auto* tabs = shop->findChild<QTabWidget*>(QStringLiteral("terminalTabs"));
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView") &&
                    shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("kept session")));
        auto* session = shop->findChild<TerminalSession*>();
        QGuiApplication::clipboard()->setText(QStringLiteral("before"));
        session->view()->feed("\x1b]52;c;aGVsbG8=\a\x1b]9;4;1;42\a");
        QTRY_VERIFY(shownChild<QPushButton>("clipboardOnce"));
        QVERIFY(shownChild<QLabel>("terminalNoticeText")->text().contains(QLatin1Char('5')));
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("before"));
        QVERIFY(tabs->tabText(0).contains(QStringLiteral("42%")));
        click("clipboardOnce");
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("hello"));
        session->view()->feed("\x1b]9;4;0\a");
        QTRY_VERIFY(!tabs->tabText(0).contains(QLatin1Char('%')));
        // In a terminal that is not at hand it becomes a notice of the desktop, three in a while at most.
        QSignalSpy told(&m_scene->window, &MainWindow::programNotified);
        session->view()->clearFocus();
        for (int i = 0; i < 10; ++i) {
            session->view()->feed("\x1b]777;notify;Done;all tests pass\a");
        }
        QTRY_COMPARE(told.count(), 3);
        QCOMPARE(told.at(0).at(2).toString(), QStringLiteral("all tests pass"));
    }

    void sessionsThatRunAreThereWhenTheWindowOpens()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--kept-session")});
        SandboxPage* shop = page(kWebshop);
        auto* tabs = shop->findChild<QTabWidget*>(QStringLiteral("terminalTabs"));
        QTRY_COMPARE(tabs->count(), 1);
        QCOMPARE(tabs->tabText(0), QStringLiteral("Agent"));
        QCOMPARE(m_scene->window.page(kParser)->findChild<QTabWidget*>(QStringLiteral("terminalTabs"))->count(), 0);
        shop->showTerminal();
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView") &&
                    shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("kept session")));
        QCOMPARE(requests("sandbox.launch").size(), 0);
        click("startAgent"); // shows it
        QCOMPARE(tabs->count(), 1);
    }

    void terminalsComeBackWithTheEngine()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--kept-session")});
        SandboxPage* shop = page(kWebshop);
        shop->showTerminal();
        QTRY_VERIFY(shownChild<TerminalWidget>("terminalView") &&
                    shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("kept session")));
        click("openShell"); // a session that the next engine does not have
        auto* tabs = shop->findChild<QTabWidget*>(QStringLiteral("terminalTabs"));
        QTRY_COMPARE(requests("sandbox.exec").size(), 1);
        QTRY_VERIFY(!shownChild<QLabel>("terminalStatus"));
        m_scene->engine.kill();
        QTRY_VERIFY(shownChild<QLabel>("terminalStatus") && shownChild<QLabel>("terminalStatus")->text().contains(QStringLiteral("broke")));
        const auto attached = requests("session.attach").size();
        m_scene->engine.start({QStringLiteral("--populate"), QStringLiteral("--kept-session")});
        QTRY_COMPARE_WITH_TIMEOUT(requests("session.attach").size(), attached + 1, 15000);
        QCOMPARE(tabs->count(), 2);
        QTRY_VERIFY(shownChild<QLabel>("terminalStatus") && shownChild<QLabel>("terminalStatus")->text().contains(QStringLiteral("ended")));
        tabs->setCurrentIndex(0);
        QTRY_VERIFY(!shownChild<QLabel>("terminalStatus") &&
                    shownChild<TerminalWidget>("terminalView")->screenText().contains(QStringLiteral("kept session")));
        QCOMPARE(shop->terminal()->runningSessions(), 1);
    }

    void networkShowsConnectionsFiltersThemAndMakesARule()
    {
        begin({QStringLiteral("--populate")});
        page(kWebshop)->showNetwork();
        QTRY_VERIFY(shownChild<QTableView>("networkTable"));
        auto* table = shownChild<QTableView>("networkTable");
        QTRY_COMPARE(table->model()->rowCount(), 4);
        shownChild<QComboBox>("networkVerdicts")->setCurrentIndex(1);
        QTRY_COMPARE(table->model()->rowCount(), 1);
        QCOMPARE(table->model()->index(0, NetworkModel::HostColumn).data().toString(), QStringLiteral("telemetry.example.net:443"));
        QVERIFY(!shownChild<QPushButton>("networkAllow")->isEnabled());
        table->selectRow(0);
        click("networkAllow");
        QTRY_COMPARE(requests("policy.add").size(), 1);
        const QJsonObject rule = requests("policy.add").value(0);
        QCOMPARE(rule[QStringLiteral("sandbox")].toString(), kWebshop);
        QCOMPARE(rule[QStringLiteral("action")].toString(), QStringLiteral("allow"));
        QCOMPARE(rule[QStringLiteral("pattern")].toString(), QStringLiteral("telemetry.example.net:443"));
        shownChild<QComboBox>("networkVerdicts")->setCurrentIndex(0);
        shownChild<QLineEdit>("networkSearch")->setText(QStringLiteral("NPMJS"));
        QTRY_COMPARE(table->model()->rowCount(), 1);
        table->selectRow(0);
        QVERIFY(shownChild<QLabel>("networkDetails")->text().contains(QStringLiteral("node npm-cli.js")));
        click("networkCopy");
        QVERIFY(QGuiApplication::clipboard()->text().contains(QStringLiteral("registry.npmjs.org:443")));
        shownChild<QLineEdit>("networkSearch")->setText(QStringLiteral("nowhere"));
        QTRY_VERIFY(shownChild<QLabel>("networkEmpty"));
    }

    void networkListsByHostAndMakesARuleThere()
    {
        begin({QStringLiteral("--populate")});
        page(kWebshop)->showNetwork();
        QTRY_VERIFY(shownChild<QComboBox>("networkView"));
        shownChild<QComboBox>("networkView")->setCurrentIndex(1);
        QTRY_VERIFY(shownChild<QTableView>("networkPlaces"));
        auto* places = shownChild<QTableView>("networkPlaces");
        QTRY_COMPARE(places->model()->rowCount(), 4);
        shownChild<QComboBox>("networkVerdicts")->setCurrentIndex(1);
        QTRY_COMPARE(places->model()->rowCount(), 1);
        places->selectRow(0);
        click("networkAllow");
        QTRY_COMPARE(requests("policy.add").size(), 1);
        QCOMPARE(requests("policy.add").value(0)[QStringLiteral("pattern")].toString(), QStringLiteral("telemetry.example.net:443"));
        shownChild<QComboBox>("networkView")->setCurrentIndex(0);
        QTRY_COMPARE(shownChild<QTableView>("networkTable")->model()->rowCount(), 1);
    }

    void aLongLogComesInPagesAndGoesIntoAFile()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--connections"), QStringLiteral("2400")});
        page(kWebshop)->showNetwork();
        QTRY_VERIFY(shownChild<QTableView>("networkTable"));
        auto* table = shownChild<QTableView>("networkTable");
        QTRY_COMPARE(table->model()->rowCount(), NetworkModel::kPage);
        QCOMPARE(requests("network.log").size(), 1);
        QCOMPARE(table->model()->index(0, NetworkModel::HostColumn).data().toString(), QStringLiteral("host2399.example.com:443"));
        table->scrollToBottom();
        QTRY_COMPARE(table->model()->rowCount(), 2 * NetworkModel::kPage);
        for (int rows = 0; rows < 2404 && table->model()->canFetchMore({}); rows = table->model()->rowCount()) {
            const int had = table->model()->rowCount();
            table->model()->fetchMore({});
            QTRY_VERIFY(table->model()->rowCount() > had || !table->model()->canFetchMore({}));
        }
        QCOMPARE(table->model()->rowCount(), 2404);
        QCOMPARE(table->model()->index(2403, NetworkModel::HostColumn).data().toString(), QStringLiteral("api.anthropic.com:443"));
        // The filter looks through all of the log, not what the window has.
        shownChild<QLineEdit>("networkSearch")->setText(QStringLiteral("host7.example"));
        QTRY_COMPARE(table->model()->rowCount(), 1);
        shownChild<QLineEdit>("networkSearch")->setText(QStringLiteral("example.com"));
        QTRY_COMPARE(table->model()->rowCount(), NetworkModel::kPage);
        const QTemporaryDir folder;
        const QString file = folder.filePath(QStringLiteral("log.jsonl"));
        click("networkExport");
        auto* chooser = m_scene->window.findChild<QFileDialog*>(QStringLiteral("networkExportChooser"));
        QVERIFY(chooser);
        emit chooser->fileSelected(file);
        chooser->close();
        QTRY_VERIFY(QFile::exists(file));
        QFile written(file);
        QVERIFY(written.open(QIODevice::ReadOnly));
        const QList<QByteArray> lines = written.readAll().trimmed().split('\n');
        QCOMPARE(lines.size(), 2400);
        QVERIFY(lines.first().contains("host0.example.com"));
        QVERIFY(lines.last().contains("host2399.example.com"));
    }

    void blockedHostAppearsOnThePageWithAllow()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--tick"), QStringLiteral("40")});
        page(kWebshop);
        QTRY_VERIFY(shownChild<QWidget>("blockedBar"));
        click("blockedAllow");
        QTRY_VERIFY(!requests("policy.add").isEmpty());
        QVERIFY(requests("policy.add").value(0)[QStringLiteral("pattern")].toString().startsWith(QStringLiteral("tracker")));
    }

    void aPatternIsNeverMoreThanTheHostShown()
    {
        QCOMPARE(exactPattern("api.example.com", 443).value_or(""), "api.example.com:443");
        QVERIFY(exactPattern("2001:db8::1", 443).has_value());
        for (const char* trick : {"*.com", "all", "*", "0.0.0.0/0", "::/0", "a.com:80 b.com", "", "a.com/..", "a.com:1"}) {
            QVERIFY2(!exactPattern(trick, 443), trick);
        }
        QVERIFY(!exactPattern("api.example.com", 0));
        QVERIFY(!exactPattern("api.example.com", 70000));
    }

    void guestStringsCannotReorderOrEscape()
    {
        QCOMPARE(shown("a\x1b[31mb"), QStringLiteral("a\\x1b[31mb"));
        const QString reversed = shown("moc.\xe2\x80\xae" "evil");
        QVERIFY(!reversed.contains(QChar(0x202e)));
        QVERIFY(reversed.contains(QStringLiteral("202e")));
    }

    void stopAndResetAskAndNameWhatIsLost()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--stage"), QStringLiteral("5")});
        page(kWebshop);
        click("stop");
        answer("confirmCancel");
        QCOMPARE(requests("sandbox.stop").size(), 0);
        click("reset");
        QTRY_VERIFY(shownChild<QMessageBox>("confirmBox"));
        QVERIFY(shownChild<QMessageBox>("confirmBox")->informativeText().contains(QStringLiteral("/home/user/projects/webshop")));
        answer("confirmAccept");
        QTRY_COMPARE(requests("sandbox.reset").size(), 1);
        QVERIFY(!requests("sandbox.reset").value(0)[QStringLiteral("force")].toBool());
        QTRY_COMPARE(state(kWebshop), SandboxState::Running);
        click("stop");
        answer("confirmAccept");
        QTRY_COMPARE(state(kWebshop), SandboxState::Stopped);
    }

    void momentsAreKeptAndGoneBackTo()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--stage"), QStringLiteral("5")});
        page(kWebshop);
        click("pause");
        QTRY_COMPARE(state(kWebshop), SandboxState::Paused);
        QCOMPARE(shownChild<QPushButton>("start")->text(), QStringLiteral("Resume"));
        QVERIFY(shownChild<QPushButton>("stop") && !shownChild<QPushButton>("pause"));
        click("start");
        QTRY_COMPARE(state(kWebshop), SandboxState::Running);

        auto* menu = shownChild<QPushButton>("more")->menu();
        menu->popup(m_scene->window.mapToGlobal(QPoint(50, 50)));
        auto* back = menu->findChild<QMenu*>(QStringLiteral("rollBack"));
        QTRY_VERIFY(back->isEnabled()); // templates are listed
        QCOMPARE(back->actions().size(), 1); // only those of its agent
        menu->findChild<QAction*>(QStringLiteral("fork"))->trigger();
        menu->close();
        QTRY_COMPARE(requests("sandbox.fork").size(), 1);
        QTRY_VERIFY(!shownChild<QWidget>("operation"));

        menu->findChild<QAction*>(QStringLiteral("saveTemplate"))->trigger();
        auto* dialog = m_scene->window.findChild<QDialog*>(QStringLiteral("saveTemplateDialog"));
        QVERIFY(dialog);
        auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("templateName"));
        auto* save = dialog->findChild<QDialogButtonBox*>()->button(QDialogButtonBox::Save);
        QVERIFY(!save->isEnabled());
        name->setText(QStringLiteral("-bad"));
        QVERIFY(!save->isEnabled());
        name->setText(QStringLiteral("ready"));
        dialog->findChild<QCheckBox*>(QStringLiteral("templateMemory"))->setChecked(true);
        QTest::mouseClick(save, Qt::LeftButton);
        QTRY_COMPARE(requests("template.save").size(), 1);
        QCOMPARE(requests("template.save")[0][QStringLiteral("name")].toString(), QStringLiteral("ready"));
        QVERIFY(requests("template.save")[0][QStringLiteral("memory")].toBool());
        QTRY_VERIFY(shownChild<QWidget>("errorBar")); // what looks like credentials is named

        back->actions().at(0)->trigger();
        answer("confirmAccept");
        QTRY_COMPARE(requests("sandbox.rollback").size(), 1);
        QCOMPARE(requests("sandbox.rollback")[0][QStringLiteral("template")].toString(), QStringLiteral("tools"));
    }

    void hazard_11_refusedRemoveShowsWhyAndNeedsASecondYes()
    {
        begin({QStringLiteral("--populate")});
        page(kWebshop);
        click("remove");
        answer("confirmAccept");
        QTRY_VERIFY(shownChild<QMessageBox>("confirmBox"));
        QVERIFY(shownChild<QMessageBox>("confirmBox")->text().contains(QStringLiteral("running")));
        QVERIFY(m_scene->window.model().find(kWebshop));
        answer("confirmAccept");
        QTRY_VERIFY(!m_scene->window.model().find(kWebshop));
        QCOMPARE(requests("sandbox.remove").value(1)[QStringLiteral("force")].toBool(), true);
    }

    void operationShowsProgressAndCancels()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--stage"), QStringLiteral("60000")});
        page(kDocs);
        click("start");
        QTRY_VERIFY(shownChild<QWidget>("operation"));
        QTRY_COMPARE(shownChild<QLabel>("operationText")->text(), QStringLiteral("Starting the microVM"));
        click("operationCancel");
        QTRY_VERIFY(!shownChild<QWidget>("operation"));
        QTRY_COMPARE(state(kDocs), SandboxState::Stopped);
        QVERIFY(!shownChild<QWidget>("errorBar"));
    }

    void syncLineSaysWhyItIsPaused()
    {
        begin({QStringLiteral("--populate")});
        page(kParser);
        const auto line = [this] {
            const QLabel* label = shownChild<QLabel>("syncLine");
            return label ? label->text() : QString();
        };
        QTRY_VERIFY(line().contains(QStringLiteral("312 of 340")));
        QTRY_VERIFY(!requests("sync.status").isEmpty()); // events tell of changes only
        click("syncGoOn");
        answer("confirmAccept");
        QTRY_COMPARE(line(), QStringLiteral("In step"));
        QCOMPARE(requests("sync.resume").value(0)[QStringLiteral("accept")].toString(), QStringLiteral("deletions"));
        QVERIFY(!shownChild<QPushButton>("syncGoOn"));
    }

    void hazard_20_keyIsStoredAsBytesAndNeverInAMessage()
    {
        begin({QStringLiteral("--populate")});
        click("openKeys");
        QTRY_VERIFY(shownChild<QTreeWidget>("keysList"));
        QTRY_COMPARE(child<QTreeWidget>("keysList")->topLevelItemCount(), 1);
        auto* service = child<QComboBox>("keyService");
        service->setCurrentIndex(service->findData(QStringLiteral("openai")));
        auto* field = child<QLineEdit>("keyField");
        QCOMPARE(field->echoMode(), QLineEdit::Password);
        QTest::keyClicks(field, QStringLiteral("sk-marker-0123456789"));
        click("keyStore");
        QVERIFY(field->text().isEmpty());
        QTRY_COMPARE(child<QTreeWidget>("keysList")->topLevelItemCount(), 2);
        int sizes = 0;
        for (const QJsonObject& line : m_scene->engine.record()) {
            QVERIFY(!QJsonDocument(line).toJson().contains("sk-marker"));
            sizes += line[QStringLiteral("size")].toInt() == 20 && line[QStringLiteral("stored")].toBool() ? 1 : 0;
        }
        QCOMPARE(sizes, 1);
        child<QTreeWidget>("keysList")->setCurrentItem(child<QTreeWidget>("keysList")->topLevelItem(0));
        click("keyRemove");
        answer("confirmAccept");
        QTRY_COMPARE(child<QTreeWidget>("keysList")->topLevelItemCount(), 1);
    }

    void logInOfThisComputerIsTakenOverAsBytes()
    {
        QTemporaryDir folder;
        qputenv("CLAUDE_CONFIG_DIR", folder.path().toUtf8());
        begin({QStringLiteral("--populate")});
        click("openKeys");
        QTRY_VERIFY(shownChild<QTreeWidget>("keysList"));
        auto* service = child<QComboBox>("keyService");
        QTRY_COMPARE(service->count(), 3);
        service->setCurrentIndex(service->findData(QStringLiteral("openai")));
        QVERIFY(!shownChild<QPushButton>("keyLogin"));
        service->setCurrentIndex(service->findData(QStringLiteral("claude-login")));
        click("keyLogin");
        QTRY_VERIFY(shownChild<QLabel>("keysMessage"));
        QVERIFY(child<QLabel>("keysMessage")->text().contains(folder.path())); // nothing to take over there
        QFile file(folder.filePath(QStringLiteral(".credentials.json")));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("{\"marker-0123\":1}") == 17);
        file.close();
        click("keyLogin");
        answer("confirmAccept");
        QTRY_COMPARE(child<QTreeWidget>("keysList")->topLevelItemCount(), 2);
        QVERIFY(child<QTreeWidget>("keysList")->topLevelItem(1)->text(1).startsWith(QStringLiteral("Log-in")));
        bool isStored = false;
        for (const QJsonObject& line : m_scene->engine.record()) {
            QVERIFY(!QJsonDocument(line).toJson().contains("marker"));
            isStored = isStored || (line[QStringLiteral("size")].toInt() == 17 && line[QStringLiteral("stored")].toBool());
        }
        QVERIFY(isStored);
        qunsetenv("CLAUDE_CONFIG_DIR");
    }

    void launchCommandIsCopied()
    {
        begin({QStringLiteral("--populate")});
        page(kWebshop);
        QTRY_COMPARE(shownChild<QLineEdit>("launchCommand")->text(), QStringLiteral("coldframe run claude-webshop"));
        click("copyLaunchCommand");
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("coldframe run claude-webshop"));
    }

    void trayMenuHasASubmenuPerSandbox()
    {
        begin({QStringLiteral("--populate"), QStringLiteral("--stage"), QStringLiteral("5")});
        Tray tray(m_scene->window);
        auto* sub = tray.menu().findChild<QMenu*>(QStringLiteral("traySandbox-") + kDocs);
        QVERIFY(sub);
        auto* start = sub->findChild<QAction*>(QStringLiteral("start"));
        QVERIFY(start);
        start->trigger();
        QTRY_COMPARE(state(kDocs), SandboxState::Running);
        QTRY_VERIFY(tray.menu().findChild<QMenu*>(QStringLiteral("traySandbox-") + kDocs)->findChild<QAction*>(QStringLiteral("stop")));
        tray.menu().findChild<QMenu*>(QStringLiteral("traySandbox-") + kDocs)->findChild<QAction*>(QStringLiteral("stop"))->trigger();
        answer("confirmAccept");
        QTRY_COMPARE(state(kDocs), SandboxState::Stopped);
    }

    void droppedFolderOpensTheDialog()
    {
        begin({});
        QTemporaryDir folder;
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile(folder.path())});
        QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QObject& window = m_scene->window; // past the drag manager, which knows of no drag
        QVERIFY(window.event(&enter) && enter.isAccepted());
        QDropEvent drop(QPointF(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QVERIFY(window.event(&drop));
        QTRY_VERIFY(shownChild<QDialog>("newSandboxDialog"));
        QCOMPARE(child<QLineEdit>("folder")->text(), folder.path());
    }

    void theFirstRunSaysWhatTheMachineLacks()
    {
        begin({QStringLiteral("--no-image")});
        QTRY_VERIFY(shownChild<QPushButton>("checkBuild"));
        QVERIFY(shownChild<QWidget>("check-keychain"));
        QVERIFY(!shownChild<QWidget>("check-libvirt")); // only what is not well
        click("checkBuild");
        QTRY_COMPARE(requests("image.build").size(), 1);
        QTRY_VERIFY(!shownChild<QPushButton>("checkBuild"));
        click("welcomeCheck");
        QTRY_VERIFY(shownChild<QWidget>("check-libvirt"));
        click("checkCopy");
        QVERIFY(QGuiApplication::clipboard()->text().contains(QStringLiteral("libvirt 9.0 answers.")));
    }

    void preferencesHoldAtOnceAndTakeBackWhatIsRefused()
    {
        QTemporaryDir config;
        qputenv("XDG_CONFIG_HOME", config.path().toLocal8Bit());
        begin({});
        QSignalSpy looks(&m_scene->window, &MainWindow::windowSettingsChanged);
        m_scene->window.openPreferences();
        QTRY_VERIFY(shownChild<QComboBox>("preferencesAcceleration"));
        shownChild<QComboBox>("preferencesAcceleration")->setCurrentIndex(2);
        QTRY_COMPARE(requests("settings.set").size(), 1);
        QVERIFY(!shownChild<QDoubleSpinBox>("preferencesIdleMinutes")->isEnabled());
        QCOMPARE(requests("settings.set").value(0)[QStringLiteral("settings")][QStringLiteral("acceleration")].toString(), QStringLiteral("emulate"));
        shownChild<QComboBox>("preferencesWhenIdle")->setCurrentIndex(1);
        QTRY_COMPARE(requests("settings.set").size(), 2);
        QCOMPARE(requests("settings.set").value(1)[QStringLiteral("settings")][QStringLiteral("whenIdle")].toString(), QStringLiteral("pause"));
        QTRY_VERIFY(shownChild<QDoubleSpinBox>("preferencesIdleMinutes")->isEnabled());
        shownChild<QComboBox>("preferencesTheme")->setCurrentIndex(static_cast<int>(ThemeChoice::Dark));
        QCOMPARE(looks.count(), 1);
        QCOMPARE(loadWindowSettings().theme, ThemeChoice::Dark);
        child<QTabWidget>("preferencesPages")->setCurrentIndex(2);
        shownChild<QLineEdit>("mappedName")->setText(QStringLiteral("git.example.com"));
        shownChild<QLineEdit>("mappedAddress")->setText(QStringLiteral("127.0.0.1"));
        click("addMapping");
        QTRY_COMPARE(shownChild<QTreeWidget>("mappings")->topLevelItemCount(), 1);
        shownChild<QTreeWidget>("mappings")->setCurrentItem(shownChild<QTreeWidget>("mappings")->topLevelItem(0));
        click("removeMapping");
        QTRY_COMPARE(shownChild<QTreeWidget>("mappings")->topLevelItemCount(), 0);
        child<QTabWidget>("preferencesPages")->setCurrentIndex(3);
        const auto before = requests("settings.set").size();
        QVERIFY(!shownChild<QLineEdit>("proxyHost")); // nothing to fill in without a proxy
        shownChild<QComboBox>("proxyKind")->setCurrentIndex(4);
        QVERIFY(!shownChild<QPushButton>("proxyApply")->isEnabled());
        shownChild<QLineEdit>("proxyHost")->setText(QStringLiteral("proxy.example.com"));
        shownChild<QLineEdit>("proxyExempt")->setText(QStringLiteral("corp.example.com, 10.0.0.0/8"));
        click("proxyApply");
        QTRY_COMPARE(requests("settings.set").size(), before + 1);
        const auto proxy = requests("settings.set").value(before)[QStringLiteral("settings")][QStringLiteral("upstreamProxy")];
        QCOMPARE(proxy[QStringLiteral("kind")].toString(), QStringLiteral("socks5"));
        QCOMPARE(proxy[QStringLiteral("port")].toInt(), 3128);
        QCOMPARE(proxy[QStringLiteral("exempt")].toArray().size(), 2);
        QTRY_COMPARE(shownChild<QLineEdit>("proxyExempt")->text(), QStringLiteral("corp.example.com, 10.0.0.0/8"));
        qunsetenv("XDG_CONFIG_HOME");
    }

    void aQuestionIsAskedAndAnswered()
    {
        begin({QStringLiteral("--populate")});
        QTRY_COMPARE(requests("network.attend").size(), 1);
        QVERIFY(!shownChild<QFrame>("questionBar"));
        const auto ask = [this](const char* id, const char* host, const char* domain) {
            emit m_scene->client.event({{"type", "ask"},
                                        {"question", {{"id", id}, {"sandbox", kDocs.toStdString()}, {"host", host}, {"port", 443}, {"domain", domain},
                                                      {"method", "GET"}, {"path", "/a\u202eb"}}}});
        };
        QSignalSpy asked(&m_scene->window.questions(), &QuestionBar::asked);
        ask("q1", "api.example.com", "example.com");
        ask("q1", "api.example.com", "example.com"); // twice is once
        ask("q2", "10.0.0.1", "");
        QCOMPARE(asked.size(), 2);
        QVERIFY(shownChild<QFrame>("questionBar"));
        QCOMPARE(shownChild<QLabel>("questionText")->text(), QStringLiteral("codex-docs wants to reach api.example.com."));
        QVERIFY(shownChild<QLabel>("questionMore")->text().startsWith(QStringLiteral("GET /a")));
        QVERIFY(!shownChild<QLabel>("questionMore")->text().contains(QChar(0x202e)));
        QVERIFY(shownChild<QLabel>("questionMore")->text().contains(QStringLiteral("More questions wait: 1")));
        // A click that was meant for something else answers nothing.
        QVERIFY(!shownChild<QPushButton>("questionOnce")->isEnabled());
        click("questionOnce"); // waits until it may be clicked
        QTRY_COMPARE(requests("network.answer").size(), 1);
        QCOMPARE(requests("network.answer")[0][QStringLiteral("id")].toString(), QStringLiteral("q1"));
        QCOMPARE(requests("network.answer")[0][QStringLiteral("for")].toString(), QStringLiteral("once"));
        QCOMPARE(shownChild<QLabel>("questionText")->text(), QStringLiteral("codex-docs wants to reach 10.0.0.1."));
        QVERIFY(!shownChild<QPushButton>("questionBlock")->isEnabled()); // a new one: guarded again
        auto* menu = shownChild<QPushButton>("questionAllow")->menu();
        QVERIFY(!menu->actions().at(2)->isVisible()); // an address has no domain
        menu->actions().at(3)->trigger();
        QCOMPARE(m_scene->window.questions().waiting(), 1); // guarded, too
        click("questionBlock");
        QTRY_COMPARE(requests("network.answer").size(), 2);
        QCOMPARE(requests("network.answer")[1][QStringLiteral("verdict")].toString(), QStringLiteral("deny"));
        QCOMPARE(requests("network.answer")[1][QStringLiteral("for")].toString(), QStringLiteral("sandbox"));
        QVERIFY(!shownChild<QFrame>("questionBar"));
        ask("q3", "late.example.com", "example.com");
        emit m_scene->client.event({{"type", "ask.done"}, {"id", "q3"}, {"verdict", "deny"}, {"by", "timeout"}});
        QVERIFY(!shownChild<QFrame>("questionBar"));
        for (int number = 0; number < 1000; ++number) {
            ask(("flood" + std::to_string(number)).c_str(), "example.com", "example.com");
        }
        QVERIFY(m_scene->window.questions().waiting() <= 64);
        m_scene->engine.kill();
        QTRY_VERIFY(!shownChild<QFrame>("questionBar")); // what nobody waits for is not asked
    }

    void limitsAreShownWithWhatHoldsThemAndChanged()
    {
        begin({QStringLiteral("--populate")});
        page(kDocs);
        click("limits");
        QTRY_VERIFY(shownChild<QDialog>("limitsDialog"));
        QTRY_VERIFY(shownChild<QLabel>("limitsHeldBy")->text().contains(QStringLiteral("2048 MiB, held by the size of its microVM")));
        auto* memory = shownChild<QSpinBox>("limitsMemory");
        QTRY_VERIFY(shownChild<QPushButton>("limitsSave")->isEnabled());
        memory->setValue(16384);
        shownChild<QCheckBox>("limitsService")->setChecked(true);
        QVERIFY(!shownChild<QComboBox>("limitsWhenIdle")->isEnabled());
        QCOMPARE(shownChild<QComboBox>("limitsDocker")->currentIndex(), 0);
        shownChild<QComboBox>("limitsDocker")->setCurrentIndex(1);
        click("limitsSave");
        QTRY_VERIFY(shownChild<QLabel>("limitsMessage"));
        QVERIFY(shownChild<QLabel>("limitsMessage")->text().contains(QStringLiteral("was started with 2048 MiB")));
        const QJsonObject wanted = requests("sandbox.set").value(0);
        QCOMPARE(wanted[QStringLiteral("memoryMiB")].toInt(), 16384);
        QCOMPARE(wanted[QStringLiteral("service")].toBool(), true);
        QCOMPARE(wanted[QStringLiteral("dockerAtStart")].toBool(), true);
        QTRY_VERIFY(shownChild<QLabel>("overviewResources")->text().contains(QStringLiteral("a service")));
        memory->setValue(4096);
        click("limitsSave");
        QTRY_VERIFY(!shownChild<QDialog>("limitsDialog"));
        QVERIFY(!shownChild<QLabel>("overviewWarnings"));
        emit m_scene->client.event({{"type", "sandbox.changed"},
                                    {"sandbox", {{"id", kDocs.toStdString()}, {"name", "docs"}, {"state", "running"}, {"warnings", {"The disk of docs is full."}}}}});
        QTRY_VERIFY(shownChild<QLabel>("overviewWarnings"));
        QCOMPARE(shownChild<QLabel>("overviewWarnings")->text(), QStringLiteral("The disk of docs is full."));
    }

    void theReasonIsSeenInANarrowWindow()
    {
        begin({QStringLiteral("--populate")});
        page(kWebshop)->showNetwork();
        QTRY_VERIFY(shownChild<QTableView>("networkTable"));
        auto* table = shownChild<QTableView>("networkTable");
        QTRY_COMPARE(table->model()->rowCount(), 4);
        for (const int width : {720, 900, 1280}) {
            m_scene->window.resize(width, 600);
            QTRY_VERIFY(table->columnViewportPosition(NetworkModel::WhyColumn) + 100 < table->viewport()->width());
            QTRY_VERIFY(table->columnWidth(NetworkModel::WhyColumn) >= 100);
        }
        table->selectRow(0);
        QTRY_VERIFY(shownChild<QLabel>("networkDetails")->text().contains(QStringLiteral("telemetry.example.net")));
    }

    void everyButtonHasANameForScreenReaders()
    {
        begin({QStringLiteral("--populate")});
        page(kWebshop);
        int seen = 0;
        for (const QAbstractButton* button : m_scene->window.findChildren<QAbstractButton*>()) {
            if (button->objectName().startsWith(QStringLiteral("qt_")) || !button->isVisible()) {
                continue;
            }
            QVERIFY2(!button->text().isEmpty() || !button->accessibleName().isEmpty(), qPrintable(button->objectName()));
            ++seen;
        }
        QVERIFY(seen >= 6);
    }
};

QTEST_MAIN(TestMainWindow)
#include "test_main_window.moc"
