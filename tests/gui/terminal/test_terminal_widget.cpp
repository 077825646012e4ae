// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_widget.h"

#include <QAccessible>
#include <QKeyEvent>
#include <QScrollBar>
#include <QSignalSpy>
#include <QtTest>

using coldframe::ui::TerminalWidget;

class TestTerminalWidget : public QObject
{
    Q_OBJECT

private slots:
    void init()
    {
        m_widget = std::make_unique<TerminalWidget>();
        m_widget->resize(800, 500);
        m_widget->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_widget.get()));
        m_widget->setFocus();
        m_widget->activateWindow();
    }

    void showsWhatIsFed()
    {
        m_widget->feed("\x1b[31mhello\x1b[0m\r\nworld");
        QVERIFY(m_widget->screenText().startsWith(QStringLiteral("hello\nworld")));
        const QImage before = m_widget->viewport()->grab().toImage();
        m_widget->feed("\x1b[2J");
        QTRY_VERIFY(m_widget->viewport()->grab().toImage() != before);
    }

    void typingSendsBytes()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        QTest::keyClicks(m_widget.get(), QStringLiteral("ls"));
        QTest::keyClick(m_widget.get(), Qt::Key_Return);
        QTest::keyClick(m_widget.get(), Qt::Key_C, Qt::ControlModifier);
        QTest::keyClick(m_widget.get(), Qt::Key_Tab);
        QByteArray all;
        for (const auto& call : typed) {
            all += call.at(0).toByteArray();
        }
        QCOMPARE(all, QByteArray("ls\r\x03\t"));
    }

    void resizeTellsTheNewGrid()
    {
        QSignalSpy sizes(m_widget.get(), &TerminalWidget::sizeChanged);
        m_widget->resize(400, 300);
        QTRY_COMPARE(sizes.count(), 1);
        QCOMPARE(sizes.at(0).at(0).toInt(), m_widget->rows());
        QVERIFY(m_widget->columns() < 60);
    }

    void scrollsBackWithShiftPageUp()
    {
        for (int i = 0; i < 200; ++i) {
            m_widget->feed(QByteArray::number(i) + "\r\n");
        }
        QTRY_VERIFY(m_widget->verticalScrollBar()->maximum() > 100);
        QTest::keyClick(m_widget.get(), Qt::Key_PageUp, Qt::ShiftModifier);
        QVERIFY(m_widget->verticalScrollBar()->value() < m_widget->verticalScrollBar()->maximum());
        QTest::keyClicks(m_widget.get(), QStringLiteral("x"));
        QCOMPARE(m_widget->verticalScrollBar()->value(), m_widget->verticalScrollBar()->maximum());
    }

    void mouseGoesToTheProgramThatAsked()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, {}, QPoint(50, 50));
        QCOMPARE(typed.count(), 0);
        m_widget->feed("\x1b[?1000h\x1b[?1006h");
        QTest::mouseClick(m_widget->viewport(), Qt::LeftButton, {}, QPoint(5, 5));
        QCOMPARE(typed.at(0).at(0).toByteArray(), QByteArray("\x1b[<0;1;1M"));
        QCOMPARE(typed.at(1).at(0).toByteArray(), QByteArray("\x1b[<0;1;1m"));
    }

    void keysOfTheProgramAreNotTheWindows_data()
    {
        QTest::addColumn<int>("key");
        QTest::addColumn<Qt::KeyboardModifiers>("modifiers");
        QTest::addColumn<bool>("ofTheProgram");
        QTest::newRow("Ctrl+N") << int(Qt::Key_N) << Qt::KeyboardModifiers(Qt::ControlModifier) << true;
        QTest::newRow("Ctrl+Q") << int(Qt::Key_Q) << Qt::KeyboardModifiers(Qt::ControlModifier) << true;
        QTest::newRow("Alt+S") << int(Qt::Key_S) << Qt::KeyboardModifiers(Qt::AltModifier) << true;
        QTest::newRow("Ctrl+Shift+T") << int(Qt::Key_T) << Qt::KeyboardModifiers(Qt::ControlModifier | Qt::ShiftModifier) << false;
        QTest::newRow("Ctrl+PageDown") << int(Qt::Key_PageDown) << Qt::KeyboardModifiers(Qt::ControlModifier) << false;
    }
    void keysOfTheProgramAreNotTheWindows()
    {
        QFETCH(int, key);
        QFETCH(Qt::KeyboardModifiers, modifiers);
        QFETCH(bool, ofTheProgram);
        QKeyEvent asked(QEvent::ShortcutOverride, key, modifiers);
        asked.ignore();
        QCoreApplication::sendEvent(m_widget.get(), &asked);
        QCOMPARE(asked.isAccepted(), ofTheProgram);
    }

    void aScreenReaderReadsTheScreen()
    {
        m_widget->feed("first line\r\n$ make");
        QAccessibleInterface* accessible = QAccessible::queryAccessibleInterface(m_widget.get());
        QVERIFY(accessible);
        QCOMPARE(accessible->role(), QAccessible::Terminal);
        QAccessibleTextInterface* text = accessible->textInterface();
        QVERIFY(text);
        QVERIFY(text->text(0, text->characterCount()).startsWith(QStringLiteral("first line\n$ make\n")));
        QCOMPARE(text->cursorPosition(), 17);
        const QRect place = text->characterRect(11);
        QVERIFY(place.top() > text->characterRect(0).top());
        QCOMPARE(text->offsetAtPoint(place.center()), 11);
    }

    void linesAndBlocksJoinFromCellToCell()
    {
        const auto inkOf = [this](const QByteArray& shownBytes) {
            m_widget->feed("\x1b[2J\x1b[H\x1b[?25l\x1b[38;2;255;0;0m" + shownBytes);
            while (m_widget->queuedBytes() > 0) {
                QCoreApplication::processEvents();
            }
            return m_widget->viewport()->grab().toImage();
        };
        const QRect first = m_widget->cellRect(0, 0);
        const QRect second = m_widget->cellRect(0, 1);
        const auto isRed = [](const QImage& image, const QPoint& at) { return image.pixelColor(at) == QColor(255, 0, 0); };
        const QImage blocks = inkOf("\u2588\u2588\r\n\u2588");
        QVERIFY(isRed(blocks, first.topLeft()) && isRed(blocks, first.bottomRight()) && isRed(blocks, second.topLeft()));
        QVERIFY(isRed(blocks, m_widget->cellRect(1, 0).topLeft()));
        const QImage lines = inkOf("\u2500\u2500\r\n");
        int joined = 0;
        for (int y = first.top(); y <= first.bottom(); ++y) {
            joined += isRed(lines, {first.right(), y}) && isRed(lines, {second.left(), y}) ? 1 : 0;
        }
        QCOMPARE(joined, 1);
        const QImage quadrant = inkOf("\u2597"); // lower right
        QVERIFY(isRed(quadrant, first.bottomRight()) && !isRed(quadrant, first.topLeft()) && !isRed(quadrant, first.topRight()));
    }

    void aProgramIsToldWhenLightAndDarkChange()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        m_widget->setColorScheme(coldframe::ui::ColorScheme::light());
        QCOMPARE(typed.count(), 0); // nobody asked
        m_widget->feed("\x1b[?2031h");
        m_widget->setColorScheme(coldframe::ui::ColorScheme::dark());
        m_widget->setColorScheme(coldframe::ui::ColorScheme::light());
        QCOMPARE(typed.count(), 2);
        QCOMPARE(typed.at(0).at(0).toByteArray(), QByteArray("\x1b[?997;1n"));
        QCOMPARE(typed.at(1).at(0).toByteArray(), QByteArray("\x1b[?997;2n"));
    }

private:
    std::unique_ptr<TerminalWidget> m_widget;
};

QTEST_MAIN(TestTerminalWidget)
#include "test_terminal_widget.moc"
