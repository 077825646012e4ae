// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/digest.h"
#include "image/oci_archive.h"
#include "image/recorded_disk.h"

#include <QTemporaryDir>
#include <QTest>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::image;
using nlohmann::json;

namespace {

std::string sha256(const std::string& text)
{
    Sha256 digest;
    digest.add(text);
    return digest.hex();
}

std::string octal(std::uint64_t value, int digits)
{
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%0*llo", digits, static_cast<unsigned long long>(value));
    return text.data();
}

std::string tarEntry(const std::string& name, const std::string& content, char type = '0')
{
    std::string block(512, '\0');
    block.replace(0, name.size(), name);
    block.replace(100, 7, "0000644");
    block.replace(124, 11, octal(content.size(), 11));
    block.replace(136, 11, "00000000000");
    block[156] = type;
    block.replace(257, 6, std::string("ustar\0", 6));
    block.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : block) {
        sum += static_cast<unsigned char>(c);
    }
    block.replace(148, 7, octal(sum, 6) + '\0');
    return block + content + std::string((512 - content.size() % 512) % 512, '\0');
}

std::string tar(const std::vector<std::pair<std::string, std::string>>& files)
{
    std::string all;
    for (const auto& [name, content] : files) {
        all += tarEntry(name, content);
    }
    return all + std::string(1024, '\0');
}

std::string configOf(const std::vector<std::string>& layers, const std::string& architecture = "amd64")
{
    json ids = json::array();
    for (const std::string& layer : layers) {
        ids.push_back("sha256:" + sha256(layer));
    }
    return json{{"architecture", architecture},
                {"os", "linux"},
                {"rootfs", {{"type", "layers"}, {"diff_ids", ids}}},
                {"config", {{"Env", {"PATH=/app:/bin", "NOISE", "A=1\nB=2", "SHOP=open late"}}, {"WorkingDir", "/app"}}}}
        .dump();
}

json descriptor(const std::string& content) { return {{"digest", "sha256:" + sha256(content)}, {"size", content.size()}}; }

/// The files of an OCI layout with one image of these layers.
std::vector<std::pair<std::string, std::string>> layout(const std::vector<std::string>& layers, const std::string& config)
{
    json list = json::array();
    std::vector<std::pair<std::string, std::string>> files;
    for (const std::string& layer : layers) {
        list.push_back(descriptor(layer));
        files.emplace_back("blobs/sha256/" + sha256(layer), layer);
    }
    const std::string manifest = json{{"schemaVersion", 2}, {"config", descriptor(config)}, {"layers", list}}.dump();
    files.emplace_back("blobs/sha256/" + sha256(config), config);
    files.emplace_back("blobs/sha256/" + sha256(manifest), manifest);
    files.emplace_back("index.json", json{{"schemaVersion", 2}, {"manifests", {descriptor(manifest)}}}.dump());
    return files;
}

std::vector<std::pair<std::string, std::string>> dockerSave(const std::vector<std::string>& layers, const std::string& config)
{
    json names = json::array();
    std::vector<std::pair<std::string, std::string>> files;
    for (const std::string& layer : layers) {
        names.push_back(std::to_string(names.size()) + "/layer.tar");
        files.emplace_back(names.back(), layer);
    }
    files.emplace_back("config.json", config);
    files.emplace_back("manifest.json", json::array({{{"Config", "config.json"}, {"RepoTags", {"example/app:1"}}, {"Layers", names}}}).dump());
    return files;
}

} // namespace

class TestOciArchive : public QObject
{
    Q_OBJECT

    QTemporaryDir m_place;

    Result<OciImage> read(const std::string& content)
    {
        const std::filesystem::path file = m_place.filePath("archive.tar").toStdString();
        [&] { QVERIFY(writeFileAtomic(file, content).has_value()); }();
        return readOciArchive(file, nullptr);
    }

    ErrorCode refusal(const std::string& content)
    {
        const auto image = read(content);
        return image ? ErrorCode::Internal : image.error().code;
    }

    const std::vector<std::string> m_layers{"first layer", "second layer"};
    const std::string m_config = configOf(m_layers);

private slots:
    void aLayoutIsRead()
    {
        const auto image = read(tar(layout(m_layers, m_config)));
        QVERIFY2(image.has_value(), image ? "" : image.error().detail.c_str());
        QCOMPARE(image->layers.size(), std::size_t{2});
        QCOMPARE(image->layers[1].place.size, m_layers[1].size());
        QCOMPARE(image->layers[1].diffId, sha256(m_layers[1]));
        QCOMPARE(image->workingFolder, std::string("/app"));
        // What is no NAME=VALUE on one line is left out.
        QCOMPARE(image->environment, (std::vector<std::string>{"PATH=/app:/bin", "SHOP=open late"}));
    }

    void whatDockerSavesIsRead()
    {
        const auto image = read(tar(dockerSave(m_layers, m_config)));
        QVERIFY2(image.has_value(), image ? "" : image.error().detail.c_str());
        QCOMPARE(image->layers.size(), std::size_t{2});
        QCOMPARE(imageNameOf(image->name), std::string("app"));
    }

    void aTagGivesAName()
    {
        QCOMPARE(imageNameOf("registry.example:5000/team/shop-tools:1.2"), std::string("shop-tools"));
        QCOMPARE(imageNameOf("app@sha256:00"), std::string("app"));
        QCOMPARE(imageNameOf("team/../..:x"), std::string());
        QCOMPARE(imageNameOf(""), std::string());
    }

