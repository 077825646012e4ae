// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "engine/image_references.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

using namespace coldframe;
using namespace coldframe::engine;
namespace fs = std::filesystem;

namespace {

std::string base(char digit) { return "base-" + std::string(64, digit); }
std::string agent(char digit) { return "agent-claude-2.1.329-" + std::string(64, digit); }

} // namespace

class TestEngineImages : public QObject
{
    Q_OBJECT

private:
    std::unique_ptr<QTemporaryDir> m_folder;
    fs::path m_data;

    void write(const fs::path& path, const std::string& content)
    {
        QVERIFY(makeFolders(path.parent_path(), 0700).has_value());
        QVERIFY(writeFileAtomic(path, content, 0600).has_value());
    }
    /// A real overlay: the header is QEMU's own.
    void makeOverlay(const fs::path& path, const fs::path& backing)
    {
        QVERIFY(makeFolders(path.parent_path(), 0700).has_value());
        const QStringList arguments{"create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", QString::fromStdString(backing),
                                    QString::fromStdString(path), "1M"};
        QCOMPARE(QProcess::execute("qemu-img", arguments), 0);
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_data = m_folder->path().toStdString();
    }

    void namesAreFoundInText()
    {
        QCOMPARE(imageNamesIn(R"({"imageId":")" + base('a') + R"(","agentLayer":"/home/u/images/)" + agent('b') + R"(/agent.qcow2"})"),
                 (std::set<std::string>{base('a'), agent('b')}));
        QCOMPARE(imageNamesIn(base('a')), std::set<std::string>{base('a')});
        QVERIFY(imageNamesIn("base-" + std::string(63, 'a')).empty());
        QVERIFY(imageNamesIn("base-" + std::string(64, 'x')).empty());
        QVERIFY(imageNamesIn("").empty());
    }

    void hazard_02_whatASandboxStandsOnIsReferenced()
    {
        write(m_data / "sandboxes/1/state.json", R"({"imageId":")" + base('a') + R"("})");
        makeOverlay(m_data / "sandboxes/1/disk.qcow2", m_data / "images" / base('b') / "base.qcow2");
        makeOverlay(m_data / "elsewhere/deep/other.qcow2", m_data / "images" / base('c') / "base.qcow2");
        write(m_data / "images/current.json", R"({"base":")" + base('d') + R"("})");
        write(m_data / "images/.verified.json", R"({"file":")" + base('d') + R"("})");
        write(m_data / "images" / base('d') / "manifest.json", R"({"name":")" + base('d') + R"("})");
        makeOverlay(m_data / "images/template-1/disk.qcow2", m_data / "images" / base('f') / "base.qcow2");
        write(m_data / "sandboxes/1/sync/x.json", R"({"base":")" + base('e') + R"("})");
        write(m_data / "sandboxes/1/trash/y.qcow2", "the user's own");
        const auto names = referencedImages(m_data);
        QVERIFY2(names.has_value(), names ? "" : names.error().message.c_str());
        QCOMPARE(*names, (std::set<std::string>{base('a'), base('b'), base('c'), base('f')}));
    }

    void hazard_02_aDiskThatCannotBeReadMakesItUnknown()
    {
        write(m_data / "sandboxes/1/disk.qcow2", "not a disk");
        QVERIFY(!referencedImages(m_data).has_value());
    }

    void nothingThereIsNothingUsed()
    {
        const auto names = referencedImages(m_data / "none");
        QVERIFY(names.has_value());
        QVERIFY(names->empty());
    }
};

QTEST_GUILESS_MAIN(TestEngineImages)
#include "test_engine_images.moc"
