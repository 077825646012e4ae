// SPDX-License-Identifier: Apache-2.0
#include "engine/sandbox_state.h"
#include "engine/workspace_rules.h"

#include <QtTest>
#include <fstream>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::engine;
namespace fs = std::filesystem;

class TestEngineRules : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase()
    {
        QVERIFY(m_folder.isValid());
        m_root = fs::canonical(m_folder.path().toStdString());
        for (const char* name : {"home/project", "home/project/inner", "home/.ssh/x", "home/with space", "home/quote'\"", "home/new\nline",
                                 "home/bytes\xff\xfe"}) {
            fs::create_directories(m_root / name);
        }
        std::ofstream(m_root / "home/file") << "x";
        fs::create_directory_symlink(m_root / "home/project", m_root / "home/link");
        fs::create_directory_symlink("/etc", m_root / "home/etc-link");
        qputenv("XDG_DATA_HOME", QByteArray::fromStdString((m_root / "home/data").string()));
        fs::create_directories(m_root / "home/data/coldframe/x");
    }

    void refused_data()
    {
        QTest::addColumn<QByteArray>("path");
        QTest::addColumn<QByteArray>("says");
        const auto row = [](const char* name, const std::string& path, const char* says) {
            QTest::newRow(name) << QByteArray::fromStdString(path) << QByteArray(says);
        };
        row("relative", "project", "full path");
        row("missing", m_root / "home/absent", "cannot be opened");
        row("a file", m_root / "home/file", "not a folder");
        row("root", "/", "as a whole");
        row("/tmp as a whole", "/tmp", "as a whole");
        row("/etc", "/etc", "belongs to the system");
        row("below /usr", "/usr/share", "belongs to the system");
        row("/proc", "/proc/self", "belongs to the system");
        row("home", m_root / "home", "Your home folder");
        row("keys", m_root / "home/.ssh/x", "holds credentials");
        row("a link to a system folder", m_root / "home/etc-link", "belongs to the system");
        row("our own data", m_root / "home/data/coldframe/x", "Coldframe's own data");
        row("above our own data", m_root / "home/data", "Coldframe's own data");
    }

    void refused()
    {
        QFETCH(QByteArray, path);
        QFETCH(QByteArray, says);
        const auto result = checkWorkspaces({{path.toStdString(), false}}, m_root / "home");
        QVERIFY(!result);
        QVERIFY2(QByteArray::fromStdString(result.error().message).contains(says), result.error().message.c_str());
        // The control: an ordinary project beside it is taken.
        QVERIFY(checkWorkspaces({{m_root / "home/project", false}}, m_root / "home").has_value());
    }

    void oddNamesWork()
    {
        for (const char* name : {"home/with space", "home/quote'\"", "home/new\nline", "home/bytes\xff\xfe"}) {
            const auto result = checkWorkspaces({{m_root / name, false}}, m_root / "home");
            QVERIFY2(result.has_value(), name);
            QCOMPARE(result->at(0).path, m_root / name);
        }
    }

    void linksAreResolvedAndDuplicatesSeen()
    {
        const auto linked = checkWorkspaces({{m_root / "home/link", true}}, m_root / "home");
        QVERIFY(linked.has_value());
        QCOMPARE(linked->at(0).path, m_root / "home/project");
        const auto twice = checkWorkspaces({{m_root / "home/link", false}, {m_root / "home/project", false}}, m_root / "home");
        QVERIFY(!twice);
        QVERIFY(twice.error().message.find("twice") != std::string::npos);
    }

    void nestedRootsAreRefused()
    {
        const auto nested = checkWorkspaces({{m_root / "home/project/inner", false}, {m_root / "home/project", false}}, m_root / "home");
        QVERIFY(!nested);
        QVERIFY(nested.error().message.find("in one another") != std::string::npos);
        // Names that only begin alike are not nested.
        fs::create_directories(m_root / "home/project2");
        QVERIFY(checkWorkspaces({{m_root / "home/project2", false}, {m_root / "home/project", false}}, m_root / "home").has_value());
    }

    void statesFollowTheTable_data()
    {
        using S = SandboxState;
        using E = SandboxEvent;
        QTest::addColumn<int>("from");
        QTest::addColumn<int>("event");
        QTest::addColumn<int>("to"); // -1: refused
        const auto row = [](const char* name, S from, E event, int to) {
            QTest::newRow(name) << static_cast<int>(from) << static_cast<int>(event) << to;
        };
        const auto to = [](S state) { return static_cast<int>(state); };
        row("start", S::Stopped, E::StartAsked, to(S::Preparing));
        row("start after a failure", S::Failed, E::StartAsked, to(S::Preparing));
        row("start twice", S::Running, E::StartAsked, -1);
        row("prepared", S::Preparing, E::Prepared, to(S::Starting));
        row("ready", S::Starting, E::Ready, to(S::Running));
        row("ready too early", S::Preparing, E::Ready, -1);
        row("stop", S::Running, E::StopAsked, to(S::Stopping));
        row("stop when stopped", S::Stopped, E::StopAsked, -1);
        row("gone while running", S::Running, E::VmGone, to(S::Stopped));
        row("gone while stopping", S::Stopping, E::VmGone, to(S::Stopped));
        row("gone while starting", S::Starting, E::VmGone, to(S::Failed));
        row("gone when stopped", S::Stopped, E::VmGone, -1);
        row("reset running", S::Running, E::ResetAsked, to(S::Resetting));
        row("reset while stopping", S::Stopping, E::ResetAsked, -1);
        row("reset goes on", S::Resetting, E::DiskRemoved, to(S::Stopped));
        row("remove", S::Failed, E::RemoveAsked, to(S::Removing));
        row("remove while starting", S::Starting, E::RemoveAsked, -1);
        row("forgotten", S::Removing, E::Forgotten, to(S::Absent));
        row("a step failed", S::Preparing, E::StepFailed, to(S::Failed));
        row("nothing failed at rest", S::Stopped, E::StepFailed, -1);
        row("adopted", S::Stopped, E::Adopted, to(S::Starting));
    }

    void statesFollowTheTable()
    {
        QFETCH(int, from);
        QFETCH(int, event);
        QFETCH(int, to);
        const auto next = nextState(static_cast<SandboxState>(from), static_cast<SandboxEvent>(event));
        QCOMPARE(next ? static_cast<int>(*next) : -1, to);
    }

    void everyStateHasAName()
    {
        for (int state = 0; state <= static_cast<int>(SandboxState::Failed); ++state) {
            const auto name = stateName(static_cast<SandboxState>(state));
            QCOMPARE(static_cast<int>(*stateFromName(name)), state);
        }
        QVERIFY(!stateFromName("asleep"));
    }

private:
    QTemporaryDir m_folder;
    fs::path m_root;
};

QTEST_APPLESS_MAIN(TestEngineRules)
#include "test_engine_rules.moc"
