// SPDX-License-Identifier: Apache-2.0
#include "terminal_test.h"

#include <QInputMethodEvent>
#include <QPainter>
#include <QScrollBar>

using namespace coldframe::ui;

namespace {

/// Notes where a widget is painted.
class PaintWatch : public QObject
{
public:
    explicit PaintWatch(QWidget* watched) { watched->installEventFilter(this); }
    QRegion painted;

protected:
    bool eventFilter(QObject*, QEvent* event) override
    {
        if (event->type() == QEvent::Paint) {
            painted += static_cast<QPaintEvent*>(event)->region();
        }
        return false;
    }
};

bool has(const QImage& image, const QRect& where, const QColor& color)
{
    for (int y = where.top(); y <= where.bottom(); ++y) {
        for (int x = where.left(); x <= where.right(); ++x) {
            if (image.pixelColor(x, y) == color) {
                return true;
            }
        }
    }
    return false;
}

} // namespace

class TestTerminalPainting : public TerminalTest
{
    Q_OBJECT

private slots:
    void init() { makeWidget(); }

    void onlyChangedRowsArePainted()
    {
        show("\x1b[?25lone\r\ntwo\r\nthree");
        settle();
        PaintWatch watch(m_widget->viewport());
        show("\x1b[2;1HTWO");
        settle();
        QVERIFY(watch.painted.intersects(m_widget->cellRect(1, 1)));
        QVERIFY(!watch.painted.intersects(m_widget->cellRect(4, 1)));
        QVERIFY(!watch.painted.intersects(m_widget->cellRect(10, 40)));
    }

    void whatWasMovedAndPaintedInPartsIsWhatIsPaintedWhole()
    {
        // What the window shows, against a painting of all of it.
        const auto shown = [this] { return m_widget->window()->grab(QRect(m_widget->viewport()->mapTo(m_widget->window(), QPoint()), m_widget->viewport()->size())).toImage(); };
        show("\x1b[?25l");
        quint32 seed = 7;
        const auto next = [&seed](quint32 below) {
            seed = seed * 1664525 + 1013904223;
            return (seed >> 8) % below;
        };
        for (int round = 0; round < 60; ++round) {
            QByteArray bytes;
            switch (next(5)) {
            case 0: bytes = "\x1b[" + QByteArray::number(next(20) + 1) + ";" + QByteArray::number(next(60) + 1) + "Hchanged \x1b[4:3mcurly\x1b[0m \u4f60\u597d"; break;
            case 1: bytes = "\x1b[999;1H\r\n\x1b[3" + QByteArray::number(next(8)) + "mline\x1b[0m " + QByteArray::number(round) + "\r\n"; break;
            case 2: bytes = "\x1b[1;1H\x1b[" + QByteArray::number(next(3) + 1) + "L"; break;
            case 3: bytes = "\x1b[1;1H\x1b[" + QByteArray::number(next(3) + 1) + "M"; break;
            default: bytes = "\x1b[44mblue \x1b[2K\x1b[0m\u2500\u2502\u256d e\u0301 \U0001F600"; break;
            }
            show(bytes);
            if (next(2) == 0) { // painted before its frame, in part
                m_widget->viewport()->repaint(m_widget->cellRect(static_cast<int>(next(20)), static_cast<int>(next(60))));
            }
            settle();
            if (round % 10 == 9) {
                m_widget->verticalScrollBar()->setValue(static_cast<int>(next(static_cast<quint32>(m_widget->verticalScrollBar()->maximum() + 1))));
                m_widget->verticalScrollBar()->setValue(m_widget->verticalScrollBar()->maximum());
            }
        }
        QImage kept = shown();
        m_widget->viewport()->update();
        QCoreApplication::processEvents();
        QCOMPARE(kept, shown());
    }

    void framesAreCapped()
    {
        settle();
        const quint64 before = m_widget->framesPainted();
        QElapsedTimer time;
        time.start();
        while (time.elapsed() < 400) {
            show("x");
            QCoreApplication::processEvents(QEventLoop::AllEvents, 1);
        }
        const auto frames = static_cast<qint64>(m_widget->framesPainted() - before);
        QVERIFY2(frames <= time.elapsed() * 60 / 1000 + 3, qPrintable(QString::number(frames)));
        QVERIFY(frames > 0);
    }

