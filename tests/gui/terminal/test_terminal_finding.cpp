// SPDX-License-Identifier: Apache-2.0
#include "terminal_test.h"

#include "ui/terminal/links.h"
#include "ui/terminal/terminal_search.h"

#include <QClipboard>
#include <QFile>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QTemporaryDir>
#include <QToolButton>
#include <QUrl>

using namespace coldframe::ui;

class TestTerminalFinding : public TerminalTest
{
    Q_OBJECT

private slots:
    void init() { makeWidget(); }

    // --- search

    void searchFindsInTheScrollbackWhileItIsTyped()
    {
        for (int i = 0; i < 500; ++i) {
            show(i % 100 == 7 ? "a Needle here\r\n" : "hay " + QByteArray::number(i) + "\r\n");
        }
        settle();
        QTest::keyClick(m_widget.get(), Qt::Key_F, Qt::ControlModifier | Qt::ShiftModifier);
        auto* text = m_widget->findChild<QLineEdit*>(QStringLiteral("searchText"));
        auto* count = m_widget->findChild<QLabel*>(QStringLiteral("searchCount"));
        QTRY_VERIFY(text->isVisible() && text->hasFocus());
        QTest::keyClicks(text, QStringLiteral("needle"));
        QTRY_COMPARE(count->text(), QStringLiteral("5 of 5"));
        QTest::keyClick(text, Qt::Key_Return);
        QCOMPARE(count->text(), QStringLiteral("4 of 5"));
        const int value = m_widget->verticalScrollBar()->value();
        QVERIFY(value <= 307 && value + m_widget->rows() > 307); // the hit is in view
        QTest::keyClick(text, Qt::Key_Return, Qt::ShiftModifier);
        QCOMPARE(count->text(), QStringLiteral("5 of 5"));
        QTest::keyClick(text, Qt::Key_Return, Qt::ShiftModifier);
        QCOMPARE(count->text(), QStringLiteral("1 of 5")); // around the end
        QTest::mouseClick(m_widget->findChild<QToolButton*>(QStringLiteral("searchCase")), Qt::LeftButton);
        QTRY_COMPARE(count->text(), QStringLiteral("none"));
        QTest::keyClick(text, Qt::Key_Escape);
        QVERIFY(!text->isVisible());
        QTRY_VERIFY(m_widget->hasFocus());
        QVERIFY(!m_widget->search().isOn());
    }

    void hitsAreHighlightedAndComeWithNewOutput()
    {
        show("\x1b[?25lone two one\r\n");
        settle();
        const QImage before = image();
        QVERIFY(m_widget->search().start(QStringLiteral("one"), {}));
        QTRY_VERIFY(m_widget->search().isDone());
        QCOMPARE(m_widget->search().count(), std::size_t{2});
        QVERIFY(image() != before);
        show("and one more\r\n");
        QTRY_COMPARE(m_widget->search().count(), std::size_t{3});
        show("\x1b[1;1H\x1b[2K"); // the first row is gone
        QTRY_COMPARE(m_widget->search().count(), std::size_t{1});
        m_widget->search().stop();
        QCOMPARE(m_widget->search().partsIn(1).size(), std::size_t{0});
    }

    void searchKnowsWordsAndExpressions()
    {
        show("error errors [error] 404 4041\r\n");
        settle();
        QString problem;
        const auto count = [&](const QString& text, const SearchOptions& options) {
            m_widget->search().start(text, options, &problem);
            while (!m_widget->search().isDone()) {
                QCoreApplication::processEvents();
            }
            return static_cast<int>(m_widget->search().count());
        };
        QCOMPARE(count(QStringLiteral("error"), {}), 3);
        QCOMPARE(count(QStringLiteral("error"), {.wholeWords = true}), 2);
        QCOMPARE(count(QStringLiteral("[error]"), {}), 1);
        QCOMPARE(count(QStringLiteral("\\d{3}\\b"), {.isRegularExpression = true}), 2);
        QVERIFY(!m_widget->search().start(QStringLiteral("(unclosed"), {.isRegularExpression = true}, &problem));
        QVERIFY(!problem.isEmpty());
    }

    void searchGoesAcrossWrappedRows()
    {
        show(QByteArray(m_widget->columns() - 3, '.') + "needle");
        settle();
        m_widget->search().start(QStringLiteral("needle"), {});
        QTRY_VERIFY(m_widget->search().isDone());
        QCOMPARE(m_widget->search().count(), std::size_t{1});
        QCOMPARE(m_widget->search().partsIn(0).size(), std::size_t{1});
        QCOMPARE(m_widget->search().partsIn(1).at(0).to, 3);
    }

