// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "vm/memory_feed.h"
#include "vm/save_image.h"
#include "vm/template_key.h"

#include <QTemporaryDir>
#include <QTest>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::vm;

namespace {

std::string readToEnd(const std::filesystem::path& path)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string all;
    char buffer[65536];
    for (ssize_t got = 0; fd && (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;) {
        all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
}

std::string readExactly(int fd, std::size_t size)
{
    std::string bytes(size, '\0');
    std::size_t have = 0;
    for (ssize_t got = 1; have < size && got > 0; have += static_cast<std::size_t>(got > 0 ? got : 0)) {
        got = ::read(fd, bytes.data() + have, size - have);
    }
    bytes.resize(have);
    return bytes;
}

MachineDescription machine()
{
    MachineDescription m;
    m.sandboxId = "0123456789abcdef";
    m.title = "one";
    m.owner = "/home/someone/.local/share/coldframe";
    m.generation = "11";
    m.uuid = "00000000-0000-4000-8000-000000000001";
    m.firmware = "/usr/share/qemu/qboot.rom";
    m.kernel = "/images/base-1/vmlinuz";
    m.initrd = "/images/base-1/initrd.img";
    m.overlay = "/sandboxes/1/disk.qcow2";
    m.backingChain = {{"/images/base-1/base.qcow2", DiskFormat::Qcow2, ""}};
    m.readOnlyDisks = {{"/images/agent-1/agent.qcow2", DiskFormat::Qcow2, "agent"}, {"/run/1/seed.raw", DiskFormat::Raw, kSeedSerial}};
    m.controlSocket = "/run/1/control.sock";
    m.bulkSocket = "/run/1/bulk.sock";
    m.netSocket = "/run/1/net.sock";
    m.consoleSocket = "/run/1/console.sock";
    m.consoleLog = "/sandboxes/1/console.log";
    m.hostTscKhz = 2'000'000;
    m.emulator = "/usr/bin/qemu-system-x86_64";
    return m;
}

} // namespace

class SaveTest : public QObject
{
    Q_OBJECT

private slots:
    void aHeaderComesBack()
    {
        const auto header = saveHeader("<domain/>");
        QVERIFY(header.has_value());
        QCOMPARE(header->size(), kSaveHeaderBytes + 10);
        const auto parsed = parseSaveHeader(*header);
        QVERIFY(parsed.has_value());
        QCOMPARE(parsed->streamOffset, std::uint64_t{kSaveHeaderBytes + 10});
        QVERIFY(parsed->wasRunning);
    }

    void hazard_14_whatIsNotKnownIsRefused_data()
    {
        QTest::addColumn<int>("offset");
        QTest::addColumn<quint32>("value");
        QTest::newRow("unfinished") << 12 << quint32{0x74726150}; // "Part"
        QTest::newRow("version 3") << 16 << quint32{3};
        QTest::newRow("no description") << 20 << quint32{0};
        QTest::newRow("description beyond reason") << 20 << quint32{0x7fffffff};
        QTest::newRow("compressed") << 28 << quint32{1};
        QTest::newRow("cookie outside") << 32 << quint32{100000};
    }

    void hazard_14_whatIsNotKnownIsRefused()
    {
        QFETCH(int, offset);
        QFETCH(quint32, value);
        std::string header = *saveHeader("<domain/>");
        QVERIFY(parseSaveHeader(header).has_value()); // the control
        std::memcpy(header.data() + offset, &value, sizeof value);
        const auto parsed = parseSaveHeader(header);
        QVERIFY(!parsed && parsed.error().code == ErrorCode::Corrupt);
    }

    void oddLengthsAreRefused()
    {
        const std::string header = *saveHeader("<domain/>");
        for (std::size_t length = 0; length < kSaveHeaderBytes; ++length) {
            QVERIFY(!parseSaveHeader(std::string_view(header).substr(0, length)));
        }
        QVERIFY(!saveHeader(""));
        QVERIFY(!saveHeader(std::string("a\0b", 3)));
        QVERIFY(!saveHeader(std::string(2u << 20, 'x')));
    }

