// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/agent.h"

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/credential_scan.h"
#include "guest/agent/encoding.h"
#include "guest/agent/environment.h"
#include "guest/agent/setup.h"
#include "guest/agent/shutdown.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>
#include <time.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxSetupBytes = 32u << 20;
constexpr std::size_t kMaxEnvironmentFile = 1u << 20;

std::string header(const channel::Stream& stream, const std::string& name)
{
    const auto& headers = stream.peerHeaders();
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

asio::awaitable<void> answer(channel::StreamPtr stream, std::string status, std::string body)
{
    const auto responded = stream->respond({{":status", status}, {"content-type", "application/json"}});
    if (!responded) {
        co_return;
    }
    const auto written =
        co_await stream->write(std::span(reinterpret_cast<const std::uint8_t*>(body.data()), body.size()));
    if (written) {
        stream->finish();
    }
}

std::string errorBody(const Error& error)
{
    return Json{{"code", errorCodeName(error.code)}, {"message", error.message}, {"detail", error.detail}}
        .dump(-1, ' ', true, Json::error_handler_t::replace);
}

asio::awaitable<void> answer(channel::StreamPtr stream, const Error& error)
{
    const bool theirs = error.code == ErrorCode::InvalidArgument || error.code == ErrorCode::Protocol;
    const bool conflict = error.code == ErrorCode::AlreadyExists || error.code == ErrorCode::Busy;
    const std::string status = theirs ? "400" : conflict ? "409" : "500";
    const std::string body = errorBody(error);
    co_await answer(stream, status, body);
}

double secondsBetween(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to)
{
    return std::chrono::duration<double>(to - from).count();
}

std::string bootId()
{
    std::string id = readFile("/proc/sys/kernel/random/boot_id", 256).value_or("");
    std::erase(id, '\n');
    return id;
}

} // namespace

Agent::Agent(asio::io_context& io, Reaper& reaper, AgentOptions options, AgentHooks hooks)
    : m_io(io), m_options(std::move(options)), m_hooks(std::move(hooks)), m_reaper(reaper),
      m_execs(io, m_reaper, [this](const ExecRequest& request) { return prepareExec(request); },
              [this] { return m_options.limits ? m_options.limits->entrance() : UniqueFd(); }),
      m_java(m_options.root)
{
}

asio::awaitable<void> Agent::serveControl(channel::Connection& connection)
{
    return serve(connection, &Agent::control);
}

asio::awaitable<void> Agent::serveBulk(channel::Connection& connection)
{
    return serve(connection, &Agent::bulk);
}

asio::awaitable<void> Agent::serve(channel::Connection& connection, Handler handler)
{
    const auto established = co_await connection.establish();
    if (!established) {
        logError("agent", established.error().message);
    }
    for (;;) {
        auto stream = co_await connection.accept();
        if (stream) {
            asio::co_spawn(m_io, (this->*handler)(*stream), asio::detached);
        } else {
            co_await pause(m_io, std::chrono::milliseconds(20)); // then the host's next session
        }
    }
}

asio::awaitable<void> Agent::control(channel::StreamPtr stream)
{
    const std::string method = header(*stream, ":method");
    const std::string path = header(*stream, ":path");
    if (method == "GET" && path == "/status") {
        co_await answer(stream, "200", statusJson());
    } else if (method == "POST" && path == "/prepare") {
        co_await prepare(stream);
    } else if (method == "POST" && path == "/setup") {
        co_await setup(stream);
    } else if (method == "POST" && path == "/renew") {
        co_await renew(stream);
    } else if (method == "POST" && path == "/exec") {
        co_await m_execs.serve(stream);
    } else if (method == "GET" && path == "/usage") {
        const std::string usage = usageJson();
        co_await answer(stream, "200", usage);
    } else if (method == "POST" && path == "/limits") {
        co_await setLimits(stream);
    } else if (method == "GET" && path == "/credentials") {
        const std::string list = Json{{"files", findCredentials(m_options.root)}}.dump(-1, ' ', true, Json::error_handler_t::replace);
        co_await answer(stream, "200", list);
    } else if (method == "POST" && path == "/attach") {
        co_await m_execs.serveAttach(stream);
    } else if (method == "GET" && path == "/sessions") {
        const std::string list = m_execs.listJson();
        co_await answer(stream, "200", list);
    } else if (method == "POST" && path == "/sessions/end") {
        co_await endSession(stream);
    } else if (method == "POST" && path == "/flush") {
        const auto flushed = flushDisks();
        if (flushed) {
            co_await answer(stream, "200", "{}");
        } else {
            co_await answer(stream, flushed.error());
        }
    } else if (method == "POST" && path == "/shutdown") {
        co_await shutdown(stream);
    } else if (method == "POST" && path == "/trust") {
        co_await trust(stream);
    } else {
        co_await answer(stream, "404", "{}");
    }
}

