// SPDX-License-Identifier: Apache-2.0
// The conformance suite: conformance/*.cases, each case a transcript with the standard that it follows.
#include "case_file.h"

#include <QtTest>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

using namespace coldframe::terminal_tools;

namespace {

constexpr std::size_t kFewest = 500;

/// Words that a source is known by; a case that names none of them rests on nothing.
constexpr const char* kSources[] = {"ECMA-48", "DEC STD 070", "VT100 UG", "VT220 RM", "VT420 RM", "VT510 RM", "VT525 RM", "xterm ctlseqs", "kitty keyboard protocol", "UAX #11",
    "UAX #29", "UTS #51", "OSC 8 spec", "Unicode", "FinalTerm", "ConEmu", "iTerm2", "kitty desktop notifications", "rxvt-unicode", "terminal-wg", "contour", "XDG", "file URI", "ISO 2022",
    "XFree86 ctlseqs", "VT500 parser", "kitty underlines", "HAZARDS", "VTE"};

std::string titled(const Case& single) { return single.subject + ": " + single.name; }

const std::vector<Case>& everyCase()
{
    static const std::vector<Case> kCases = [] {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(CASES)) {
            if (entry.path().extension() == ".cases") {
                files.push_back(entry.path());
            }
        }
        std::sort(files.begin(), files.end());
        std::vector<Case> cases;
        for (const auto& file : files) {
            const auto more = loadCases(file.string());
            cases.insert(cases.end(), more.begin(), more.end());
        }
        return cases;
    }();
    return kCases;
}

/// Cases that the engine is known to fail: conformance/known_failures, a title a line.
std::set<std::string> knownFailures()
{
    std::set<std::string> known;
    std::ifstream file(std::string(CASES) + "/known_failures");
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line[0] != '#') {
            known.insert(line);
        }
    }
    return known;
}

/// Fed whole and in small pieces: where a read ends never matters.
std::string wrongWith(const Case& single)
{
    std::string wrong = failure(single, 0);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}}) {
        if (wrong.empty()) {
            wrong = failure(single, piece);
        }
    }
    return wrong;
}

bool checksSomething(const Case& single)
{
    return std::any_of(single.lines.begin(), single.lines.end(), [](const Case::Line& line) { return line.word != "in" && line.word != "resize"; });
}

} // namespace

class TestTerminalConformance : public QObject
{
    Q_OBJECT

private slots:
    void everyCaseHasANameOfItsOwnAndASource()
    {
        std::set<std::string> titles;
        std::set<std::string> transcripts;
        for (const Case& single : everyCase()) {
            QVERIFY2(titles.insert(titled(single)).second, ("twice: " + titled(single)).c_str());
            QVERIFY2(std::any_of(std::begin(kSources), std::end(kSources), [&](const char* source) { return single.source.find(source) != std::string::npos; }),
                     ("no known source: " + titled(single) + ": " + single.source).c_str());
            QVERIFY2(checksSomething(single), ("checks nothing: " + titled(single)).c_str());
            std::string transcript = std::to_string(single.rows) + "x" + std::to_string(single.columns);
            for (const Case::Line& line : single.lines) {
                transcript += "\n" + line.word + " " + line.rest;
            }
            QVERIFY2(transcripts.insert(transcript).second, ("the same as another: " + titled(single)).c_str());
        }
        QVERIFY2(titles.size() >= kFewest, ("only " + std::to_string(titles.size())).c_str());
        for (const std::string& known : knownFailures()) {
            QVERIFY2(titles.contains(known), ("known_failures names no case: " + known).c_str());
        }
    }

    void conforms_data()
    {
        QTest::addColumn<int>("index");
        for (std::size_t i = 0; i < everyCase().size(); ++i) {
            QTest::newRow(titled(everyCase()[i]).c_str()) << static_cast<int>(i);
        }
    }

    void conforms()
    {
        QFETCH(int, index);
        static const std::set<std::string> kKnown = knownFailures();
        const Case& single = everyCase()[static_cast<std::size_t>(index)];
        const std::string wrong = wrongWith(single);
        if (kKnown.contains(titled(single))) {
            QVERIFY2(!wrong.empty(), "passes now: take it out of known_failures");
        } else {
            QVERIFY2(wrong.empty(), (wrong + " [" + single.source + "]").c_str());
        }
    }

    /// COLDFRAME_KNOWN_FAILURES_OUT=FILE: writes the list anew, for who changes the engine.
    void writesTheListWhenAsked()
    {
        const QByteArray path = qgetenv("COLDFRAME_KNOWN_FAILURES_OUT");
        if (path.isEmpty()) {
            return;
        }
        std::ofstream list(path.toStdString());
        for (const Case& single : everyCase()) {
            if (!wrongWith(single).empty()) {
                list << titled(single) << '\n';
            }
        }
        QVERIFY(list.good());
    }

    void theRunnerSeesWhatIsWrong()
    {
        Case single;
        single.subject = "control";
        single.lines = {{1, "in", "ab\\ec"}, {2, "in", "x\\e[31my"}, {3, "rows", "xy"}, {4, "attr", "1,2 fg=1"}, {5, "at", "1,3"}};
        QCOMPARE(failure(single, 1), std::string());
        const std::pair<const char*, const char*> wrong[] = {{"rows", "xz"}, {"attr", "1,1-2 fg=1"}, {"at", "1,2"}, {"reply", "\\e[0n"}, {"title", "x"}, {"none", ""}, {"width", "1,1 2"}};
        for (const auto& [word, rest] : wrong) {
            Case bad = single;
            bad.lines.push_back({6, word, rest});
            QVERIFY2(!failure(bad, 0).empty(), word);
        }
    }
};

QTEST_APPLESS_MAIN(TestTerminalConformance)
#include "test_terminal_conformance.moc"
