// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "engine/guest_link.h"
#include "engine/helper_process.h"

#include <QtTest>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::engine;

class TestEngineHelpers : public QObject
{
    Q_OBJECT

private slots:
    void base64IsThatOfTheStandard()
    {
        // RFC 4648, section 10.
        const std::pair<const char*, const char*> vectors[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},  {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"}};
        for (const auto& [plain, coded] : vectors) {
            QCOMPARE(encodeBase64(plain), std::string(coded));
        }
        QCOMPARE(encodeBase64(std::string_view("\xff\xfe\x00", 3)), std::string("//4A"));
    }

    void descriptorsOfAnyNumberArrive()
    {
        // An engine with many sandboxes has high numbers, in any order, those of the targets among them.
        QTemporaryDir folder;
        const auto root = std::filesystem::path(folder.path().toStdString());
        QVERIFY(writeFileAtomic(root / "helper", "#!/bin/sh\nfor n in 3 4 5 6; do echo $n >&$n; done\n", 0755).has_value());
        for (int base = 3; base < 140; base += 1) {
            std::vector<std::pair<UniqueFd, UniqueFd>> pairs;
            std::vector<std::pair<std::string, int>> given;
            for (const int number : {base + 3, base, base + 2, base + 1}) {
                auto pair = makeSocketPair(SOCK_STREAM);
                QVERIFY(pair.has_value());
                const int moved = ::fcntl(pair->second.get(), F_DUPFD_CLOEXEC, number);
                given.emplace_back("--fd", moved);
                pairs.emplace_back(std::move(pair->first), UniqueFd(moved));
            }
            QVERIFY(startHelper(root / "helper", given, root / "log").has_value());
            for (std::size_t i = 0; i < pairs.size(); ++i) {
                pairs[i].second.reset();
                struct pollfd ready{pairs[i].first.get(), POLLIN, 0};
                QCOMPARE(::poll(&ready, 1, 10000), 1);
                char said[8] = {};
                QVERIFY(::read(pairs[i].first.get(), said, sizeof said - 1) > 0);
                QCOMPARE(std::string(said), std::to_string(3 + i) + "\n");
            }
        }
    }

    void aHelperGetsItsDescriptorsAndNoOthers()
    {
        auto pair = makeSocketPair(SOCK_STREAM);
        QVERIFY(pair.has_value());
        // A descriptor that must not leak, without close-on-exec on purpose.
        const UniqueFd leak(::dup(pair->first.get()));
        QTemporaryDir folder;
        const auto log = std::filesystem::path(folder.path().toStdString()) / "log";
        // The helper is a shell that tells over descriptor 3 which descriptors it has.
        const auto script = std::filesystem::path(folder.path().toStdString()) / "helper";
        QVERIFY(writeFileAtomic(script, "#!/bin/bash\necho \"$@\" >&3\nls /proc/$$/fd | tr '\\n' ' ' >&3\necho >&3\necho complaint >&2\n", 0755).has_value());
        const auto started = startHelper(script, {{"--engine-fd", pair->second.get()}}, log);
        QVERIFY2(started.has_value(), started ? "" : started.error().detail.c_str());
        pair->second.reset();
        std::string said;
        char buffer[512];
        for (;;) {
            struct pollfd waiting {pair->first.get(), POLLIN, 0};
            QVERIFY(::poll(&waiting, 1, 10000) == 1);
            const ssize_t got = ::read(pair->first.get(), buffer, sizeof buffer);
            if (got <= 0) {
                break;
            }
            said.append(buffer, static_cast<std::size_t>(got));
        }
        QVERIFY2(said.starts_with("--engine-fd 3\n"), said.c_str());
        // 255 is the shell's own hold on its script.
        QVERIFY2(said.find("0 1 2 255 3 ") != std::string::npos || said.find("0 1 2 3 ") != std::string::npos, said.c_str());
        QTRY_VERIFY(readFile(log).value_or("").find("complaint") != std::string::npos);
    }

    void aMissingHelperIsNamed()
    {
        QTemporaryDir folder;
        const auto started = startHelper("/nonexistent/helper", {}, std::filesystem::path(folder.path().toStdString()) / "log");
        QVERIFY(!started);
        QVERIFY(started.error().message.find("/nonexistent/helper") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TestEngineHelpers)
#include "test_engine_helpers.moc"