    void hazard_07_anExpressionThatBacktracksForEverDoesNotStopTheWindow()
    {
        for (int i = 0; i < 40; ++i) {
            show(QByteArray(m_widget->columns() - 1, 'a') + "\r\n");
        }
        settle();
        QElapsedTimer time;
        time.start();
        m_widget->search().start(QStringLiteral("(a+)+b"), {.isRegularExpression = true});
        QVERIFY2(time.elapsed() < 3000, qPrintable(QString::number(time.elapsed()))); // some of 40 lines; each would take for ever
        QTRY_VERIFY_WITH_TIMEOUT(m_widget->search().isDone(), 20000);
    }

    // --- links

    void addressesAreFound()
    {
        const auto found = [](const QString& text) {
            QStringList list;
            for (const FoundAddress& one : findAddresses(text)) {
                list << text.mid(one.from, one.to - one.from);
            }
            return list.join(QLatin1Char(' '));
        };
        QCOMPARE(found(QStringLiteral("see https://example.com/a_(b)?x=1, or (http://e.org/x).")), QStringLiteral("https://example.com/a_(b)?x=1 http://e.org/x"));
        QCOMPARE(found(QStringLiteral("mailto:a@b.example \"https://q.example/\"")), QStringLiteral("mailto:a@b.example https://q.example/"));
        QCOMPARE(found(QStringLiteral("xhttp://no.example javascript:alert(1) http://")), QString());
        QElapsedTimer time;
        time.start();
        found(QStringLiteral("http://").repeated(20000) + QString(200000, QLatin1Char('(')));
        QVERIFY(time.elapsed() < 5000);
    }