asio::awaitable<void> Agent::bulk(channel::StreamPtr stream)
{
    const std::string method = header(*stream, ":method");
    if (m_state != State::Ready) {
        co_await answer(stream, "503", "{}");
    } else if (method == "POST" && header(*stream, ":path") == "/sync") {
        co_await syncWorkspace(stream);
    } else if (method == "CONNECT") {
        co_await connectPort(stream);
    } else {
        co_await answer(stream, "404", "{}");
    }
}

std::string Agent::statusJson() const
{
    const bool ready = m_state == State::Ready || m_state == State::ShuttingDown;
    struct timespec up
    {
    };
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    // The boot id is drawn at its first reading, so it is not looked at before the generator was reseeded.
    return Json{{"version", 1},
                {"state", ready ? "ready" : "waiting-setup"},
                {"bootId", ready ? bootId() : ""},
                {"generation", m_setup && ready ? m_setup->generation : ""},
                {"uptimeSeconds", static_cast<double>(up.tv_sec) + static_cast<double>(up.tv_nsec) / 1e9},
                {"dockerRunning", m_hooks.isDockerRunning && m_hooks.isDockerRunning()},
                {"processes", ready ? processCount() : 0}}
        .dump();
}

std::string Agent::usageJson() const
{
    const UserUsage usage = m_options.limits ? m_options.limits->usage() : UserUsage{};
    const DiskFill disk = diskFill(m_options.root.c_str());
    return Json{{"cpuMicroseconds", usage.cpuMicroseconds},
                {"processes", {{"now", usage.processes}, {"most", usage.mostProcesses}, {"refused", usage.refusedProcesses}}},
                {"memory", {{"bytes", usage.memoryBytes}, {"most", usage.mostMemoryBytes}, {"killed", usage.killedForMemory}}},
                {"disk", {{"bytes", disk.bytes}, {"freeBytes", disk.freeBytes}}},
                {"isLimited", m_options.limits && m_options.limits->isMade()},
                {"cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
                {"connections", m_hooks.connections ? m_hooks.connections() : 0},
                {"running", m_execs.runningCount()}}
        .dump();
}

asio::awaitable<void> Agent::setLimits(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, 4096);
    const auto request = body ? parseLimitsRequest(*body) : Result<LimitsRequest>(tl::unexpected(body.error()));
    if (!request) {
        co_await answer(stream, request.error());
        co_return;
    }
    if (m_state != State::Ready || !m_options.limits) {
        co_await answer(stream, "409", "{}");
        co_return;
    }
    m_options.limits->apply(*request);
    const std::string usage = usageJson();
    co_await answer(stream, "200", usage);
}

asio::awaitable<void> Agent::prepare(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, 4096);
    const auto request = body ? parsePrepareRequest(*body) : Result<PrepareRequest>(tl::unexpected(body.error()));
    if (m_state != State::WaitingSetup) {
        co_await answer(stream, "409", "{}");
        co_return;
    }
    if (!request) {
        co_await answer(stream, request.error());
        co_return;
    }
    const auto prepared = m_hooks.prepare ? m_hooks.prepare(*request) : Result<void>();
    const auto flushed = prepared ? flushDisks() : prepared;
    if (flushed) {
        co_await answer(stream, "200", "{}");
    } else {
        co_await answer(stream, flushed.error());
    }
}

asio::awaitable<void> Agent::setup(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, kMaxSetupBytes);
    if (!body) {
        co_await answer(stream, body.error());
        co_return;
    }
    auto request = parseSetupRequest(*body);
    if (!request) {
        co_await answer(stream, request.error());
        co_return;
    }
    while (m_state == State::SettingUp) {
        co_await pause(m_io, std::chrono::milliseconds(20));
    }
    if (m_state != State::WaitingSetup) {
        const bool same = m_setup && m_setup->generation == request->generation;
        const std::string status = same ? "200" : "409";
        co_await answer(stream, status, "{}");
        co_return;
    }
    m_state = State::SettingUp;
    const auto began = std::chrono::steady_clock::now();
    const auto agent = applySetup(m_options.root, *request);
    const auto applied = std::chrono::steady_clock::now();
    if (!agent) {
        m_state = State::WaitingSetup;
        logError("setup", agent.error().message + " " + agent.error().detail);
        co_await answer(stream, agent.error());
        co_return;
    }
    m_agent = *agent;
    m_setup = std::move(*request);
    m_setup->entropy.clear();
    m_setup->files.clear();
    if (m_hooks.afterSetup) {
        const auto more = co_await m_hooks.afterSetup(*m_setup, *m_agent);
        if (!more) {
            // Without its network a sandbox is offline, which is safe; the host is told and decides.
            m_state = State::WaitingSetup;
            logError("setup", more.error().message + " " + more.error().detail);
            co_await answer(stream, more.error());
            co_return;
        }
    }
    m_state = State::Ready;
    if (m_options.limits && !m_watch) {
        m_options.limits->apply(m_setup->limits);
        m_watch = std::make_unique<LimitWatch>(m_io, *m_options.limits, [this](const std::string& text) { m_execs.say(text); });
        m_execs.explainFailuresBy([this] { return m_watch->reason(); });
        asio::co_spawn(m_io, m_watch->run(), asio::detached);
    }
    const std::string took = Json{{"filesSeconds", secondsBetween(began, applied)},
                                  {"servicesSeconds", secondsBetween(applied, std::chrono::steady_clock::now())}}
                                 .dump();
    co_await answer(stream, "200", took);
}

