// SPDX-License-Identifier: Apache-2.0
// A screen drawn for another terminal: it shows the same and behaves the same from then on.
#include "terminal/key_encoder.h"
#include "terminal/redraw.h"

#include <QtTest>

using namespace coldframe::terminal;

namespace {

/// Everything that can be seen of a terminal, one line each: text with styles, cursor, modes.
std::string look(const Terminal& terminal, bool withScrollback = true)
{
    std::string all;
    Row row;
    const auto addRow = [&] {
        for (int column = 0; column < row.columns(); ++column) {
            for (const char32_t c : row.text(column).empty() ? U" " : row.text(column)) {
                all += encodeUtf8(c);
            }
            const Style& s = row.style(column);
            all += std::to_string(static_cast<int>(s.foreground.kind)) + std::to_string(s.foreground.red) + "," +
                   std::to_string(s.foreground.green) + "," + std::to_string(s.background.red) + "," + std::to_string(s.underlineColor.green) +
                   std::to_string(s.bold + 2 * s.dim + 4 * s.italic + 8 * s.blink + 16 * s.inverse + 32 * s.hidden + 64 * s.strike +
                                  128 * s.overline + 256 * s.isProtected) +
                   std::to_string(static_cast<int>(s.underline)) + std::to_string(row.width(column)) + std::string(row.link(column));
        }
        all += '\n';
    };
    for (std::size_t i = 0; withScrollback && i < terminal.scrollbackRows(); ++i) {
        terminal.screen().readScrollback(i, row);
        addRow();
    }
    for (int i = 0; i < terminal.rows(); ++i) {
        terminal.readMainRow(i, row);
        addRow();
    }
    for (int i = 0; i < terminal.rows(); ++i) {
        terminal.readScreenRow(i, row);
        addRow();
    }
    const Screen& screen = terminal.screen();
    const Modes& m = terminal.modes();
    for (const int value : {screen.cursor().row, screen.cursor().column, static_cast<int>(screen.wrapPending()), screen.topMargin(),
                            screen.bottomMargin(), screen.leftMargin(), screen.rightMargin(), static_cast<int>(m.origin), static_cast<int>(m.reverseWrap), static_cast<int>(m.graphemes),
                            static_cast<int>(m.leftRightMargins), static_cast<int>(m.applicationCursorKeys),
                            static_cast<int>(m.applicationKeypad), static_cast<int>(m.bracketedPaste), static_cast<int>(m.focusEvents),
                            static_cast<int>(m.sgrMouse), static_cast<int>(m.autoWrap), static_cast<int>(m.insert), static_cast<int>(m.newLine),
                            static_cast<int>(m.cursorVisible), static_cast<int>(m.cursorBlink), static_cast<int>(m.reverseVideo),
                            static_cast<int>(m.colorReports), static_cast<int>(m.alternateScreen), static_cast<int>(m.alternateScroll),
                            static_cast<int>(m.mouse), static_cast<int>(m.cursorShape), static_cast<int>(m.kittyKeyboard),
                            static_cast<int>(m.modifyOtherKeys)}) {
        all += std::to_string(value) + " ";
    }
    return all;
}

char32_t firstOf(const Terminal& terminal, std::size_t index)
{
    Row row;
    terminal.readRow(index, row);
    return row.text(0).empty() ? U' ' : row.text(0)[0];
}

} // namespace