    void controlPointsAtALinkAndOpensIt()
    {
        QSignalSpy hovered(m_widget.get(), &TerminalWidget::linkHovered);
        QSignalSpy activated(m_widget.get(), &TerminalWidget::linkActivated);
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        const QByteArray address = "https://example.com/" + QByteArray(m_widget->columns(), 'p');
        show("go " + address + " now");
        settle();
        const QImage plain = image();
        move(at(1, 3));
        QVERIFY(hovered.isEmpty()); // without Control
        move(at(1, 3), Qt::ControlModifier);
        QCOMPARE(hovered.count(), 1);
        QCOMPARE(hovered.at(0).at(0).toString(), QString::fromLatin1(address));
        QVERIFY(image() != plain);
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, Qt::ControlModifier, at(1, 3));
        QCOMPARE(activated.count(), 1);
        QCOMPARE(activated.at(0).at(0).value<Link>().target, QString::fromLatin1(address));
        move(at(5, 3), Qt::ControlModifier);
        QCOMPARE(hovered.last().at(0).toString(), QString());
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, Qt::ControlModifier, at(5, 3));
        QCOMPARE(activated.count(), 1);
        QVERIFY(typed.isEmpty());
    }

    void aLinkOfTheProgramsShowsWhereItLeads()
    {
        show("\x1b]8;;https://evil.example/x\x1b\\https://good.example\x1b]8;;\x1b\\ rest");
        settle();
        QSignalSpy hovered(m_widget.get(), &TerminalWidget::linkHovered);
        move(at(0, 4), Qt::ControlModifier);
        QCOMPARE(hovered.value(0).value(0).toString(), QStringLiteral("https://evil.example/x"));
        const auto link = linkAt(m_widget->terminal(), {0, 4});
        QCOMPARE(link->text, QStringLiteral("https://good.example"));
        QCOMPARE(link->parts.size(), std::size_t{1});
        QCOMPARE(link->parts[0].to, 20);
    }

    void linksAreJudged_data()
    {
        QTest::addColumn<QString>("target");
        QTest::addColumn<QString>("text");
        QTest::addColumn<LinkVerdict>("verdict");
        const auto row = [](const char* target, const char* text, LinkVerdict verdict) {
            QTest::addRow("%s as %s", target, text) << QString::fromUtf8(target) << QString::fromUtf8(text) << verdict;
        };
        row("https://example.com/x", "https://example.com/x", LinkVerdict::Open);
        row("https://example.com/x", "the manual", LinkVerdict::Open);
        row("https://www.example.com/x", "example.com", LinkVerdict::Open);
        row("mailto:a@example.com", "a@example.com", LinkVerdict::Open);
        row("https://evil.example/", "https://bank.example/", LinkVerdict::Ask);
        row("https://evil.example/", "see bank.example now", LinkVerdict::Ask);
        row("https://bank.example@evil.example/", "log in", LinkVerdict::Ask);
        row("javascript:alert(1)", "click", LinkVerdict::Refuse);
        row("ssh://host/", "click", LinkVerdict::Refuse);
        row("smb://host/share", "click", LinkVerdict::Refuse);
        row("file:///etc/passwd", "file", LinkVerdict::Refuse);
        row("file://evil.example/share", "file", LinkVerdict::Refuse);
        row("https:///x", "x", LinkVerdict::Refuse);
        row("not an address", "x", LinkVerdict::Refuse);
    }
    void linksAreJudged()
    {
        QFETCH(QString, target);
        QFETCH(QString, text);
        QFETCH(LinkVerdict, verdict);
        const LinkJudgement judgement = judgeLink(target, text, {QStringLiteral("/nowhere/at/all")});
        QCOMPARE(judgement.verdict, verdict);
        QCOMPARE(judgement.sentence.isEmpty(), verdict == LinkVerdict::Open);
    }

    void hazard_07_onlyPlainFilesOfTheWorkspaceAreOpened()
    {
        const QTemporaryDir outside;
        const QTemporaryDir workspace;
        const auto make = [](const QString& path) {
            QFile file(path);
            return file.open(QIODevice::WriteOnly) && file.write("x") == 1;
        };
        QVERIFY(make(workspace.filePath(QStringLiteral("notes.txt"))) && make(workspace.filePath(QStringLiteral("run.sh"))) &&
                make(workspace.filePath(QStringLiteral("x.desktop"))) && make(outside.filePath(QStringLiteral("secret.txt"))));
        QFile::setPermissions(workspace.filePath(QStringLiteral("run.sh")), QFile::ReadOwner | QFile::ExeOwner);
        QVERIFY(QFile::link(outside.filePath(QStringLiteral("secret.txt")), workspace.filePath(QStringLiteral("innocent.txt"))));
        const auto verdict = [&](const QString& path) {
            return judgeLink(QUrl::fromLocalFile(path).toString(), QStringLiteral("file"), {workspace.path()}).verdict;
        };
        QCOMPARE(verdict(workspace.filePath(QStringLiteral("notes.txt"))), LinkVerdict::Open); // the control
        QCOMPARE(verdict(workspace.path()), LinkVerdict::Open);
        QCOMPARE(verdict(workspace.filePath(QStringLiteral("run.sh"))), LinkVerdict::Refuse);
        QCOMPARE(verdict(workspace.filePath(QStringLiteral("x.desktop"))), LinkVerdict::Refuse);
        QCOMPARE(verdict(workspace.filePath(QStringLiteral("innocent.txt"))), LinkVerdict::Refuse);
        QCOMPARE(verdict(workspace.path() + QStringLiteral("/../") + QFileInfo(outside.path()).fileName() + QStringLiteral("/secret.txt")), LinkVerdict::Refuse);
        QCOMPARE(verdict(outside.filePath(QStringLiteral("secret.txt"))), LinkVerdict::Refuse);
    }

    // --- marks of the shell

    void promptsAreJumpedToAndTheLastOutputIsCopied()
    {
        for (int i = 0; i < 5; ++i) {
            show("\x1b]133;A\x07$ \x1b]133;B\x07" "command " + QByteArray::number(i) + "\r\n\x1b]133;C\x07");
            for (int line = 0; line < 40; ++line) {
                show("output " + QByteArray::number(i) + "\r\n");
            }
        }
        show("\x1b]133;A\x07$ ");
        settle();
        QScrollBar* bar = m_widget->verticalScrollBar();
        QTest::keyClick(m_widget.get(), Qt::Key_Up, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(bar->value(), 4 * 41);
        QTest::keyClick(m_widget.get(), Qt::Key_Up, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(bar->value(), 3 * 41);
        QTest::keyClick(m_widget.get(), Qt::Key_Down, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(bar->value(), 4 * 41);
        QTest::keyClick(m_widget.get(), Qt::Key_Down, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(bar->value(), bar->maximum());
        m_widget->copyLastOutput();
        QCOMPARE(QGuiApplication::clipboard()->text().count(QStringLiteral("output 4")), 40);
        QVERIFY(!QGuiApplication::clipboard()->text().contains(QStringLiteral("output 3")));
    }
};

QTEST_MAIN(TestTerminalFinding)
#include "test_terminal_finding.moc"
