// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/image_store.h"

#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::image;

namespace {

/// Stands for guest/image/build: does what the test tells it, and remembers how it was called.
class FakeBuilder : public ProcessRunner
{
public:
    Result<ProcessResult> run(const ProcessSpec& spec) override
    {
        calls.push_back(spec.arguments);
        return action(spec);
    }
    std::function<Result<ProcessResult>(const ProcessSpec&)> action;
    std::vector<std::vector<std::string>> calls;
};

void write(const std::filesystem::path& path, const std::string& content)
{
    QVERIFY(makeFolders(path.parent_path(), 0755).has_value());
    QVERIFY(writeFileAtomic(path, content, 0644).has_value());
}

std::string baseName(char digit) { return "base-" + std::string(64, digit); }

void writeFolder(const std::filesystem::path& folder, const std::string& kind, const std::vector<std::string>& parts,
                 nlohmann::json extra)
{
    nlohmann::json manifest = std::move(extra);
    manifest["schema"] = 1;
    manifest["kind"] = kind;
    manifest["name"] = folder.filename().string();
    for (const std::string& part : parts) {
        write(folder / part, "content of " + part);
        const auto digest = sha256OfFile(folder / part);
        QVERIFY(digest.has_value());
        manifest["parts"][part] = {{"sha256", *digest}, {"size", std::filesystem::file_size(folder / part)}};
    }
    write(folder / "manifest.json", manifest.dump());
}

} // namespace

class TestImageStore : public QObject
{
    Q_OBJECT

private:
    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<FakeBuilder> m_builder;
    std::unique_ptr<ImageStore> m_store;
    std::filesystem::path m_images;

    void makeBase(char digit)
    {
        const auto guest = sha256OfFile(m_folder->filePath("guest").toStdString());
        writeFolder(m_images / baseName(digit), "base", {"vmlinuz", "initrd.img", "base.qcow2"},
                    {{"inputs", {{"guest", *guest}}}, {"kernelRelease", "6.12"}});
        write(m_images / "current.json", nlohmann::json{{"schema", 1}, {"base", baseName(digit)}}.dump());
    }
    Result<ProcessResult> buildBase(char digit)
    {
        makeBase(digit);
        return ProcessResult{};
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        const std::filesystem::path root = m_folder->path().toStdString();
        m_images = root / "images";
        write(root / "guest", "static program");
        m_builder = std::make_unique<FakeBuilder>();
        m_builder->action = [](const ProcessSpec&) -> Result<ProcessResult> {
            return fail(ErrorCode::Internal, "The build should not have been run.");
        };
        m_store = std::make_unique<ImageStore>(ImageStore::Places{m_images, root / "recipe", root / "guest"}, *m_builder);
    }

    void noImageIsNotFound()
    {
        const auto found = m_store->current();
        QVERIFY(!found.has_value());
        QVERIFY(found.error().code == ErrorCode::NotFound);
    }

    void aWholeImageIsUsedWithoutABuild()
    {
        makeBase('a');
        const auto found = m_store->ensure({});
        QVERIFY2(found.has_value(), found ? "" : found.error().message.c_str());
        QCOMPARE(found->id, baseName('a'));
        QCOMPARE(found->kernel, m_images / baseName('a') / "vmlinuz");
        QCOMPARE(found->manifest.kernelRelease, std::string("6.12"));
        QVERIFY(m_builder->calls.empty());
    }

    void aMissingPartIsNamedAndRebuilt()
    {
        makeBase('a');
        std::filesystem::remove(m_images / baseName('a') / "initrd.img");
        const auto found = m_store->current();
        QVERIFY(!found.has_value());
        QVERIFY(found.error().code == ErrorCode::NotFound);
        QVERIFY(found.error().message.find("initrd.img") != std::string::npos);
        m_builder->action = [this](const ProcessSpec&) { return buildBase('a'); };
        QVERIFY(m_store->ensure({}).has_value());
        QCOMPARE(m_builder->calls.size(), std::size_t{1});
    }

    void aDamagedPartOfTheSameSizeIsNamedAndRebuilt()
    {
        makeBase('a');
        QVERIFY(m_store->current().has_value()); // leaves a stamp that must not hide the damage
        write(m_images / baseName('a') / "base.qcow2", "CONTENT of base.qcow2");
        const auto found = m_store->current();
        QVERIFY(!found.has_value());
        QVERIFY(found.error().code == ErrorCode::Corrupt);
        QVERIFY(found.error().message.find("base.qcow2") != std::string::npos);
        m_builder->action = [this](const ProcessSpec&) { return buildBase('b'); };
        const auto rebuilt = m_store->ensure({});
        QVERIFY(rebuilt.has_value());
        QCOMPARE(rebuilt->id, baseName('b'));
        const auto& arguments = m_builder->calls.at(0);
        QVERIFY(std::find(arguments.begin(), arguments.end(), "--check") != arguments.end());
    }

