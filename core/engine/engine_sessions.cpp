// SPDX-License-Identifier: Apache-2.0
// Programs in a sandbox: sandbox.exec, sandbox.launch, session.*, and a key for a run.
#include "engine/engine.h"

#include "api/attachment_io.h"
#include "base/log.h"
#include "base/random.h"
#include "channel/pump.h"
#include "engine/sessions.h"

#include <nlohmann/json.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// Exec frames both ways between a client and the guest.
asio::awaitable<void> carry(Result<channel::StreamPtr> stream, api::AttachmentSocket socket)
{
    if (!stream) {
        (void)co_await api::writeFrames(socket, encodeExecFrame(ExecFrameType::Failure, api::encodeFailure(stream.error())));
        co_return;
    }
    std::error_code error;
    const auto executor = socket.get_executor();
    const int fd = socket.release(error);
    if (error) {
        co_return;
    }
    asio::posix::stream_descriptor descriptor(executor, fd);
    co_await channel::pump(**stream, descriptor);
}

asio::awaitable<void> carryExec(std::shared_ptr<Sandbox> sandbox, json specification, api::AttachmentSocket socket)
{
    const std::shared_ptr<void> use = sandbox->use();
    Result<channel::StreamPtr> stream = co_await sandbox->exec(std::move(specification));
    co_await carry(std::move(stream), std::move(socket));
}

asio::awaitable<void> carrySession(std::shared_ptr<Sandbox> sandbox, json how, api::AttachmentSocket socket)
{
    const std::shared_ptr<void> use = sandbox->use();
    Result<channel::StreamPtr> stream = co_await sandbox->attachSession(std::move(how));
    co_await carry(std::move(stream), std::move(socket));
}

asio::awaitable<void> takeRunKey(std::shared_ptr<Sandbox> sandbox, std::string service, api::AttachmentSocket socket)
{
    Result<SecretBuffer> key = co_await api::receiveSecret(socket);
    Result<void> outcome = key ? Result<void>() : tl::unexpected(key.error());
    if (key) {
        sandbox->setRunKey(service, std::move(*key));
    }
    co_await api::answerSecret(socket, std::move(outcome));
}

} // namespace

std::string Engine::offerExec(std::shared_ptr<Sandbox> sandbox, json specification)
{
    return m_server->offerAttachment(
        [sandbox, specification](api::AttachmentSocket socket) { return carryExec(sandbox, specification, std::move(socket)); });
}

std::string Engine::offerSession(std::shared_ptr<Sandbox> sandbox, const std::string& session, const json& params)
{
    const json how{{"id", session},
                   {"readOnly", params.value("readOnly", false)},
                   {"rows", params.value("rows", 0)},
                   {"columns", params.value("columns", 0)}};
    return m_server->offerAttachment(
        [sandbox, how](api::AttachmentSocket socket) { return carrySession(sandbox, how, std::move(socket)); });
}

asio::awaitable<Result<json>> Engine::execCall(std::string method, json params, api::CallContext& context)
{
    auto found = sandboxOf(params);
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    const std::shared_ptr<Sandbox> sandbox = *found;
    if (method == "sandbox.keys") {
        const std::string service = params.at("service");
        if (!m_o.parts.agents.knowsService(service)) {
            co_return fail(ErrorCode::NotFound, "There is no service named " + escapeForDisplay(service, 80) + ". See: coldframe keys ls");
        }
        co_return json{{"token", m_server->offerAttachment([sandbox, service](api::AttachmentSocket socket) {
            return takeRunKey(sandbox, service, std::move(socket));
        })}};
    }
    const bool isLaunch = method == "sandbox.launch";
    const auto arguments = params.value("arguments", std::vector<std::string>());
    json specification{{"id", randomHex(8)},
                       {"argv", params.value("argv", std::vector<std::string>())},
                       {"environment", params.value("environment", json::object())},
                       {"cwd", params.value("cwd", "")},
                       {"user", params.value("user", "agent")},
                       {"tty", params.value("tty", false)},
                       {"rows", params.value("rows", 24)},
                       {"columns", params.value("columns", 80)},
                       {"waitWorkspace", true},
                       {"agent", isLaunch}};
    if (isLaunch) {
        auto command = sandbox->launchCommand(arguments);
        if (!command) {
            co_return tl::unexpected(command.error());
        }
        specification["argv"] = *command;
    } else if (specification["argv"].empty()) {
        co_return fail(ErrorCode::InvalidArgument, "No command was given. For a shell: coldframe exec -it " +
                                                       sandbox->record().name + " bash");
    }
    specification["label"] = isLaunch ? sandbox->record().agent : sessionLabel(specification["argv"].get<std::vector<std::string>>());
    if (auto started = co_await sandbox->start(stepsOf(context)); !started) {
        co_return tl::unexpected(started.error());
    }
    // Arguments are for a program that starts; a pipe is no place for one that runs already.
    if (isLaunch && arguments.empty() && params.value("tty", false) && !params.value("new", false)) {
        const Result<std::vector<GuestSession>> sessions = co_await sessionsOf(sandbox);
        const GuestSession* running = sessions ? runningAgent(*sessions) : nullptr;
        if (running) {
            co_return json{{"token", offerSession(sandbox, running->id, params)}, {"session", running->id}, {"attached", true}};
        }
    }
    const std::string session = specification["id"];
    co_return json{{"token", offerExec(sandbox, std::move(specification))}, {"session", session}, {"attached", false}};
}