asio::awaitable<void> Agent::renew(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, 16 * 1024);
    const auto request = body ? parseRenewRequest(*body) : Result<RenewRequest>(tl::unexpected(body.error()));
    if (m_state != State::Ready) {
        co_await answer(stream, "409", "{}");
        co_return;
    }
    const auto renewed = request ? applyRenewal(m_options.root, *request) : Result<void>(tl::unexpected(request.error()));
    if (!renewed) {
        logError("renew", renewed.error().message + " " + renewed.error().detail);
        co_await answer(stream, renewed.error());
        co_return;
    }
    m_setup->generation = request->generation;
    if (!request->hostName.empty()) {
        m_setup->hostName = request->hostName;
    }
    co_await answer(stream, "200", "{}");
}

asio::awaitable<void> Agent::trust(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, 1u << 20);
    if (!body) {
        co_await answer(stream, body.error());
        co_return;
    }
    const std::string name = "coldframe-" + std::to_string(std::hash<std::string>{}(*body));
    auto installed = installTrust(m_options.root, name, *body);
    if (installed) {
        installed = m_java.install();
    }
    if (installed) {
        co_await answer(stream, "200", "{}");
    } else {
        co_await answer(stream, installed.error());
    }
}

asio::awaitable<void> Agent::shutdown(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, 4096);
    const Json request = Json::parse(body.value_or(""), nullptr, false);
    double grace = 5;
    if (request.is_object() && request.contains("graceSeconds") && request["graceSeconds"].is_number()) {
        grace = std::clamp(request["graceSeconds"].get<double>(), 0.0, 120.0);
    }
    m_state = State::ShuttingDown;
    if (m_hooks.beforeShutdown) {
        co_await m_hooks.beforeShutdown();
    }
    const bool clean =
        co_await stopEverything(m_io, std::chrono::milliseconds(static_cast<long>(grace * 1000)));
    const std::string result = clean ? "{\"clean\":true}" : "{\"clean\":false}";
    co_await answer(stream, "200", result);
    // The answer still has to leave the port: nobody acknowledges at this level.
    co_await pause(m_io, std::chrono::milliseconds(300));
    powerOff();
}

asio::awaitable<void> Agent::endSession(channel::StreamPtr stream)
{
    const auto body = co_await channel::readBody(*stream, 4096);
    const auto request = body ? parseAttachRequest(*body) : Result<AttachRequest>(tl::unexpected(body.error()));
    if (!request) {
        co_await answer(stream, request.error());
        co_return;
    }
    const auto ended = co_await m_execs.end(request->id);
    if (ended) {
        co_await answer(stream, "200", "{}");
    } else {
        co_await answer(stream, "404", errorBody(ended.error()));
    }
}

Result<SpawnSpec> Agent::prepareExec(const ExecRequest& request)
{
    if (m_state != State::Ready || !m_agent) {
        return fail(ErrorCode::Unavailable, "The sandbox is not set up yet, or is stopping.");
    }
    // A runtime that was unpacked since; where there is none this looks into a dozen folders that do not exist.
    if (const auto told = m_java.install(); !told) {
        logWarning("exec", told.error().message + " " + told.error().detail);
    }
    SpawnSpec spec;
    spec.argv = request.argv;
    if (request.asRoot) {
        COLDFRAME_TRY(spec.account, loadAccount(m_options.root, "root"));
    } else {
        spec.account = *m_agent;
    }
    auto environment = m_setup->environment;
    const auto file = m_options.root / std::filesystem::path(kImageEnvironment).relative_path();
    environment.merge(imageEnvironment(readFile(file, kMaxEnvironmentFile).value_or(""))); // what the engine says goes before
    spec.environment = execEnvironment(spec.account, environment, request.environment);
    if (m_options.limits) {
        spec.openFiles = static_cast<long long>(m_options.limits->openFiles());
    }
    spec.cwd = request.cwd.empty() ? spec.account.home : request.cwd;
    return spec;
}

} // namespace coldframe::guest
