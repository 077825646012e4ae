// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/image_archive.h"
#include "image/own_images.h"
#include "image/recipe.h"
#include "image/tar_stream.h"

#include <QTemporaryDir>
#include <QTest>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::image;

namespace {

const std::string kBase = "base-" + std::string(64, 'b');
constexpr std::uint64_t kDiskBytes = 64ull << 20;

} // namespace

class TestOwnImages : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_place;
    std::filesystem::path m_folder;

    OwnImage make(OwnImageStore& store, const std::string& content, const std::string& key = "k")
    {
        auto making = store.begin();
        [&] { QVERIFY(making.has_value()); }();
        [&] { QVERIFY(writeFileAtomic((*making)->disk(), content).has_value()); }();
        ImageFacts facts;
        facts.parent = kBase;
        facts.key = key;
        facts.json["packages"] = {{"jq", "1.7"}};
        auto made = store.publish(**making, facts);
        [&] { QVERIFY2(made.has_value(), made ? "" : made.error().detail.c_str()); }();
        return made.value_or(OwnImage{});
    }

    std::filesystem::path rawDisk()
    {
        const auto path = m_folder / "disk.raw";
        const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
        [&] { QVERIFY(::ftruncate(file.get(), static_cast<off_t>(kDiskBytes)) == 0); }();
        const std::string some(3000000, 'x');
        [&] { QVERIFY(::pwrite(file.get(), some.data(), some.size(), 5000000) == static_cast<ssize_t>(some.size())); }();
        [&] { QVERIFY(::pwrite(file.get(), "end", 3, static_cast<off_t>(kDiskBytes) - 3) == 3); }();
        return path;
    }

    std::filesystem::path exported()
    {
        ArchiveHeader header;
        header.name = "tools";
        header.diskBytes = kDiskBytes;
        header.kernelRelease = "6.12";
        header.packages = {{"jq", "1.7"}};
        const auto file = m_folder / "tools.image";
        const auto written = writeArchive(rawDisk(), header, file, {});
        [&] { QVERIFY2(written.has_value(), written ? "" : written.error().message.c_str()); }();
        return file;
    }

