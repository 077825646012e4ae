// SPDX-License-Identifier: Apache-2.0
#include "terminal_test.h"

#include "ui/terminal/paste.h"

#include <QClipboard>
#include <QDropEvent>
#include <QGuiApplication>
#include <QMenu>
#include <QMimeData>
#include <QScrollBar>
#include <QUrl>

using namespace coldframe::ui;

class TestTerminalSelection : public TerminalTest
{
    Q_OBJECT

private slots:
    void init()
    {
        QGuiApplication::clipboard()->clear();
        makeWidget();
    }

    void charactersAreSelectedByDragging()
    {
        show("alpha beta\r\ngamma delta");
        drag(before(0, 6), before(1, 5));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("beta\ngamma"));
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, {}, at(4, 4));
        QVERIFY(!m_widget->hasSelection());
    }

    void wordsAndLinesAreSelectedByTwoAndThreeClicks()
    {
        show("see /usr/share/x-1.2, or (b)\r\nnext");
        QTest::mouseDClick(m_widget->viewport(), Qt::LeftButton, {}, at(0, 8));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("/usr/share/x-1.2"));
        QTest::mouseRelease(m_widget->viewport(), Qt::LeftButton, {}, at(0, 8));
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, {}, at(0, 8));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("see /usr/share/x-1.2, or (b)"));
    }

    void draggingAfterADoubleClickTakesWholeWords()
    {
        show("alpha beta gamma");
        QTest::mouseDClick(m_widget->viewport(), Qt::LeftButton, {}, at(0, 7));
        move(at(0, 12), {}, Qt::LeftButton);
        QTest::mouseRelease(m_widget->viewport(), Qt::LeftButton, {}, at(0, 12));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("beta gamma"));
    }

    void aBlockIsSelectedWithAlt()
    {
        show("abcdef\r\nghijkl\r\nmnopqr");
        drag(before(0, 1), before(2, 3), Qt::AltModifier);
        QCOMPARE(m_widget->selectedText(), QStringLiteral("bc\nhi\nno"));
        drag(before(2, 5), before(1, 3), Qt::ControlModifier | Qt::AltModifier);
        QCOMPARE(m_widget->selectedText(), QStringLiteral("jk\npq"));
    }

    void shiftExtends()
    {
        show("alpha beta gamma");
        drag(before(0, 0), before(0, 5));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("alpha"));
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, Qt::ShiftModifier, before(0, 10));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("alpha beta"));
    }

    void wrappedRowsAreCopiedAsOneLineWithoutTrailingBlanks()
    {
        const QByteArray longLine(m_widget->columns() + 10, 'x');
        show(longLine + "   \r\nshort   \r\n");
        drag(before(0, 0), before(3, 0));
        QCOMPARE(m_widget->selectedText(), QString::fromLatin1(longLine) + QStringLiteral("\nshort\n"));
    }

    void wideCharactersAreSelectedWhole()
    {
        show("a\u4f60\u597db");
        drag(before(0, 1), before(0, 5));
        QCOMPARE(m_widget->selectedText(), QStringLiteral("\u4f60\u597d"));
        QTest::mouseDClick(m_widget->viewport(), Qt::LeftButton, {}, at(0, 2)); // the right half
        QCOMPARE(m_widget->selectedText(), QStringLiteral("a\u4f60\u597db"));
    }

    void theSelectionSurvivesOutputAndScrolling()
    {
        show("keep this\r\n");
        drag(before(0, 0), before(0, 9));
        for (int i = 0; i < 300; ++i) {
            show("line " + QByteArray::number(i) + "\r\n");
        }
        settle();
        QCOMPARE(m_widget->selectedText(), QStringLiteral("keep this"));
        QVERIFY(m_widget->verticalScrollBar()->maximum() > 200);
    }

    void whatIsWrittenOverIsSelectedNoMore()
    {
        show("first");
        drag(before(0, 0), before(0, 5));
        QVERIFY(m_widget->hasSelection());
        show("\x1b[5;1Helsewhere");
        settle();
        QVERIFY(m_widget->hasSelection()); // the control: other rows do not matter
        show("\x1b[1;1Hother");
        settle();
        QVERIFY(!m_widget->hasSelection());
    }

    void draggingBelowTheViewScrolls()
    {
        for (int i = 0; i < 300; ++i) {
            show("line " + QByteArray::number(i) + "\r\n");
        }
        settle();
        QScrollBar* bar = m_widget->verticalScrollBar();
        bar->setValue(50);
        QTest::mousePress(m_widget->viewport(), Qt::LeftButton, {}, before(2, 0));
        move(QPoint(20, m_widget->viewport()->height() + 30), {}, Qt::LeftButton);
        QTRY_VERIFY(bar->value() > 60); // with the pointer at rest
        QTest::mouseRelease(m_widget->viewport(), Qt::LeftButton, {}, QPoint(20, m_widget->viewport()->height() + 30));
        const int stopped = bar->value();
        QTest::qWait(120); // nothing is awaited: that it stays is what is looked at
        QCOMPARE(bar->value(), stopped);
        QVERIFY(m_widget->selectedText().startsWith(QStringLiteral("line 52\nline 53")));
        QVERIFY(m_widget->selectedText().count(QLatin1Char('\n')) > m_widget->rows());
    }

    void copyOnSelectIsAChoice()
    {
        show("alpha beta");
        drag(before(0, 0), before(0, 5));
        QVERIFY(QGuiApplication::clipboard()->text().isEmpty());
        QTest::keyClick(m_widget.get(), Qt::Key_C, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("alpha"));
        TerminalLooks looks;
        looks.copyOnSelect = true;
        m_widget->setLooks(looks);
        drag(before(0, 6), before(0, 10));
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("beta"));
        if (QGuiApplication::clipboard()->supportsSelection()) {
            QCOMPARE(QGuiApplication::clipboard()->text(QClipboard::Selection), QStringLiteral("beta"));
        }
    }

    void severalLinesAskUnlessTheProgramBracketsThem()
    {
        QSignalSpy asked(m_widget.get(), &TerminalWidget::pasteNeedsConfirmation);
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        QGuiApplication::clipboard()->setText(QStringLiteral("one\ntwo\n"));
        QTest::keyClick(m_widget.get(), Qt::Key_V, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(asked.count(), 1);
        QCOMPARE(typed.count(), 0);
        show("\x1b[?2004h");
        m_widget->paste();
        QCOMPARE(all(typed), QByteArray("\x1b[200~one\rtwo\r\x1b[201~"));
        QGuiApplication::clipboard()->setText(QStringLiteral("ls\x1b[201~\x03"));
        m_widget->paste();
        QCOMPARE(asked.count(), 2); // control characters ask in any case
        typed.clear();
        m_widget->confirmPaste(QStringLiteral("ls\x1b[201~"));
        QCOMPARE(all(typed), QByteArray("\x1b[200~ls[201~\x1b[201~"));
    }

    void aPreviewShowsWhatIsHidden()
    {
        QCOMPARE(pastePreview(QStringLiteral("a\x1b\u202eb\nc")), QStringLiteral("a‹U+001B›‹U+202E›b\nc"));
        QVERIFY(pastePreview(QString(100000, QLatin1Char('x'))).size() < 200);
        QVERIFY(pasteNeedsAsking(QStringLiteral("x\u202ey"), true));
        QVERIFY(!pasteNeedsAsking(QStringLiteral("grüße 你好\t!"), false));
    }

    void filesAreDroppedAsQuotedPaths()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        QMimeData files;
        files.setUrls({QUrl::fromLocalFile(QStringLiteral("/home/me/a b's.txt")), QUrl::fromLocalFile(QStringLiteral("/tmp/x")),
                       QUrl(QStringLiteral("https://example.com/"))});
        drop(&files);
        QCOMPARE(all(typed), QByteArray("'/home/me/a b'\\''s.txt' /tmp/x "));
        QSignalSpy asked(m_widget.get(), &TerminalWidget::pasteNeedsConfirmation);
        QMimeData text;
        text.setText(QStringLiteral("rm -rf x\n"));
        drop(&text);
        QCOMPARE(asked.count(), 1);
    }

    void theMenuCopiesAndPastes()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        QGuiApplication::clipboard()->setText(QStringLiteral("pasted"));
        QContextMenuEvent event(QContextMenuEvent::Mouse, at(0, 0), m_widget->viewport()->mapToGlobal(at(0, 0)));
        QCoreApplication::sendEvent(m_widget->viewport(), &event);
        auto* menu = m_widget->findChild<QMenu*>(QStringLiteral("terminalMenu"));
        QVERIFY(menu);
        QVERIFY(!menu->findChild<QAction*>(QStringLiteral("menuCopy"))->isEnabled());
        menu->findChild<QAction*>(QStringLiteral("menuPaste"))->trigger();
        menu->close();
        QCOMPARE(all(typed), QByteArray("pasted"));
    }

    void readOnlySendsNothing()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        QTest::keyClicks(m_widget.get(), QStringLiteral("a"));
        QCOMPARE(typed.count(), 1); // the control
        m_widget->setReadOnly(true);
        QTest::keyClicks(m_widget.get(), QStringLiteral("b"));
        QGuiApplication::clipboard()->setText(QStringLiteral("c"));
        m_widget->paste();
        show("\x1b[6n\x1b[?1000h");
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, {}, at(1, 1));
        QCOMPARE(typed.count(), 1);
    }

private:
    void drop(const QMimeData* data)
    {
        QDragEnterEvent enter(QPoint(20, 20), Qt::CopyAction, data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(m_widget->viewport(), &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent event(QPointF(20, 20), Qt::CopyAction, data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(m_widget->viewport(), &event);
    }
};

QTEST_MAIN(TestTerminalSelection)
#include "test_terminal_selection.moc"
