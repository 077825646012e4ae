// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "engine/sandbox_record.h"
#include "engine/snapshot_store.h"

#include <QtTest>
#include <fstream>

using namespace coldframe;
using namespace coldframe::engine;
namespace fs = std::filesystem;

class TestSnapshots : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    fs::path folder() const { return m_folder->path().toStdString(); }
    static std::string id(char digit) { return std::string(32, digit); }

    /// A snapshot whose disk still has its other name, as while one is made.
    Snapshot made(const SnapshotStore& store, char digit, const std::string& name, const std::string& parent = {}) const
    {
        Snapshot snapshot;
        snapshot.id = id(digit);
        snapshot.name = name;
        snapshot.parent = parent;
        snapshot.createdAt = std::string(1, digit);
        snapshot.credentials = {"/home/agent/.netrc"};
        const fs::path disk = folder() / ("disk-" + std::string(1, digit));
        std::ofstream(disk) << "disk " << digit;
        if (!store.begin(snapshot.id) || !store.freeze(snapshot, disk)) {
            qFatal("not made");
        }
        std::ofstream(store.memoryOf(snapshot.id)) << "memory";
        return snapshot;
    }

private slots:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }

    void comesBackAsItWas()
    {
        const SnapshotStore store(folder() / "snapshots");
        const Snapshot snapshot = made(store, 'a', "tools");
        QVERIFY(store.list().empty()); // not finished
        QVERIFY(store.finish(snapshot.id));
        const auto found = store.find("tools");
        QVERIFY(found.has_value());
        QCOMPARE(snapshotToJson(*found), snapshotToJson(snapshot));
        QCOMPARE(store.find("aaaa")->id, snapshot.id);
        QVERIFY(store.find("aaa").error().code == ErrorCode::NotFound);
        QVERIFY(store.find("").error().code == ErrorCode::NotFound);
        QVERIFY(store.checkName("tools").error().code == ErrorCode::AlreadyExists);
        QVERIFY(store.checkName("../x").error().code == ErrorCode::InvalidArgument);
        QVERIFY(store.checkName("other").has_value());
    }

    void damagedRecordsAreErrors()
    {
        const SnapshotStore store(folder() / "snapshots");
        const Snapshot snapshot = made(store, 'a', "");
        QVERIFY(store.finish(snapshot.id));
        QVERIFY(store.chain(snapshot.id).has_value()); // the control
        for (const char* text : {"", "[]", "{}", "{\"version\":2}"}) {
            QVERIFY(writeFileAtomic(folder() / "snapshots" / snapshot.id / "manifest.json", text, 0600));
            QVERIFY(!store.chain(snapshot.id).has_value());
            QVERIFY(store.list().empty());
        }
        std::string other = snapshotToJson(snapshot);
        other.replace(other.find(snapshot.id), 32, id('b')); // another's manifest
        QVERIFY(writeFileAtomic(folder() / "snapshots" / snapshot.id / "manifest.json", other, 0600));
        QVERIFY(!store.chain(snapshot.id).has_value());
        QVERIFY(!store.chain("../../etc").has_value());
    }

    void aLayerThatWasChangedIsRefused()
    {
        const SnapshotStore store(folder() / "snapshots");
        const Snapshot below = made(store, 'a', "");
        const Snapshot above = made(store, 'b', "", below.id);
        QVERIFY(store.finish(below.id) && store.finish(above.id));
        const auto chain = store.chain(above.id);
        QVERIFY(chain && chain->size() == 2 && (*chain)[0].id == above.id && (*chain)[1].id == below.id);
        QVERIFY(store.chain("")->empty());
        fs::permissions(store.diskOf(below.id), fs::perms::owner_write, fs::perm_options::add);
        std::ofstream(store.diskOf(below.id), std::ios::app) << "!";
        QVERIFY(store.chain(above.id).error().code == ErrorCode::Corrupt);
        QVERIFY(fs::remove(store.diskOf(above.id)));
        QVERIFY(store.chain(above.id).error().code == ErrorCode::Corrupt);
    }

    void anInterruptedMakingIsNoneOrWhole()
    {
        const SnapshotStore store(folder() / "snapshots");
        const Snapshot lost = made(store, 'a', "");
        const Snapshot stoodOn = made(store, 'b', "");
        store.repair({stoodOn.id});
        QVERIFY(!fs::exists(folder() / "snapshots" / lost.id));
        QCOMPARE(*readFile(folder() / "disk-a"), std::string("disk a")); // the sandbox's own, all the time
        QCOMPARE(store.list().size(), 1u);
        QCOMPARE(fs::status(store.diskOf(stoodOn.id)).permissions() & fs::perms::all, fs::perms::owner_read);
    }

    void whatNothingStandsOnGoes()
    {
        const SnapshotStore store(folder() / "snapshots");
        const Snapshot root = made(store, 'a', "");
        const Snapshot named = made(store, 'b', "tools", root.id);
        const Snapshot loose = made(store, 'c', "", root.id);
        const Snapshot pinned = made(store, 'd', "");
        for (const Snapshot& snapshot : {root, named, loose, pinned}) {
            QVERIFY(store.finish(snapshot.id));
        }
        QVERIFY(store.prune({pinned.id}) > 0);
        QVERIFY(!fs::exists(store.diskOf(loose.id)));
        QVERIFY(fs::exists(store.diskOf(root.id)) && fs::exists(store.diskOf(named.id)) && fs::exists(store.diskOf(pinned.id)));
        QVERIFY(store.forgetName(named.id));
        QVERIFY(!fs::exists(store.memoryOf(named.id)));
        store.prune({});
        QVERIFY(store.list().empty());
    }
};

QTEST_GUILESS_MAIN(TestSnapshots)
#include "test_snapshots.moc"