class TestTerminalRedraw : public QObject
{
    Q_OBJECT

private slots:
    void anotherTerminalShowsTheSame_data()
    {
        QTest::addColumn<QByteArray>("output");
        const auto row = [](const char* name, const char* output) { QTest::newRow(name) << QByteArray(output); };
        row("nothing", "");
        row("a prompt", "$ ls\r\na  b\r\n$ ");
        row("scrolled", "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7");
        row("colours", "\x1b[1;31mred\x1b[0;4:3;38;5;200m\x1b[48;2;1;2;3mx\x1b[94;103;21;9;3my\x1b[0m z");
        row("background to the end", "\x1b[44m\x1b[2J\x1b[1;1Hblue");
        row("wide and combining", "a\xe6\x97\xa5\xe6\x9c\xac" "e\xcc\x81|");
        row("wide at the edge", "\x1b[1;9H\xe6\x97\xa5\xe6\x97\xa5");
        row("behind the last column", "0123456789");
        row("full lines", "01234567890123456789012345678901234567890123456789x");
        row("wrap off", "\x1b[?7l0123456789abc");
        row("alternate screen", "shell\r\n$ vi\r\n\x1b[?1049h\x1b[2J\x1b[2;3H\x1b[7mtext\x1b[0m\x1b[4;1H~");
        row("margins and origin", "\x1b[2;3r\x1b[?6h\x1b[2;2Hx");
        row("line drawing", "\x1b(0lqk\x1b(B \x1b)0\x0eqq");
        row("modes", "\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[?1002h\x1b[?1006h\x1b[?25l\x1b[4h\x1b[20h\x1b[?5h\x1b[?2031h\x1b[?1007l");
        row("protected, links, kinds of underline", "\x1b[1\"qp\x1b[0\"q\x1b]8;;https://example.org/\x1b\\link\x1b]8;;\x1b\\\x1b[4:4;58:2::1:2:3mu\x1b[53mo");
        row("an open link", "\x1b]8;;https://example.org/\x1b\\go");
        row("side margins", "\x1b[?69h\x1b[3;6s\x1b[1;3Hab");
        row("tab stops", "\x1b[3g\x1b[4G\x1bH\x1b[1G");
        row("a saved cursor", "\x1b[3;4H\x1b[31m\x1b" "7\x1b[0m\x1b[1;1H");
        row("clusters", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb|\xe2\x9d\xa4\xef\xb8\x8f|");
        row("what would join now", "\x1b[?2027l\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9x\x1b[?2027h\xf0\x9f\x87\xa9\x1b[1;20H\x1b[1;8H.");
        row("what does not join without clusters", "\x1b[?2027l\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9x");
        row("keyboard and cursor", "\x1b[>1u\x1b[>4;2m\x1b[5 q");
        row("saved lines under the alternate screen", "1\r\n2\r\n3\r\n4\r\n5\r\n\x1b[?1049hinside");
    }

    void anotherTerminalShowsTheSame()
    {
        QFETCH(QByteArray, output);
        Terminal first(4, 10, {});
        first.feed({output.constData(), static_cast<std::size_t>(output.size())});
        QCOMPARE(first.unfinishedBytes(), 0u);
        Terminal second(4, 10, {});
        second.feed("some shell$ coldframe attach\r\n");
        const std::string drawn = redraw(first, {100, "", false});
        Terminal fresh(4, 10, {});
        fresh.feed(drawn);
        QCOMPARE(look(fresh), look(first));
        second.feed(drawn);
        QCOMPARE(look(second, false), look(first, false));
        // What was on the other terminal is in its scrollback, first.
        QCOMPARE(firstOf(second, 0), U's');
        for (Terminal* terminal : {&first, &fresh}) {
            terminal->feed("next\tx\x1b" "8y\r\nline\x1b[?1049l\r\nafter");
        }
        QCOMPARE(look(fresh), look(first));
        // A terminal that showed something else of the same program.
        Terminal behind(4, 10, {});
        behind.feed("old\x1b[?1049h\x1b[2;3r\x1b[?6h\x1b[?1003h\x1b[7mold\x1b[?1h\x1b]2;unfinished");
        behind.feed(redraw(first, {0, "", true}));
        QCOMPARE(look(behind, false), look(first, false));
    }

    void aTerminalOfAnotherSizeShowsTheScreenOrAPart_data()
    {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        QTest::addColumn<QStringList>("lines");
        QTest::addColumn<int>("cursorRow");
        QTest::addColumn<int>("cursorColumn");
        QTest::newRow("larger") << 6 << 14 << QStringList{"one", "two", "日本 ok", "x> 67890", "", ""} << 3 << 8;
        QTest::newRow("lower") << 2 << 10 << QStringList{"日本 ok", "x> 67890"} << 1 << 8;
        QTest::newRow("narrower") << 4 << 6 << QStringList{"", "", "  ok", "67890"} << 3 << 5;
        QTest::newRow("a wide character cut at the left") << 4 << 8 << QStringList{"ne", "wo", " 本 ok", "> 67890"} << 3 << 7;
    }

    void aTerminalOfAnotherSizeShowsTheScreenOrAPart()
    {
        QFETCH(int, rows);
        QFETCH(int, columns);
        QFETCH(QStringList, lines);
        Terminal first(4, 10, {});
        first.feed("$ vi\r\n\x1b[?1049h\x1b[2J\x1b[1;1Hone\x1b[2;1Htwo\x1b[3;1H\xe6\x97\xa5\xe6\x9c\xac ok\x1b[4;1Hx> 67890\x1b[?2004h");
        Terminal other(rows, columns, {});
        other.feed("older text\r\nthat filled it\x1b[2;2r\x1b[?6h\x1b[4h\x1b]2;unfin");
        const std::string drawn = drawView(first, {rows, columns, "title"});
        for (int i = 0; i < 2; ++i) { // as often as one likes
            other.feed(drawn);
            for (int row = 0; row < rows; ++row) {
                QString shown;
                Row cells;
                other.readScreenRow(row, cells);
                for (int column = 0; column < cells.columns(); ++column) {
                    shown += cells.width(column) == 0 ? QString() : QString::fromUcs4(cells.text(column).empty() ? U" " : cells.text(column).data(), 1);
                }
                while (shown.endsWith(QLatin1Char(' '))) {
                    shown.chop(1);
                }
                QCOMPARE(shown, lines[row]);
            }
            QTEST(other.screen().cursor().row, "cursorRow");
            QTEST(other.screen().cursor().column, "cursorColumn");
            QVERIFY(other.modes().alternateScreen && other.modes().bracketedPaste && other.modes().cursorVisible);
        }
        QVERIFY(!other.modes().synchronizedOutput);
        first.feed("\x1b[?1049l");
        other.feed(drawView(first, {rows, columns, ""}));
        QVERIFY(!other.modes().alternateScreen);
        QCOMPARE(firstOf(other, other.scrollbackRows()), U'$');
        // And back to the program's own bytes, when the sizes are the same again.
        other.resize(4, 10);
        other.feed(redraw(first, {0, "", true}));
        for (Terminal* terminal : {&first, &other}) {
            terminal->feed("next\r\n\x1b[7mline");
        }
        QCOMPARE(look(other, false), look(first, false));
    }

    void nothingHappensASecondTime()
    {
        Terminal first(4, 10, {});
        first.feed("\x07\x1b[c\x1b[6n\x1b]11;?\x07\x1b]52;c;c2VjcmV0\x07\x1b]9;note\x07\x1b]2;title\x07\x1b[?u\x1bP$qm\x1b\\shown");
        int happened = 0;
        std::string title;
        Callbacks callbacks;
        callbacks.reply = [&](std::string_view) { ++happened; };
        callbacks.bell = [&] { ++happened; };
        callbacks.notification = [&](const std::string&, const std::string&) { ++happened; };
        callbacks.clipboardWrite = callbacks.directory = [&](const std::string&) { ++happened; };
        callbacks.title = [&](const std::string& text) { title = text; };
        Terminal second(4, 10, std::move(callbacks));
        second.feed(redraw(first, {100, "kept title", false}));
        QCOMPARE(happened, 0);
        QCOMPARE(title, std::string("kept title"));
        QCOMPARE(firstOf(second, second.scrollbackRows()), U's');
    }

    void whatHasNotEndedIsCounted()
    {
        const std::string output = "a\x1b[31mb\xe6\x97\xa5\x1b]2;title\x07\x1bP$qm\x1b\\c";
        for (std::size_t cut = 0; cut <= output.size(); ++cut) {
            Terminal whole(2, 10, {});
            whole.feed(output);
            Terminal first(2, 10, {});
            first.feed(output.substr(0, cut));
            Terminal second(2, 10, {});
            second.feed(redraw(first, {}));
            second.feed(output.substr(cut - first.unfinishedBytes()));
            QCOMPARE(look(second), look(whole));
        }
    }

    void theScrollbackIsLimited()
    {
        Terminal small(2, 10, {}, {3, 1000});
        Terminal narrow(2, 10, {}, {100'000'000, 1}); // as little as there may be
        for (int i = 0; i < 100; ++i) {
            small.feed(std::to_string(i) + "\r\n");
            narrow.feed(std::to_string(i) + "\r\n");
        }
        QCOMPARE(small.scrollbackRows(), 3u);
        for (int i = 0; i < 1000; ++i) {
            narrow.feed(std::string(2000, 'x') + "\r\n");
        }
        QVERIFY2(narrow.screen().scrollback().bytes() < 400 * 1024, std::to_string(narrow.screen().scrollback().bytes()).c_str());
        QVERIFY(narrow.scrollbackRows() > 10'000); // 200 rows each: most of the limit is used
        Terminal second(2, 10, {});
        second.feed(redraw(small, {2, "", false}));
        QCOMPARE(second.scrollbackRows(), 2u);
    }
};

QTEST_GUILESS_MAIN(TestTerminalRedraw)
#include "test_terminal_redraw.moc"