private slots:
    void init()
    {
        m_place = std::make_unique<QTemporaryDir>();
        m_folder = m_place->path().toStdString();
    }

    void recipesAreUnderstood()
    {
        const auto recipe = parseRecipe(R"({ // a comment
            "name": "tools", "packages": ["jq", "g++=4:14"], "npm": ["@scope/name@^2"], "pip": ["black==24.1"],
            "files": [{"from": "a/b", "to": "/etc/x/", "mode": "0755", "owner": "agent"}],
            "environment": {"A": "b c"}, "network": {"allow": ["*.example.com:443"]},
            "run": ["echo\nx", {"command": "id", "as": "agent", "folder": "/tmp"}]})");
        QVERIFY2(recipe.has_value(), recipe ? "" : recipe.error().message.c_str());
        QCOMPARE(recipe->packages.size(), std::size_t{2});
        QCOMPARE(recipe->files[0].to, std::string("/etc/x"));
        QCOMPARE(recipe->files[0].mode, 0755);
        QVERIFY(recipe->files[0].ownedByAgent && recipe->run[1].asAgent && !recipe->run[0].asAgent);
        QCOMPARE(recipe->allow, std::vector<std::string>{"*.example.com:443"});
    }

    void badRecipesAreRefused_data()
    {
        QTest::addColumn<QByteArray>("text");
        for (const char* text :
             {"", "[]", "7", "{\"packages\": \"jq\"}", "{\"packages\": [\"--force\"]}", "{\"packages\": [\"a b\"]}", "{\"packages\": [1]}",
              "{\"unknown\": 1}", "{\"version\": 2}", "{\"files\": [{\"from\": \"/etc/passwd\", \"to\": \"/x\"}]}",
              "{\"files\": [{\"from\": \"a/../../x\", \"to\": \"/x\"}]}", "{\"files\": [{\"from\": \"a\", \"to\": \"x\"}]}",
              "{\"files\": [{\"from\": \"a\", \"to\": \"/\"}]}", "{\"files\": [{\"from\": \"a\", \"to\": \"/x/../y\"}]}",
              "{\"files\": [{\"from\": \"a\", \"to\": \"/x\", \"mode\": 493}]}", "{\"files\": [{\"from\": \"a\", \"to\": \"/x\", \"mode\": \"888\"}]}",
              "{\"files\": [{\"from\": \"a\", \"to\": \"/x\", \"owner\": \"me\"}]}", "{\"files\": {}}", "{\"run\": [\"\"]}", "{\"run\": [{\"as\": \"agent\"}]}",
              "{\"run\": [{\"command\": \"x\", \"folder\": \"tmp\"}]}", "{\"environment\": {\"A\": \"x\\ny\"}}", "{\"environment\": {\"1A\": \"x\"}}",
              "{\"environment\": {\"A=B\": \"x\"}}", "{\"network\": []}", "{\"network\": {\"deny\": []}}", "{\"name\": \"\"}", "{\"run\": [\"a\\u0000b\"]}"}) {
            QTest::newRow(text) << QByteArray(text);
        }
    }

    void badRecipesAreRefused()
    {
        QFETCH(QByteArray, text);
        const auto recipe = parseRecipe(text.toStdString());
        QVERIFY(!recipe);
        QCOMPARE(recipe.error().code, ErrorCode::InvalidArgument);
        QVERIFY(recipe.error().message.starts_with("The recipe cannot be used: "));
    }

    void theFilesOfARecipeStayInItsFolder()
    {
        const auto folder = m_folder / "recipe";
        std::filesystem::create_directories(folder / "in");
        QVERIFY(writeFileAtomic(folder / "in/file", "content", 0640).has_value());
        std::filesystem::create_symlink("/etc/passwd", folder / "in/link");
        std::filesystem::create_directory_symlink("/etc", folder / "out");
        const auto gather = [&](const std::string& from) {
            return gatherFiles(folder, parseRecipe("{\"files\": [{\"from\": \"" + from + "\", \"to\": \"/opt/x\"}]}").value());
        };
        const auto found = gather("in");
        QVERIFY(found.has_value());
        QCOMPARE(found->files.size(), std::size_t{3});
        QCOMPARE(found->files[2].kind, 'l'); // as a link, not as what it leads to
        QCOMPARE(found->files[2].linkTarget, std::string("/etc/passwd"));
        QVERIFY(!gather("out/passwd"));
        QVERIFY(!gather("nothing"));
        ::mkfifo((folder / "pipe").c_str(), 0600);
        QCOMPARE(gather("pipe").error().code, ErrorCode::NotAllowed);
        const std::string before = found->digest;
        QVERIFY(writeFileAtomic(folder / "in/file", "Content", 0640).has_value());
        QVERIFY(gather("in")->digest != before);
    }

    void filesBecomeATarStream()
    {
        const auto folder = m_folder / "recipe";
        const std::string longName(120, 'n');
        std::filesystem::create_directories(folder / "in" / longName);
        const std::string content(700000, 'c');
        QVERIFY(writeFileAtomic(folder / "in" / longName / "file", content, 0640).has_value());
        const auto gathered = gatherFiles(folder, parseRecipe(R"({"files": [{"from": "in", "to": "/opt/x", "owner": "agent"}]})").value());
        QVERIFY(gathered.has_value());
        TarStream stream(folder, *gathered, 1234, 1235);
        std::string bytes;
        for (auto piece = stream.next(); piece && !piece->empty(); piece = stream.next()) {
            bytes += *piece;
        }
        QVERIFY(writeFileAtomic(m_folder / "x.tar", bytes).has_value());
        std::filesystem::create_directories(m_folder / "out");
        SystemProcessRunner runner;
        const auto listed = runner.run({.arguments = {"tar", "-tvf", (m_folder / "x.tar").string(), "--numeric-owner"}});
        QVERIFY(listed && listed->exitCode == 0);
        QVERIFY(listed->standardOutput.find("1234/1235") != std::string::npos);
        QVERIFY(runner.run({.arguments = {"tar", "-xf", (m_folder / "x.tar").string(), "--no-same-owner", "-C", (m_folder / "out").string()}})->exitCode == 0);
        QCOMPARE(readFile(m_folder / "out/opt/x" / longName / "file").value_or(""), content);
    }

    void imagesHaveNamesAndStayWhole()
    {
        OwnImageStore store(m_folder / "own");
        const OwnImage one = make(store, "one", "key-1");
        QVERIFY(store.setName("tools", one.id).has_value());
        QCOMPARE(store.idOf("tools").value_or(""), one.id);
        QCOMPARE(store.findByKey("key-1").value_or(OwnImage{}).id, one.id);
        QCOMPARE(make(store, "one").id, one.id); // the same content is the same image
        const OwnImage two = make(store, "two", "key-2");
        QVERIFY(store.setName("tools", two.id).has_value());
        QCOMPARE(store.list().size(), std::size_t{2});
        QCOMPARE(store.nameOf(one.id), one.id.substr(0, 16));
        QVERIFY(store.pinned(one.id).has_value()); // hazard 2: the older one is still what it was
        OwnImageStore next(m_folder / "own");
        QCOMPARE(next.idOf("tools").value_or(""), two.id);
        std::filesystem::permissions(two.disk, std::filesystem::perms::owner_all);
        QVERIFY(writeFileAtomic(two.disk, "twO").has_value());
        QCOMPARE(next.pinned(two.id).error().code, ErrorCode::Corrupt);
        QVERIFY(next.remove(one.id).has_value());
        QCOMPARE(next.pinned(one.id).error().code, ErrorCode::NotFound);
        for (const char* name : {"", "default", "../x", "-x", "a b"}) {
            QVERIFY(!checkImageName(name));
        }
    }

    void anInterruptedMakingLeavesNothing()
    {
        OwnImageStore store(m_folder / "own");
        QVERIFY(makeFolders(m_folder / "own/.making-0123", 0700).has_value());
        QVERIFY(writeFileAtomic(m_folder / "own/.making-0123/disk.qcow2", "half").has_value());
        store.clearLeftovers();
        QVERIFY(!std::filesystem::exists(m_folder / "own/.making-0123"));
        {
            auto making = store.begin();
            QVERIFY(making && std::filesystem::exists((*making)->folder()));
        }
        QVERIFY(std::filesystem::is_empty(m_folder / "own"));
    }

    void anImageSurvivesExportAndImport()
    {
        const auto file = exported();
        QVERIFY(isArchive(file));
        QVERIFY(std::filesystem::file_size(file) < 100000);
        const auto header = readArchive(file, m_folder / "back.raw", {});
        QVERIFY2(header.has_value(), header ? "" : header.error().detail.c_str());
        QCOMPARE(header->name, std::string("tools"));
        QCOMPARE(header->packages.at("jq"), std::string("1.7"));
        QVERIFY(readFile(m_folder / "back.raw", 1u << 30).value() == readFile(m_folder / "disk.raw", 1u << 30).value());
        ArchiveHeader again = *header;
        QCOMPARE(writeArchive(m_folder / "disk.raw", again, file, {}).error().code, ErrorCode::AlreadyExists);
    }

    void hazard_14_anAlteredExportIsRefused()
    {
        const std::string whole = readFile(exported(), 1u << 30).value();
        const auto refusedAs = [&](const std::string& bytes) {
            (void)writeFileAtomic(m_folder / "bad.image", bytes);
            std::filesystem::remove(m_folder / "bad.raw");
            const auto read = readArchive(m_folder / "bad.image", m_folder / "bad.raw", {});
            return read ? std::string("accepted") : std::string(errorCodeName(read.error().code));
        };
        QCOMPARE(refusedAs(whole), std::string("accepted")); // the control
        for (const std::size_t cut : {std::size_t{0}, std::size_t{5}, std::size_t{20}, std::size_t{60}, whole.size() / 2, whole.size() - 1}) {
            QCOMPARE(refusedAs(whole.substr(0, cut)), std::string("corrupt"));
        }
        QCOMPARE(refusedAs(whole + "x"), std::string("corrupt"));
        QCOMPARE(refusedAs(whole + whole), std::string("corrupt"));
        for (std::size_t at = 0; at < whole.size(); at += whole.size() / 97 + 1) {
            std::string altered = whole;
            altered[at] = static_cast<char>(altered[at] ^ 0x41);
            QVERIFY2(refusedAs(altered) == "corrupt", std::to_string(at).c_str());
        }
        QCOMPARE(refusedAs("QFI\xfb and so on, a disk of QEMU's that names a file of the host"), std::string("corrupt"));
    }

    void recordsAreChecked()
    {
        const auto record = [](std::uint64_t offset, std::uint32_t length, const std::string& bytes) {
            std::string text;
            for (int shift = 56; shift >= 0; shift -= 8) {
                text += static_cast<char>(offset >> shift & 0xff);
            }
            for (int shift = 24; shift >= 0; shift -= 8) {
                text += static_cast<char>(length >> shift & 0xff);
            }
            return text + bytes;
        };
        const auto accepts = [](const std::string& bytes) {
            ArchiveRecords records("header", 4096, [](std::uint64_t, std::string_view) { return Result<void>(); });
            return records.feed(bytes).has_value();
        };
        QVERIFY(accepts(record(0, 4, "abcd") + record(4, 4, "abcd")));
        QVERIFY(!accepts(record(0, 4, "abcd") + record(3, 4, "abcd"))); // over what was written
        QVERIFY(!accepts(record(4093, 4, "abcd")));                     // beyond the end
        QVERIFY(!accepts(record(~std::uint64_t{0} - 1, 4, "abcd")));
        QVERIFY(!accepts(record(0, 0, "")));
        QVERIFY(!accepts(record(0, 0xffffffff, "")));
        QVERIFY(!accepts(record(~std::uint64_t{0}, 64, std::string(64, '0')))); // not the digest
    }
};

QTEST_GUILESS_MAIN(TestOwnImages)
#include "test_own_images.moc"