    void theStampSavesReadingAgain()
    {
        makeBase('a');
        QVERIFY(m_store->current().has_value());
        const auto stamps = readFile(m_images / ".verified.json");
        QVERIFY(stamps.has_value());
        // A stamp that says another digest is believed for an untouched file: so the file was not read again.
        nlohmann::json changed = nlohmann::json::parse(*stamps);
        for (auto& entry : changed) {
            entry["sha256"] = std::string(64, '0');
        }
        write(m_images / ".verified.json", changed.dump());
        QVERIFY(!m_store->current().has_value());
        write(m_images / ".verified.json", "not JSON");
        QVERIFY(m_store->current().has_value());
    }

    void anotherGuestProgramIsBuiltIn()
    {
        makeBase('a');
        write(m_folder->filePath("guest").toStdString(), "another static program");
        m_builder->action = [this](const ProcessSpec&) { return buildBase('b'); };
        const auto found = m_store->ensure({});
        QVERIFY(found.has_value());
        QCOMPARE(found->id, baseName('b'));
        QVERIFY2(m_store->pinned(baseName('a')).has_value(), "the image that sandboxes stand on must stay");
    }

    void hazard_02_namesOutsideTheImagesAreRefused()
    {
        makeBase('a');
        for (const std::string& name : {std::string("../") + baseName('a'), std::string("base-../../etc"), std::string(),
                                        "base-" + std::string(64, 'G'), "base-x/" + std::string(64, 'a')}) {
            QVERIFY2(!m_store->pinned(name).has_value(), name.c_str());
            write(m_images / "current.json", nlohmann::json{{"schema", 1}, {"base", name}}.dump());
            QVERIFY2(!m_store->current().has_value(), name.c_str());
        }
        QVERIFY(m_store->pinned(baseName('a')).has_value());
    }

    void hazard_02_aManifestOfAnotherFolderIsRefused()
    {
        makeBase('a');
        std::filesystem::copy(m_images / baseName('a'), m_images / baseName('b'));
        const auto found = m_store->pinned(baseName('b'));
        QVERIFY(!found.has_value());
        QVERIFY(found.error().code == ErrorCode::Corrupt);
    }

