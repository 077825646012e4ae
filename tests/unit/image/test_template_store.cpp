// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "image/template_store.h"

#include <QTemporaryDir>
#include <QTest>
#include <sys/stat.h>

using namespace coldframe;
using namespace coldframe::image;

namespace {

const std::string kKey(64, 'a');
const std::string kOtherKey(64, 'b');

} // namespace

class TestTemplateStore : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_place;
    std::filesystem::path m_images;

    Template make(TemplateStore& store, const std::string& key, const std::string& content, const std::string& base = "base-1")
    {
        auto making = store.begin(key);
        [&] { QVERIFY(making.has_value()); }();
        [&] { QVERIFY(writeFileAtomic((*making)->disk(), "disk " + content).has_value()); }();
        [&] { QVERIFY(writeFileAtomic((*making)->memory(), "memory " + content).has_value()); }();
        auto made = store.publish(**making, key, base, 2000);
        [&] { QVERIFY(made.has_value()); }();
        return made.value_or(Template{});
    }

private slots:
    void init()
    {
        m_place = std::make_unique<QTemporaryDir>();
        m_images = std::filesystem::path(m_place->path().toStdString()) / "images";
    }

    void aTemplateIsFoundByItsKey()
    {
        TemplateStore store(m_images);
        QVERIFY(store.find(kKey).error().code == ErrorCode::NotFound);
        const Template made = make(store, kKey, "one");
        const auto found = store.find(kKey);
        QVERIFY(found.has_value());
        QCOMPARE(found->id, made.id);
        QCOMPARE(found->baseId, std::string("base-1"));
        QCOMPARE(found->hostTscKhz, 2000u);
        QCOMPARE(readFile(found->memory).value(), std::string("memory one"));
        QVERIFY(!store.find(kOtherKey));
        struct stat info{};
        QVERIFY(::stat(found->disk.c_str(), &info) == 0 && (info.st_mode & 0222) == 0);
    }

    void hazard_02_aNewTemplateNeverReplacesAnOldOne()
    {
        TemplateStore store(m_images);
        const Template first = make(store, kKey, "one");
        const Template second = make(store, kKey, "two");
        QVERIFY(first.id != second.id);
        QCOMPARE(readFile(first.disk).value(), std::string("disk one"));
        QVERIFY(store.pinned(first.id).has_value());
    }

    void damageIsPassedOver()
    {
        TemplateStore store(m_images);
        const Template made = make(store, kKey, "one");
        std::filesystem::permissions(made.memory, std::filesystem::perms::owner_all);
        QVERIFY(writeFileAtomic(made.memory, "memory onE").has_value());
        QVERIFY(!store.find(kKey));
        QVERIFY(store.pinned(made.id).has_value()); // its disk is whole
        std::filesystem::permissions(made.disk, std::filesystem::perms::owner_all);
        QVERIFY(writeFileAtomic(made.disk, "disk onE").has_value());
        const auto pinned = store.pinned(made.id);
        QVERIFY(!pinned && pinned.error().code == ErrorCode::Corrupt);
        QVERIFY(QString::fromStdString(pinned.error().message).contains("reset"));
    }

    void aDistrustedTemplateIsNotUsedButItsDiskStays()
    {
        TemplateStore store(m_images);
        const Template made = make(store, kKey, "one");
        store.distrust(made.id);
        QVERIFY(!store.find(kKey));
        QVERIFY(store.pinned(made.id).has_value());
        store.distrust("../../etc/passwd"); // no name of a template: nothing happens
    }

    void onlyOneMakesIt()
    {
        TemplateStore store(m_images);
        TemplateStore other(m_images);
        auto making = store.begin(kKey);
        QVERIFY(making.has_value());
        QCOMPARE(other.begin(kKey).error().code, ErrorCode::Busy);
        QVERIFY(other.begin(kOtherKey).has_value());
        const auto folder = (*making)->disk().parent_path();
        QVERIFY(std::filesystem::exists(folder));
        making->reset();
        QVERIFY(!std::filesystem::exists(folder));
        QVERIFY(other.begin(kKey).has_value());
    }

    void whatAnInterruptedMakingLeftIsCleared()
    {
        TemplateStore store(m_images);
        const auto folder = m_images / (".template-" + kKey + ".work");
        QVERIFY(makeFolders(folder).has_value());
        QVERIFY(writeFileAtomic(folder / "disk.qcow2", "left over").has_value());
        const auto making = store.begin(kKey);
        QVERIFY(making && !std::filesystem::exists((*making)->disk()));
    }

    void pinnedAndCurrentTemplatesAreKept()
    {
        TemplateStore store(m_images);
        const Template pinned = make(store, kKey, "one", "base-old");
        const Template unused = make(store, kKey, "two", "base-old");
        const Template current = make(store, kOtherKey, "three", "base-now");
        const auto removed = store.prune({pinned.id}, {"base-now"});
        QCOMPARE(removed.size(), std::size_t{1});
        QCOMPARE(removed[0], unused.id);
        QVERIFY(store.pinned(pinned.id).has_value());
        QVERIFY(store.find(kOtherKey).has_value());
        QVERIFY(!store.pinned(unused.id));
        QVERIFY(!store.pinned("template-x"));
    }
};

QTEST_APPLESS_MAIN(TestTemplateStore)
#include "test_template_store.moc"