    void aFrameIsHeldWhileTheProgramDrawsAndNotForEver()
    {
        show("before");
        settle();
        PaintWatch watch(m_widget->viewport());
        const QRect place = m_widget->cellRect(5, 1);
        QElapsedTimer held;
        held.start();
        m_widget->feed("\x1b[?2026h\x1b[6;1Hhalf");
        while (held.elapsed() < 60) {
            QCoreApplication::processEvents(QEventLoop::AllEvents, 5);
            QVERIFY(held.elapsed() > 140 || !watch.painted.intersects(place));
        }
        QTRY_VERIFY(watch.painted.intersects(place)); // the program never ended it
        watch.painted = QRegion();
        show("\x1b[?2026l\x1b[?2026h\x1b[6;1Hwhole\x1b[?2026l");
        QTRY_VERIFY(watch.painted.intersects(place));
    }

    void muchOutputIsParsedInTurnsAndAsksForAPause()
    {
        QSignalSpy backlogged(m_widget.get(), &TerminalWidget::backlogged);
        QByteArray log;
        for (int i = 0; i < 40000; ++i) {
            log += "\x1b[32mline\x1b[0m " + QByteArray::number(i) + "\r\n";
        }
        m_widget->feed(log);
        QVERIFY(m_widget->queuedBytes() > 0); // not all at once
        QCOMPARE(backlogged.count(), 1);
        QCOMPARE(backlogged.at(0).at(0).toBool(), true);
        QTRY_COMPARE_WITH_TIMEOUT(m_widget->queuedBytes(), 0, 30000);
        QCOMPARE(backlogged.count(), 2);
        QVERIFY(m_widget->screenText().contains(QStringLiteral("line 39999")));
    }

    void theViewOfTheScrollbackStaysWhereItIs()
    {
        for (int i = 0; i < 200; ++i) {
            show(QByteArray::number(i) + "\r\n");
        }
        settle();
        m_widget->verticalScrollBar()->setValue(20);
        const QImage before = image();
        for (int i = 0; i < 100; ++i) {
            show("more\r\n");
        }
        settle();
        QCOMPARE(m_widget->verticalScrollBar()->value(), 20);
        QCOMPARE(image(), before);
    }

    void stylesAreSeen_data()
    {
        QTest::addColumn<QByteArray>("style");
        for (const char* style : {"1", "2", "3", "4", "4:2", "4:3", "4:4", "4:5", "7", "9", "53", "31", "48;5;200", "38;2;1;200;3"}) {
            QTest::newRow(style) << QByteArray(style);
        }
    }
    void stylesAreSeen()
    {
        QFETCH(QByteArray, style);
        show("\x1b[?25lstyled");
        const QImage plain = image();
        show("\x1b[2J\x1b[H\x1b[" + style + "mstyled");
        const QImage styled = image();
        QVERIFY(plain != styled);
    }

    void underlinesHaveAColourOfTheirOwn()
    {
        show("\x1b[?25l\x1b[4m\x1b[58;2;255;0;0munderlined");
        QVERIFY(has(image(), m_widget->cellRect(0, 3), QColor(255, 0, 0)));
    }

    void blinkingTextComesAndGoes()
    {
        show("\x1b[?25l\x1b[5;38;2;255;0;0m\u2588\u2588");
        settle();
        QTRY_VERIFY(!has(image(), m_widget->cellRect(0, 0), QColor(255, 0, 0)));
        QTRY_VERIFY(has(image(), m_widget->cellRect(0, 0), QColor(255, 0, 0)));
    }