    void badManifests_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("empty") << QByteArray();
        QTest::newRow("array") << QByteArray("[]");
        QTest::newRow("schema") << QByteArray("{\"schema\":2,\"kind\":\"base\",\"name\":\"x\",\"parts\":{}}");
        QTest::newRow("no parts") << QByteArray("{\"schema\":1,\"kind\":\"base\",\"name\":\"x\"}");
        QTest::newRow("path") << QByteArray("{\"schema\":1,\"kind\":\"base\",\"name\":\"x\",\"parts\":{\"../x\":{\"sha256\":\"") +
                                     QByteArray(64, 'a') + "\",\"size\":1}}}";
        QTest::newRow("digest") << QByteArray("{\"schema\":1,\"kind\":\"base\",\"name\":\"x\",\"parts\":{\"x\":{\"sha256\":\"a\",\"size\":1}}}");
        QTest::newRow("types") << QByteArray("{\"schema\":1,\"kind\":[],\"name\":\"x\",\"parts\":{}}");
        QTest::newRow("inputs") << QByteArray("{\"schema\":1,\"kind\":\"base\",\"name\":\"x\",\"parts\":{},\"inputs\":[1]}");
    }
    void badManifests()
    {
        QFETCH(QByteArray, text);
        const auto parsed = parseManifest(text.toStdString());
        QVERIFY(!parsed.has_value());
        QVERIFY(parsed.error().code == ErrorCode::Corrupt);
    }

    void progressAndFailuresReachTheCaller()
    {
        m_builder->action = [](const ProcessSpec& spec) -> Result<ProcessResult> {
            spec.onLine("PROGRESS 5 1000 Fetching packages");
            spec.onLine("PROGRESS x y");
            spec.onLine("noise");
            spec.onLine("FAILED No space is left on the disk for /images. Free some and build again.");
            return ProcessResult{28, "", "long words"};
        };
        std::vector<std::string> told;
        BuildControl control;
        control.progress = [&](std::int64_t done, std::int64_t total, const std::string& text) {
            told.push_back(std::to_string(done) + "/" + std::to_string(total) + " " + text);
        };
        const auto built = m_store->build(true, control);
        QVERIFY(!built.has_value());
        QVERIFY(built.error().code == ErrorCode::NoSpace);
        QVERIFY(built.error().message.starts_with("No space is left"));
        QCOMPARE(told, std::vector<std::string>{"5/1000 Fetching packages"});
        const auto& arguments = m_builder->calls.at(0);
        QVERIFY(std::find(arguments.begin(), arguments.end(), "--refresh") != arguments.end());
    }

    void aCancelledBuildLeavesTheOldImage()
    {
        makeBase('a');
        std::atomic<bool> cancelled{true};
        m_builder->action = [](const ProcessSpec& spec) -> Result<ProcessResult> {
            if (spec.cancelled && spec.cancelled->load()) {
                return fail(ErrorCode::Cancelled, "stopped");
            }
            return ProcessResult{};
        };
        BuildControl control;
        control.cancelled = &cancelled;
        const auto built = m_store->build(true, control);
        QVERIFY(!built.has_value());
        QVERIFY(built.error().code == ErrorCode::Cancelled);
        QCOMPARE(m_store->current()->id, baseName('a'));
    }

    void anAgentLayerIsBuiltOnceAndAgainForOtherPackages()
    {
        const std::string id = "agent-claude-2.1-" + std::string(64, 'c');
        m_builder->action = [&](const ProcessSpec& spec) -> Result<ProcessResult> {
            const auto& arguments = spec.arguments;
            const std::string package = *(std::find(arguments.begin(), arguments.end(), "--npm") + 1);
            writeFolder(m_images / id, "agent", {"agent.qcow2"}, {{"version", "2.1"}, {"inputs", {{"packages", {package}}}}});
            write(m_images / "agents.json", nlohmann::json{{"schema", 1}, {"agents", {{"claude", id}}}}.dump());
            return ProcessResult{};
        };
        const auto layer = m_store->ensureAgentLayer({"claude", {"@a/claude"}}, {});
        QVERIFY2(layer.has_value(), layer ? "" : layer.error().message.c_str());
        QCOMPARE(layer->disk, m_images / id / "agent.qcow2");
        QCOMPARE(layer->version, std::string("2.1"));
        QVERIFY(m_store->ensureAgentLayer({"claude", {"@a/claude"}}, {}).has_value());
        QCOMPARE(m_builder->calls.size(), std::size_t{1});
        QVERIFY(m_store->ensureAgentLayer({"claude", {"@a/claude@3"}}, {}).has_value());
        QCOMPARE(m_builder->calls.size(), std::size_t{2});
        QVERIFY(!m_store->ensureAgentLayer({"shell", {}}, {}).has_value());
    }

    void pruneKeepsWhatIsUsed()
    {
        for (const char digit : {'a', 'b', 'c'}) {
            makeBase(digit);
        }
        const auto removed = m_store->prune({baseName('a')});
        QVERIFY(removed.has_value());
        QCOMPARE(*removed, std::vector<std::string>{baseName('b')});
        QVERIFY(m_store->pinned(baseName('a')).has_value());
        QVERIFY(m_store->current().has_value());
    }

    void pruneLeavesASharedFolderAlone()
    {
        for (const char digit : {'a', 'b'}) {
            makeBase(digit);
        }
        const std::filesystem::path link = m_folder->filePath("link").toStdString();
        std::filesystem::create_directory_symlink(m_images, link);
        ImageStore shared({link, "recipe", "guest"}, *m_builder);
        const auto removed = shared.prune({});
        QVERIFY(removed.has_value());
        QVERIFY(removed->empty());
        QVERIFY(m_store->pinned(baseName('a')).has_value());
        QVERIFY(m_store->prune({}).has_value()); // without the link it goes
        QVERIFY(!m_store->pinned(baseName('a')).has_value());
    }

    void pruneRefusesWhenWhatIsCurrentIsUnknown()
    {
        makeBase('a');
        write(m_images / "current.json", "{");
        QVERIFY(!m_store->prune({}).has_value());
        QVERIFY(m_store->pinned(baseName('a')).has_value());
    }
};

QTEST_GUILESS_MAIN(TestImageStore)
#include "test_image_store.moc"