asio::awaitable<Result<json>> Engine::listSessions(json params)
{
    std::vector<std::shared_ptr<Sandbox>> asked = m_o.registry.all();
    const bool onlyOne = params.contains("sandbox");
    if (onlyOne) {
        auto found = sandboxOf(params);
        if (!found) {
            co_return tl::unexpected(found.error());
        }
        asked = {*found};
    }
    json list = json::array();
    json problems = json::array();
    for (const auto& sandbox : asked) {
        const Result<std::vector<GuestSession>> sessions = co_await sessionsOf(sandbox);
        if (!sessions && onlyOne) {
            co_return tl::unexpected(sessions.error());
        }
        if (!sessions) {
            problems.push_back(sessions.error().message);
            continue;
        }
        for (const GuestSession& session : *sessions) {
            list.push_back(sessionJson(session, *sandbox));
        }
    }
    co_return json{{"sessions", list}, {"problems", problems}};
}

asio::awaitable<Result<json>> Engine::sessionCall(std::string method, json params)
{
    if (method == "session.list") {
        co_return co_await listSessions(std::move(params));
    }
    if (method != "session.attach" && method != "session.end") {
        co_return tl::unexpected(api::unknownMethod(method));
    }
    auto found = sandboxOf(params);
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    const std::shared_ptr<Sandbox> sandbox = *found;
    const std::string wanted = params.value("session", "");
    if (method == "session.end" && wanted.empty()) {
        co_return fail(ErrorCode::InvalidArgument, "Which session is to end? They are listed by: coldframe sessions " + sandbox->record().name);
    }
    if (sandbox->state() == SandboxState::Starting) {
        const Steps quietly;
        (void)co_await sandbox->start(quietly); // waits for the start under way
    }
    if (method == "session.attach" && sandbox->state() == SandboxState::Paused) {
        const Steps quietly;
        if (auto resumed = co_await sandbox->start(quietly); !resumed) {
            co_return tl::unexpected(resumed.error());
        }
    }
    if (sandbox->state() != SandboxState::Running) {
        co_return fail(ErrorCode::Unavailable, "The sandbox " + sandbox->record().name + " is " + std::string(stateName(sandbox->state())) +
                                                   ", so it has no sessions. To start its agent: coldframe run " + sandbox->record().name);
    }
    const Result<std::vector<GuestSession>> sessions = co_await sessionsOf(sandbox);
    if (!sessions) {
        co_return tl::unexpected(sessions.error());
    }
    const Result<GuestSession> session = chooseSession(*sessions, wanted, sandbox->record().name);
    if (!session) {
        co_return tl::unexpected(session.error());
    }
    if (method == "session.attach") {
        co_return json{{"token", offerSession(sandbox, session->id, params)}, {"session", sessionJson(*session, *sandbox)}};
    }
    const json body{{"id", session->id}};
    const Result<std::string> ended = co_await sandbox->askGuest("POST", "/sessions/end", body.dump(), 10s);
    if (!ended) {
        co_return tl::unexpected(ended.error());
    }
    co_return json::object();
}

} // namespace coldframe::engine
