// SPDX-License-Identifier: Apache-2.0
// The real guest image through libvirt: /setup, then /exec, over core/channel. Run as an ordinary user with an image built.
#include "base/file.h"
#include "base/paths.h"
#include "base/random.h"
#include "channel/connection.h"
#include "channel/exec_frames.h"
#include "vm/acceleration.h"
#include "vm/firmware.h"
#include "vm/libvirt_hypervisor.h"
#include "vm/qcow2.h"

#include <QScopeGuard>
#include <QTemporaryDir>
#include <QTest>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>

using namespace coldframe;
using namespace coldframe::vm;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kReadyLimit = 120s;

std::string base64(const std::string& bytes)
{
    return QByteArray::fromStdString(bytes).toBase64().toStdString();
}

int connectTo(const std::filesystem::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(fd);
        return -1;
    }
    return fd;
}

asio::awaitable<Result<std::string>> request(channel::Connection& connection, channel::Headers headers, std::string body)
{
    headers[":scheme"] = "http";
    headers[":authority"] = "guest";
    COLDFRAME_CO_TRY(auto stream, connection.open(headers, false));
    const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
    if (!body.empty()) {
        Result<void> written = co_await stream->write(bytes);
        COLDFRAME_CO_CHECK(written);
    }
    stream->finish();
    Result<channel::Headers> answer = co_await stream->responseHeaders();
    COLDFRAME_CO_TRY(auto answered, std::move(answer));
    Result<std::string> content = co_await channel::readBody(*stream, 16u << 20);
    COLDFRAME_CO_TRY(auto text, std::move(content));
    if (answered[":status"] != "200") {
        co_return fail(ErrorCode::Protocol, "status " + answered[":status"] + ": " + text);
    }
    co_return text;
}

// Braced lists in a coroutine crash GCC 12, so these stand outside.
channel::Headers post(const char* path)
{
    return {{":method", "POST"}, {":path", path}};
}

std::string execWish(const std::vector<std::string>& argv)
{
    const nlohmann::json wish{{"id", randomHex(8)}, {"argv", argv}, {"environment", nlohmann::json::object()},
                              {"cwd", ""}, {"user", "agent"}, {"tty", false}, {"rows", 24}, {"columns", 80},
                              {"waitWorkspace", false}, {"keepOpen", false}};
    return wish.dump();
}

std::string echoWish()
{
    return execWish({"echo", "from the inside"});
}

std::string insideWish()
{
    return execWish({"sh", "-c", "id -un; id -u; hostname; echo $GREETING; pwd; ls /sys/class/net; ls /opt/coldframe/agent/bin; exit 7"});
}

std::string setupBody()
{
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const nlohmann::json setup{
        {"generation", "00ff"}, {"hostName", "frame"}, {"time", now}, {"entropy", base64(std::string(64, 'e'))},
        {"user", {{"name", "agent"}, {"uid", 1234}, {"gid", 1234}, {"home", "/home/agent"}}}, {"caPem", ""},
        {"environment", {{"GREETING", "hello"}}}, {"workspaces", nlohmann::json::array()},
        {"files", nlohmann::json::array()}, {"dockerAtStart", false}};
    return setup.dump();
}

struct Outcome
{
    std::string output{};
    std::string problem{};
    int exitCode = -1;
};

asio::awaitable<Result<Outcome>> execute(channel::Connection& connection, std::string wish)
{
    channel::Headers headers = post("/exec");
    headers["x-coldframe-exec"] = base64(wish);
    std::string body = channel::encodeExecFrame(ExecFrameType::StdinEnd, "");
    Result<std::string> answer = co_await request(connection, std::move(headers), std::move(body));
    COLDFRAME_CO_TRY(auto text, std::move(answer));
    channel::ExecFrameDecoder decoder;
    decoder.feed(text);
    Outcome outcome;
    while (true) {
        auto frame = decoder.next();
        if (!frame) {
            co_return tl::unexpected(frame.error());
        }
        if (!*frame) {
            break;
        }
        const auto& [type, payload] = **frame;
        if (type == ExecFrameType::Stdout || type == ExecFrameType::Stderr) {
            outcome.output += payload;
        } else if (type == ExecFrameType::Exit) {
            outcome.exitCode = channel::decodeExit(payload)->exitCode;
        } else if (type == ExecFrameType::Failure) {
            outcome.problem = payload;
        }
    }
    co_return outcome;
}

long since(Clock::time_point begin)
{
    return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
}

/// What the story saw; filled by story() step by step.
struct Seen
{
    std::string problem{};
    Outcome echo{};
    Outcome inside{};
    std::string shutdown{};
};

asio::awaitable<void> story(asio::io_context& io, channel::Connection& connection, Clock::time_point begin, Seen& seen)
{
    Result<void> established = fail(ErrorCode::Timeout, "never tried");
    while (Clock::now() < begin + kReadyLimit) {
        established = co_await connection.establish();
        if (established || established.error().code != ErrorCode::Timeout) {
            break;
        }
    }
    if (!established) {
        seen.problem = "establish: " + established.error().message;
        co_return;
    }
    std::printf("MEASURE first HELLO echoed after %ld ms\n", since(begin));
    Result<std::string> answer = co_await request(connection, post("/setup"), setupBody());
    if (!answer) {
        seen.problem = "setup: " + answer.error().message + " " + answer.error().detail;
        co_return;
    }
    std::printf("MEASURE /setup done after %ld ms\n", since(begin));
    Result<Outcome> echo = co_await execute(connection, echoWish());
    if (!echo) {
        seen.problem = "exec: " + echo.error().message + " " + echo.error().detail;
        co_return;
    }
    seen.echo = *echo;
    std::printf("MEASURE first exec done after %ld ms\n", since(begin));
    Result<Outcome> inside = co_await execute(connection, insideWish());
    if (inside) {
        seen.inside = *inside;
    }
    Result<std::string> end = co_await request(connection, post("/shutdown"), R"({"graceSeconds":5})");
    seen.shutdown = end ? *end : end.error().message;
    connection.close();
    io.stop();
}

} // namespace