    void everyFileMustBeTheOneThatIsNamed()
    {
        for (std::size_t i = 0; i < 4; ++i) {
            auto files = layout(m_layers, m_config);
            files[i].second[0] ^= 1; // both layers, the configuration, the manifest
            QCOMPARE(refusal(tar(files)), ErrorCode::Corrupt);
        }
        auto files = dockerSave(m_layers, m_config);
        files[0].second[0] ^= 1;
        QCOMPARE(refusal(tar(files)), ErrorCode::Corrupt);
    }

    void aFileThatIsMissingOrCutOffIsRefused()
    {
        for (std::size_t i = 0; i < 5; ++i) {
            auto files = layout(m_layers, m_config);
            files.erase(files.begin() + static_cast<std::ptrdiff_t>(i));
            QVERIFY(!read(tar(files)).has_value());
        }
        const std::string whole = tar(layout(m_layers, m_config));
        for (std::size_t length = 0; length + 1024 < whole.size(); length += 100) {
            QVERIFY(!read(whole.substr(0, length)).has_value());
        }
    }

    void anotherMachinesImageIsRefused() { QCOMPARE(refusal(tar(layout(m_layers, configOf(m_layers, "arm64")))), ErrorCode::NotAllowed); }

    void aConfigurationWithOtherLayersIsRefused()
    {
        QCOMPARE(refusal(tar(layout({m_layers[0]}, m_config))), ErrorCode::Corrupt);
        QCOMPARE(refusal(tar(dockerSave({m_layers[1], m_layers[0]}, m_config))), ErrorCode::Corrupt);
    }

    void severalImagesAreRefusedWithTheWayOut()
    {
        auto files = dockerSave(m_layers, m_config);
        json two = json::parse(files.back().second);
        two.push_back(two[0]);
        files.back().second = two.dump();
        const auto image = read(tar(files));
        QVERIFY(!image.has_value());
        QVERIFY(image.error().message.find("docker save") != std::string::npos);
    }

    void anIndexThatNamesItselfEnds()
    {
        // No document can hold its own digest; a deep chain is the nearest thing.
        std::string text = json{{"schemaVersion", 2}, {"manifests", {descriptor("x")}}}.dump();
        std::vector<std::pair<std::string, std::string>> files;
        for (int i = 0; i < 20; ++i) {
            files.emplace_back("blobs/sha256/" + sha256(text), text);
            text = json{{"schemaVersion", 2}, {"manifests", {descriptor(text)}}}.dump();
        }
        files.emplace_back("index.json", text);
        QCOMPARE(refusal(tar(files)), ErrorCode::Corrupt);
    }

    void aNameInAnExtendedHeaderCounts()
    {
        auto files = layout(m_layers, m_config);
        std::string content;
        for (const auto& [name, text] : files) {
            const std::string record = " path=" + name + "\n";
            std::size_t length = record.size() + 2;
            length += std::to_string(length).size() - 2;
            content += tarEntry("extended", std::to_string(length) + record, 'x') + tarEntry("short", text);
        }
        const auto image = read(content + std::string(1024, '\0'));
        QVERIFY2(image.has_value(), image ? "" : image.error().detail.c_str());
    }

    void anExtendedHeaderOfNonsenseIsRefused()
    {
        for (const std::string text : {"99999999 path=x\n", "3 x", "0 \n", "12 path=abcde", "-5 a=b\n", "10 path=x\n1", "9 size=x\n"}) {
            QVERIFY2(!parsePaxRecords(text).has_value(), text.c_str());
        }
        QCOMPARE(parsePaxRecords("10 size=7\n").value().size.value_or(0), std::uint64_t{7});
        QCOMPARE(parsePaxRecords("10 path=x\n10 size=7\n").value().name, std::string("x"));
    }

    void onlyATarIsTakenForOne()
    {
        const std::filesystem::path file = m_place.filePath("some").toStdString();
        QVERIFY(writeFileAtomic(file, tar({{"readme", "hello"}})).has_value());
        QVERIFY(isTarArchive(file));
        QVERIFY(writeFileAtomic(file, std::string(2000, 'x')).has_value());
        QVERIFY(!isTarArchive(file));
        QVERIFY(!isTarArchive(m_place.filePath("none").toStdString()));
    }

    void aDiskOfRecordsIsWholeOrRefused()
    {
        const std::filesystem::path file = m_place.filePath("disk.raw").toStdString();
        const auto disk = RecordedDisk::create(file, "header", 1u << 20);
        QVERIFY(disk.has_value());
        const std::string head = std::string("\0\0\0\0\0\0\x10\0", 8) + std::string("\0\0\0\x04", 4);
        QVERIFY((*disk)->feed(head + "data").has_value());
        QVERIFY(!(*disk)->isComplete());
        QVERIFY((*disk)->feed(std::string(8, '\xff') + std::string("\0\0\0\x40", 4) + sha256("header" + head + "data")).has_value());
        QVERIFY((*disk)->isComplete());
        QCOMPARE(readFile(file).value_or("").substr(4096, 4), std::string("data"));
        QVERIFY(!RecordedDisk::create(file, "header", 1u << 20).has_value()); // nothing is overwritten
        const auto other = RecordedDisk::create(m_place.filePath("other.raw").toStdString(), "header", 2048);
        QVERIFY(!(*other)->feed(head + "data").has_value()); // beyond its end
    }
};

QTEST_GUILESS_MAIN(TestOciArchive)
#include "test_oci_archive.moc"
