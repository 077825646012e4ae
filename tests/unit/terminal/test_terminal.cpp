// SPDX-License-Identifier: Apache-2.0
#include "terminal/key_encoder.h"
#include "terminal/terminal.h"
#include "terminal/text_safety.h"

#include <QtTest>

using namespace coldframe::terminal;

namespace {

std::string text(const Row& row)
{
    std::string line;
    for (int column = 0; column < row.columns(); ++column) {
        if (row.text(column).empty() && row.width(column) != 0) {
            line += ' ';
        }
        for (const char32_t c : row.text(column)) {
            line += encodeUtf8(c);
        }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

/// The screen as text, rows joined by '|', right-trimmed.
std::string text(const Terminal& terminal)
{
    std::string all;
    Row shown;
    for (int row = 0; row < terminal.rows(); ++row) {
        terminal.readScreenRow(row, shown);
        all += (row ? "|" : "") + text(shown);
    }
    return all;
}

struct Fixture
{
    std::string replies;
    std::string title;
    std::string clipboard;
    std::string notified;
    int bells = 0;
    Terminal terminal;

    explicit Fixture(int rows = 3, int columns = 10)
        : terminal(rows, columns,
                   Callbacks{[this](std::string_view b) { replies += b; }, [this](const std::string& t) { title = t; },
                             [this] { ++bells; }, [this](const std::string&, const std::string& t) { notified = t; },
                             [this](const std::string& t) { clipboard = t; }, {}, {}, {}})
    {
    }
};

} // namespace

class TestTerminal : public QObject
{
    Q_OBJECT

private slots:
    void screenAfterInput_data()
    {
        QTest::addColumn<QByteArray>("input");
        QTest::addColumn<QByteArray>("expected");
        const auto row = [](const char* name, const char* input, const char* expected) {
            QTest::newRow(name) << QByteArray(input) << QByteArray(expected);
        };
        row("text and newline", "ab\r\ncd", "ab|cd|");
        row("wraps at the edge", "0123456789x", "0123456789|x|");
        row("wrap is pending, not done, at the last column", "0123456789\rA", "A123456789||");
        row("no wrap with DECAWM off", "\x1b[?7l0123456789xyz", "012345678z||");
        row("scrolls", "1\r\n2\r\n3\r\n4", "2|3|4");
        row("cursor address and erase to the end", "abcdef\x1b[1;3H\x1b[K", "ab||");
        row("erase display", "a\r\nb\r\nc\x1b[2J", "||");
        row("insert and delete characters", "abcdef\x1b[1;2H\x1b[2@\x1b[1;6H\x1b[P", "a  bcef||");
        row("insert and delete lines", "1\r\n2\r\n3\x1b[1;1H\x1b[L", "|1|2");
        row("scroll region", "\x1b[2;3r\x1b[1;1Htop\x1b[2;1Ha\r\nb\r\nc", "top|b|c");
        row("reverse index at the top", "1\r\n2\x1b[1;1H\x1bM", "|1|2");
        row("tabs", "a\tb", "a       b||");
        row("backspace", "ab\bc", "ac||");
        row("repeat", "x\x1b[3b", "xxxx||");
        row("repeat before anything was printed is nothing", "\x1b[999999999b.", ".||");
        row("utf-8", "\xC3\xA9\xE2\x82\xAC", "\xC3\xA9\xE2\x82\xAC||");
        row("utf-8 split by an escape is replaced", "\xE2\x82\x1b[1mx", "\xEF\xBF\xBDx||");
        row("overlong utf-8 is replaced", "\xC0\xAFx", "\xEF\xBF\xBD\xEF\xBF\xBDx||");
        row("combining mark", "e\xCC\x81x", "e\xCC\x81x||");
        row("wide characters", "\xE4\xB8\xAD\xE6\x96\x87!", "\xE4\xB8\xAD\xE6\x96\x87!||");
        row("a wide character that does not fit goes to the next line", "012345678\xE4\xB8\xAD", "012345678|\xE4\xB8\xAD|");
        row("overwriting half of a wide character blanks it", "\xE4\xB8\xAD\x1b[1;2Hx", " x||");
        row("line drawing", "\x1b(0qx\x1b(Bq", "\xE2\x94\x80\xE2\x94\x82q||");
        row("alternate screen keeps the primary", "main\x1b[?1049h\x1b[Halt\x1b[?1049l", "main||");
        row("alternate screen shows", "main\x1b[?1049h\x1b[Halt", "alt||");
        row("strings are not shown", "\x1b]0;title\x07" "a\x1bPqdata\x1b\\b\x1b_apc\x1b\\c", "abc||");
        row("cancel ends a sequence", "\x1b[12\x18m", "m||");
        row("a colon where none belongs is tolerated", "\x1b[38:2::1:2:3mx", "x||");
        row("save and restore", "ab\x1b" "7\x1b[3;1Hz\x1b" "8c", "abc||z");
        row("origin mode", "\x1b[2;3r\x1b[?6h\x1b[1;1Hx", "|x|");
    }

    void screenAfterInput()
    {
        QFETCH(QByteArray, input);
        QFETCH(QByteArray, expected);
        Fixture whole;
        whole.terminal.feed(std::string_view(input.data(), static_cast<std::size_t>(input.size())));
        QCOMPARE(QByteArray::fromStdString(text(whole.terminal)), expected);
        // The same, a byte at a time: chunk borders never matter.
        Fixture bytes;
        for (const char c : input) {
            bytes.terminal.feed(std::string_view(&c, 1));
        }
        QCOMPARE(QByteArray::fromStdString(text(bytes.terminal)), expected);
    }

    void coloursAndAttributes()
    {
        Fixture f;
        f.terminal.feed("\x1b[1;4:3;38;2;10;20;30;48;5;200mx\x1b[0my\x1b[7;91mz");
        Row row;
        f.terminal.readScreenRow(0, row);
        QVERIFY(row.style(0).bold);
        QCOMPARE(row.style(0).underline, Underline::Curly);
        QCOMPARE(row.style(0).foreground, Color::rgb(10, 20, 30));
        QCOMPARE(row.style(0).background, Color::palette(200));
        QCOMPARE(row.style(1), Style{});
        QVERIFY(row.style(2).inverse);
        QCOMPARE(row.style(2).foreground, Color::palette(9));
    }

    void answersQueries()
    {
        Fixture f;
        f.terminal.feed("ab\x1b[6n\x1b[5n\x1b[c\x1b[?2026$p\x1b[?2026h\x1b[?2026$p\x1b[?9999$p");
        QCOMPARE(QByteArray::fromStdString(f.replies),
                 QByteArray("\x1b[1;3R\x1b[0n\x1b[?64;6;21;22;28c\x1b[?2026;2$y\x1b[?2026;1$y\x1b[?9999;0$y"));
    }

    void neverEchoesWhatTheProgramChose()
    {
        // Title report, DECRQSS with a payload, clipboard read: the classic ways to make a terminal type for you.
        Fixture f;
        f.terminal.feed("\x1b]2;evil\x07\x1b[21t\x1bP$qevil\x1b\\\x1bP+q6576696c\x1b\\\x1b]52;c;?\x07");
        QCOMPARE(f.title, std::string("evil")); // the control: the title did arrive
        QVERIFY(f.replies.find("evil") == std::string::npos);
        QVERIFY(f.replies.find("6576") == std::string::npos);
        QVERIFY(f.replies.find("52;") == std::string::npos);
        QVERIFY(f.clipboard.empty());
    }

    void titlesAreCleaned()
    {
        Fixture f;
        f.terminal.feed("\x1b]0;a\xE2\x80\xAE" "b\xC2\x9B" "c\x07");
        QCOMPARE(f.title, std::string("ab\\xc2\\x9bc"));
    }

    void clipboardWriteIsDecodedAndBounded()
    {
        Fixture f;
        f.terminal.feed("\x1b]52;c;aGVsbG8=\x07");
        QCOMPARE(f.clipboard, std::string("hello"));
        f.terminal.feed("\x1b]52;c;" + std::string(100 * 1024, 'A') + "\x07");
        QCOMPARE(f.clipboard, std::string("hello"));
    }

    void progressIsNotANotification()
    {
        Fixture f;
        f.terminal.feed("\x1b]9;4;1;50\x07");
        QVERIFY(f.notified.empty());
        f.terminal.feed("\x1b]9;done\x07\a");
        QCOMPARE(f.notified, std::string("done"));
        QCOMPARE(f.bells, 1);
    }

    void scrollbackIsKeptAndBounded()
    {
        Fixture f(2, 10);
        f.terminal.feed("one\r\ntwo\r\nthree");
        QCOMPARE(f.terminal.scrollbackRows(), std::size_t(1));
        Row row;
        f.terminal.readRow(0, row);
        QCOMPARE(text(row), std::string("one"));
        std::string flood;
        for (int i = 0; i < 130000; ++i) {
            flood += "x\r\n";
        }
        f.terminal.feed(flood);
        QVERIFY(f.terminal.scrollbackRows() <= ScrollbackLimits().rows);
        QVERIFY(f.terminal.droppedRows() > 0);
    }

    void resizeStormKeepsEverythingInside()
    {
        // The shapes that broke libvterm: region near the bottom, saved cursor at the corner, then a smaller grid.
        Fixture f(24, 80);
        f.terminal.feed("\x1b[20;24r\x1b[24;80H\x1b" "7\x1b[?1049h\x1b[24;80H\x1b" "7");
        const int sizes[][2] = {{1, 2}, {5, 5}, {1000, 1000}, {2, 1000}, {1000, 2}, {24, 80}, {-3, 0}, {999999, 999999}};
        for (const auto& size : sizes) {
            f.terminal.resize(size[0], size[1]);
            f.terminal.feed("\x1b" "8x\xE4\xB8\xAD\r\n\n\n\x1b[999;999Hy\x1b[999S\x1b[999T\x1b[999@\x1b[999P\x1b[?1049l\x1b" "8z\n\x1b[?1049h");
            QVERIFY(f.terminal.screen().cursor().row < f.terminal.screen().rows());
            QVERIFY(f.terminal.screen().cursor().column < f.terminal.screen().columns());
            Row row;
            f.terminal.readScreenRow(0, row);
            QCOMPARE(row.columns(), f.terminal.columns());
        }
        QCOMPARE(f.terminal.screen().rows(), 1000);
    }

    void growingBringsLinesBack()
    {
        Fixture f(2, 10);
        f.terminal.feed("1\r\n2\r\n3");
        f.terminal.resize(3, 10);
        QCOMPARE(QByteArray::fromStdString(text(f.terminal)), QByteArray("1|2|3"));
    }
};

QTEST_APPLESS_MAIN(TestTerminal)
#include "test_terminal.moc"