    void aFileWithoutMemoryIsRefused()
    {
        QTemporaryDir place;
        const std::filesystem::path folder = place.path().toStdString();
        const std::string header = *saveHeader("<domain/>");
        QVERIFY(writeFileAtomic(folder / "short", header).has_value());
        QVERIFY(!readSaveImage(folder / "short"));
        QVERIFY(writeFileAtomic(folder / "whole", header + "memory").has_value());
        QVERIFY(readSaveImage(folder / "whole").has_value());
        QVERIFY(!readSaveImage(folder / "missing"));
        QVERIFY(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
        QVERIFY(!readSaveImage(folder / "pipe"));
        std::filesystem::create_symlink(folder / "whole", folder / "link");
        QVERIFY(!readSaveImage(folder / "link"));
    }

    void aFeedIsTheHeaderAndThenTheMemory()
    {
        QTemporaryDir place;
        const std::filesystem::path folder = place.path().toStdString();
        std::string memory(5u << 20, '\0');
        for (std::size_t i = 0; i < memory.size(); ++i) {
            memory[i] = static_cast<char>(i * 7 >> 3);
        }
        QVERIFY(writeFileAtomic(folder / "saved", "skipped" + memory).has_value());
        for (int round = 0; round < 3; ++round) {
            auto feed = MemoryFeed::start(folder / "fifo", "header", 1, folder / "saved", 7);
            QVERIFY(feed.has_value());
            QVERIFY(readToEnd(folder / "fifo") == "header" + memory);
            feed->reset();
            QVERIFY(!std::filesystem::exists(folder / "fifo"));
        }
    }

    void aFeedIsOpenedTwiceByNewerLibvirts()
    {
        QCOMPARE(saveImageOpenings(9'000'000), 1);
        QCOMPARE(saveImageOpenings(11'003'000), 2);
        QTemporaryDir place;
        const std::filesystem::path folder = place.path().toStdString();
        const std::string header = *saveHeader("<domain/>");
        const std::string memory(3u << 20, 'm');
        QVERIFY(writeFileAtomic(folder / "saved", memory).has_value());
        for (const int pause : {0, 20}) {
            auto feed = MemoryFeed::start(folder / "fifo", header, 2, folder / "saved", 0);
            QVERIFY(feed.has_value());
            {
                const UniqueFd first(::open((folder / "fifo").c_str(), O_RDONLY | O_CLOEXEC));
                QVERIFY(readExactly(first.get(), header.size()) == header);
            }
            // Time enough for the writer to meet a pipe without a reader.
            std::this_thread::sleep_for(std::chrono::milliseconds(pause));
            QVERIFY(readToEnd(folder / "fifo") == header + memory);
        }
        // A reader that does not come again holds nothing up.
        auto left = MemoryFeed::start(folder / "fifo", header, 2, folder / "saved", 0);
        {
            const UniqueFd only(::open((folder / "fifo").c_str(), O_RDONLY | O_CLOEXEC));
            QVERIFY(readExactly(only.get(), header.size()) == header);
        }
        left->reset();
        QVERIFY(!std::filesystem::exists(folder / "fifo"));
    }

    void aFeedThatNobodyReadsEnds()
    {
        QTemporaryDir place;
        const std::filesystem::path folder = place.path().toStdString();
        QVERIFY(writeFileAtomic(folder / "saved", std::string(8u << 20, 'x')).has_value());
        auto unread = MemoryFeed::start(folder / "fifo", "header", 1, folder / "saved", 0);
        unread->reset();
        // A reader that leaves in the middle is no signal to the process.
        auto left = MemoryFeed::start(folder / "fifo", "header", 1, folder / "saved", 0);
        {
            const UniqueFd reader(::open((folder / "fifo").c_str(), O_RDONLY | O_CLOEXEC));
            char byte = 0;
            QVERIFY(::read(reader.get(), &byte, 1) == 1);
        }
        left->reset();
    }

    void hazard_02_theKeyIsWhatTemplateAndSandboxHaveInCommon()
    {
        const auto keyOf = [](const MachineDescription& m, std::uint64_t disk = 40, const char* host = "host") {
            return templateKey(m, disk, host).value();
        };
        const std::string key = keyOf(machine());
        QCOMPARE(key.size(), std::size_t{64});
        auto own = machine();
        own.sandboxId = "fedcba9876543210";
        own.title = "two";
        own.generation = "22";
        own.uuid = "00000000-0000-4000-8000-000000000002";
        own.overlay = "/sandboxes/2/disk.qcow2";
        own.controlSocket = "/run/2/control.sock";
        own.consoleLog = "/sandboxes/2/console.log";
        own.readOnlyDisks[0].path = "/images/empty.qcow2";
        own.readOnlyDisks[1].path = "/run/2/seed.raw";
        own.hostTscKhz = 2'000'321;
        own.emulator = "/elsewhere/wrapper";
        QVERIFY(keyOf(own) == key);

        const std::vector<std::function<void(MachineDescription&)>> changes{
            [](auto& m) { m.firmware.clear(); },
            [](auto& m) { m.kernel = "/images/base-2/vmlinuz"; },
            [](auto& m) { m.initrd = "/images/base-2/initrd.img"; },
            [](auto& m) { m.backingChain[0].path = "/images/base-2/base.qcow2"; },
            [](auto& m) { m.memoryMiB = 4096; },
            [](auto& m) { m.kernelArguments = {"nosmp"}; },
            [](auto& m) { m.readOnlyDisks.clear(); },
            [](auto& m) { m.readOnlyDisks.pop_back(); },
            [](auto& m) { m.readOnlyDisks[1].format = DiskFormat::Qcow2; },
            [](auto& m) { m.readOnlyDisks.push_back({"/third", DiskFormat::Qcow2, "third"}); },
            [](auto& m) {
                m.acceleration = Acceleration::Kvm;
                m.hostTscKhz = 0;
            },
        };
        for (const auto& change : changes) {
            auto other = machine();
            change(other);
            QVERIFY(keyOf(other) != key);
        }
        QVERIFY(keyOf(machine(), 41) != key);
        QVERIFY(keyOf(machine(), 40, "another QEMU") != key);
        auto kvm = machine();
        kvm.acceleration = Acceleration::Kvm;
        auto kvmWithMore = kvm;
        kvmWithMore.vcpus = 4;
        QVERIFY(keyOf(kvm) != keyOf(kvmWithMore));
        auto bad = machine();
        bad.kernel = "relative";
        QVERIFY(!templateKey(bad, 40, "host"));
    }

    void aClockMayBeATenthOfAPercentOff()
    {
        QVERIFY(fitsTsc(2'000'000, 2'000'000));
        QVERIFY(fitsTsc(2'000'000, 2'001'900));
        QVERIFY(!fitsTsc(2'000'000, 2'003'000));
        QVERIFY(!fitsTsc(2'000'000, 0));
    }
};

QTEST_APPLESS_MAIN(SaveTest)
#include "save_test.moc"
