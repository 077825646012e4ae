// SPDX-License-Identifier: Apache-2.0
// attach, sessions.
#include "commands.h"
#include "output.h"
#include "raw_terminal.h"
#include "run_grammar.h"
#include "terminal_attach.h"

#include <algorithm>
#include <unistd.h>

namespace coldframe::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kShownId = 8;

std::string stateOf(const json& session)
{
    if (textOf(session, "state") != "ended") {
        return "running";
    }
    const int signal = session.value("signal", 0);
    return signal != 0 ? "ended by signal " + std::to_string(signal) : "ended with " + std::to_string(session.value("exitCode", 0));
}

/// The list gives as much of an id as tells it from the others.
std::size_t shownLength(const json& sessions)
{
    std::size_t length = kShownId;
    for (const json& one : sessions) {
        for (const json& other : sessions) {
            const std::string a = textOf(one, "id");
            const std::string b = textOf(other, "id");
            while (a != b && length < std::max(a.size(), b.size()) && a.substr(0, length) == b.substr(0, length)) {
                ++length;
            }
        }
    }
    return length;
}

} // namespace

Result<int> attachCommand(EngineLink& engine, const SessionOptions& options)
{
    AttachOptions attach;
    COLDFRAME_TRY(attach.detachKeys, DetachKeys::parse(options.detachKeys));
    std::string sandbox = options.sandbox;
    if (sandbox.empty()) {
        COLDFRAME_TRY(const json list, engine.call("sandbox.list"));
        COLDFRAME_TRY(const std::string folder, currentFolder());
        COLDFRAME_TRY(sandbox, runningSandbox(list.value("sandboxes", json::array()), folder));
    }
    const TerminalSize size = terminalSize();
    const bool isTerminal = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
    json params = {{"sandbox", sandbox}, {"readOnly", options.readOnly}};
    if (!options.session.empty()) {
        params["session"] = options.session;
    }
    if (isTerminal) {
        params["rows"] = size.rows;
        params["columns"] = size.columns;
    }
    COLDFRAME_TRY(const json offered, engine.call("session.attach", params));
    const json session = offered.value("session", json::object());
    if (!options.readOnly && !isTerminal && session.value("tty", false)) {
        return fail(ErrorCode::InvalidArgument, "This session has a terminal, and here is none. To look at it only: coldframe attach --read-only");
    }
    attach.tty = isTerminal && session.value("tty", false);
    if (!options.record.file.empty()) {
        if (!attach.tty) {
            return fail(ErrorCode::InvalidArgument, "Only what a terminal shows is recorded, and this session or this command has none.");
        }
        COLDFRAME_TRY(attach.recording, SessionRecording::open(options.record));
    }
    attach.title = textOf(session, "label");
    attach.interactive = isTerminal || !options.readOnly;
    attach.readOnly = options.readOnly;
    attach.attachAgain = "coldframe attach " + textOf(session, "sandboxName") + " " + textOf(session, "id").substr(0, kShownId);
    COLDFRAME_TRY(const UniqueFd socket, engine.take(offered));
    const Result<int> code = attachStreams(socket.get(), std::move(attach));
    if (!code) {
        printError(code.error());
        return kStreamFailed;
    }
    return *code;
}

Result<int> sessionsCommand(EngineLink& engine, const SessionOptions& options)
{
    if (options.end) {
        COLDFRAME_CHECK(engine.call("session.end", {{"sandbox", options.sandbox}, {"session", options.session}}));
        if (!options.quiet) {
            printLine(options.session);
        }
        return kOk;
    }
    json params = json::object();
    if (!options.sandbox.empty()) {
        params["sandbox"] = options.sandbox;
    }
    COLDFRAME_TRY(const json answer, engine.call("session.list", params));
    if (options.json) {
        printJson(answer);
        return kOk;
    }
    const json sessions = answer.value("sessions", json::array());
    const std::size_t length = shownLength(sessions);
    Table table({"SESSION", "SANDBOX", "PROGRAM", "STARTED", "ATTACHED", "SIZE", "STATUS"});
    for (const json& session : sessions) {
        const std::string id = textOf(session, "id").substr(0, length);
        if (options.quiet) {
            printLine(id);
            continue;
        }
        const std::string size = session.value("tty", false)
                                     ? std::to_string(session.value("columns", 0)) + "x" + std::to_string(session.value("rows", 0))
                                     : "-";
        table.add({id, textOf(session, "sandboxName"), textOf(session, "label"), textOf(session, "startedAt"),
                   std::to_string(session.value("viewers", 0)), size, stateOf(session)});
    }
    if (!options.quiet) {
        table.print();
    }
    for (const json& problem : answer.value("problems", json::array())) {
        printNote("coldframe: " + (problem.is_string() ? problem.get<std::string>() : problem.dump()));
    }
    return kOk;
}

} // namespace coldframe::cli