class BootExecTest : public QObject
{
    Q_OBJECT
private slots:
    void aProgramRunsInTheRealGuest()
    {
        const auto images = paths::dataFolder() / "images";
        const auto current = readFile(images / "current.json");
        if (!current) {
            QSKIP("no guest image is built (guest/image/build)");
        }
        const auto image = images / nlohmann::json::parse(*current).at("base").get<std::string>();
        QTemporaryDir data;
        QTemporaryDir sockets(qEnvironmentVariable("XDG_RUNTIME_DIR") + "/cf-XXXXXX");
        const std::filesystem::path folder = data.path().toStdString();
        const std::filesystem::path ports = sockets.path().toStdString();

        MachineDescription machine;
        machine.sandboxId = "test" + randomHex(4);
        machine.owner = folder.string();
        machine.generation = "00ff";
        machine.firmware = microvmFirmware();
        machine.kernel = image / "vmlinuz";
        machine.initrd = image / "initrd.img";
        machine.overlay = folder / "disk.qcow2";
        machine.backingChain = {{image / "base.qcow2", DiskFormat::Qcow2, ""}};
        if (const auto agents = readFile(images / "agents.json")) {
            const auto claude = nlohmann::json::parse(*agents).at("agents").value("claude", "");
            if (!claude.empty()) {
                machine.readOnlyDisks = {{images / claude / "agent.qcow2", DiskFormat::Qcow2, "coldframe-agent"}};
            }
        }
        machine.memoryMiB = 2048;
        machine.controlSocket = ports / "control";
        machine.bulkSocket = ports / "bulk";
        machine.netSocket = ports / "net";
        machine.consoleSocket = ports / "console";
        machine.consoleLog = folder / "console.log";
        machine.acceleration = Acceleration::Emulate;
        machine.hostTscKhz = hostTscKhz();
        machine.emulator = COLDFRAME_QEMU_WRAPPER;
        SystemProcessRunner runner;
        QVERIFY(createOverlay(runner, machine.backingChain, machine.overlay, 0).has_value());

        LibvirtHypervisor hypervisor(machine.owner);
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<DomainEvent> stopped;
        hypervisor.setEventHandler([&](const DomainEvent& event) {
            const std::lock_guard lock(mutex);
            if (event.kind == DomainEvent::Kind::Stopped) {
                stopped = event;
                changed.notify_all();
            }
        });
        // A failed check must not leave a microVM behind.
        const auto end = qScopeGuard([&] {
            hypervisor.setEventHandler({});
            (void)hypervisor.destroy(machine.sandboxId);
        });
        const auto begin = Clock::now();
        const auto started = hypervisor.start(machine);
        QVERIFY2(started.has_value(), started ? "" : started.error().detail.c_str());

        Seen seen;
        {
            asio::io_context io;
            auto connection = channel::makeConnection(io, connectTo(machine.controlSocket), {});
            asio::co_spawn(io, story(io, *connection, begin, seen), asio::detached);
            io.run_for(kReadyLimit + 60s);
        }
        const auto console = readFile(machine.consoleLog).value_or("");
        const auto context = seen.problem + " console: " + console + " exec: " + seen.echo.problem;
        QVERIFY2(seen.problem.empty(), context.c_str());
        QVERIFY2(seen.echo.output == "from the inside\n", context.c_str());
        QCOMPARE(seen.echo.exitCode, 0);
        QCOMPARE(seen.inside.exitCode, 7);
        const QString inside = QString::fromStdString(seen.inside.output);
        QVERIFY2(inside.startsWith("agent\n1234\nframe\nhello\n/home/agent\n"), qPrintable(inside));
        // A guest without a network card: nothing but what init itself made.
        QVERIFY2(!inside.contains("eth") && !inside.contains("ens"), qPrintable(inside));
        if (!machine.readOnlyDisks.empty()) {
            QVERIFY2(inside.contains("claude"), qPrintable(inside));
        }
        QVERIFY2(seen.shutdown.find("true") != std::string::npos, seen.shutdown.c_str());
        std::unique_lock lock(mutex);
        QVERIFY(changed.wait_for(lock, 30s, [&] { return stopped.has_value(); }));
        QCOMPARE(stopped->reason, StopReason::Shutdown);
        lock.unlock();
    }
};

int main(int argumentCount, char** arguments)
{
    if (::getuid() == 0) {
        std::puts("SKIP: libvirt's session mode needs an ordinary user; tests/run starts this as one");
        return 77;
    }
    QCoreApplication application(argumentCount, arguments);
    BootExecTest test;
    return QTest::qExec(&test, argumentCount, arguments);
}

#include "boot_exec_test.moc"