    void theCursorHasItsShapes()
    {
        m_widget->setColorScheme(ColorScheme::dark());
        const QColor ink = ColorScheme::dark().cursor;
        const QRect cell = m_widget->cellRect(0, 0);
        show("\x1b[2 q"); // a block that does not blink
        QVERIFY(image().pixelColor(cell.center()) == ink);
        show("\x1b[4 q");
        QVERIFY(image().pixelColor(cell.center()) != ink && image().pixelColor(cell.left() + 2, cell.bottom()) == ink);
        show("\x1b[6 q");
        QVERIFY(image().pixelColor(cell.center()) != ink && image().pixelColor(cell.left(), cell.center().y()) == ink);
        show("\x1b[2 q");
        m_widget->clearFocus();
        QTRY_VERIFY(!m_widget->hasFocus());
        QVERIFY(image().pixelColor(cell.center()) != ink && image().pixelColor(cell.topLeft()) == ink); // hollow
        show("\x1b[?25l");
        QVERIFY(image().pixelColor(cell.topLeft()) != ink);
    }

    void zoomChangesTheSizeAndComesBack()
    {
        const int columns = m_widget->columns();
        QTest::keyClick(m_widget.get(), Qt::Key_Plus, Qt::ControlModifier);
        QTest::keyClick(m_widget.get(), Qt::Key_Plus, Qt::ControlModifier);
        QVERIFY(m_widget->columns() < columns);
        QTest::keyClick(m_widget.get(), Qt::Key_0, Qt::ControlModifier);
        QCOMPARE(m_widget->columns(), columns);
        QTest::keyClick(m_widget.get(), Qt::Key_Minus, Qt::ControlModifier);
        QVERIFY(m_widget->columns() > columns);
        TerminalLooks looks;
        looks.points = 20;
        m_widget->setLooks(looks);
        QVERIFY(m_widget->columns() < columns);
    }

    void theBellIsSeen()
    {
        settle();
        const QImage before = image();
        show("\a");
        QVERIFY(image() != before);
        QTRY_COMPARE(image(), before);
        TerminalLooks quiet;
        quiet.visualBell = false;
        m_widget->setLooks(quiet);
        show("\a");
        QCOMPARE(image(), before);
    }

    void compositionIsShownAtTheCaretAndThenTyped()
    {
        QSignalSpy typed(m_widget.get(), &TerminalWidget::bytesTyped);
        show("$ ");
        settle();
        const QImage before = image();
        QInputMethodEvent composing(QStringLiteral("ni"), {});
        QCoreApplication::sendEvent(m_widget.get(), &composing);
        QVERIFY(image() != before);
        const QRect caret = static_cast<QWidget*>(m_widget.get())->inputMethodQuery(Qt::ImCursorRectangle).toRect();
        QVERIFY(caret.left() > m_widget->cellRect(0, 2).left());
        QCOMPARE(caret.top(), m_widget->cellRect(0, 2).top() + m_widget->viewport()->y());
        QVERIFY(typed.isEmpty());
        QInputMethodEvent done;
        done.setCommitString(QStringLiteral("\u4f60"));
        QCoreApplication::sendEvent(m_widget.get(), &done);
        QCOMPARE(all(typed), QByteArray("\u4f60"));
        QCOMPARE(image(), before);
    }

    void everySchemeCanBeRead_data()
    {
        QTest::addColumn<int>("index");
        for (int i = 0; i < ColorScheme::all().size(); ++i) {
            QTest::newRow(qPrintable(ColorScheme::all()[i].id)) << i;
        }
    }
    void everySchemeCanBeRead()
    {
        QFETCH(int, index);
        const ColorScheme& scheme = ColorScheme::all()[index];
        QVERIFY(contrast(scheme.foreground, scheme.background) >= 4.5);
        QVERIFY(contrast(scheme.foreground, scheme.selection) >= 4.5);
        QCOMPARE(contrast(QColor(Qt::white), scheme.background) < contrast(QColor(Qt::black), scheme.background), scheme.isLight);
        for (std::size_t i = 1; i < scheme.named.size(); ++i) {
            QVERIFY2(contrast(scheme.named[i], scheme.background) >= 4.5 || (scheme.isLight && i == 15) || (scheme.isLight && i == 7),
                     qPrintable(QStringLiteral("%1: %2").arg(i).arg(contrast(scheme.named[i], scheme.background))));
        }
        QCOMPARE(ColorScheme::find(scheme.id, scheme.isLight).id, scheme.id);
        QVERIFY(ColorScheme::find(scheme.id, !scheme.isLight).isLight != scheme.isLight);
    }
};

QTEST_MAIN(TestTerminalPainting)
#include "test_terminal_painting.moc"
