// SPDX-License-Identifier: Apache-2.0
// network ask, network questions, network answer: unknown hosts, decided by somebody at a terminal.
#include "commands.h"

#include "base/log.h"
#include "output.h"

#include <array>
#include <map>
#include <unistd.h>

namespace coldframe::cli {

using nlohmann::json;

namespace {

struct Choice
{
    char key;
    const char* verdict;
    const char* span;
    const char* what;
    const char* text;
};

constexpr std::array kChoices{
    Choice{'o', "allow", "once", "host", "[o]nce"},
    Choice{'r', "allow", "session", "host", "this [r]un"},
    Choice{'s', "allow", "sandbox", "host", "this [s]andbox"},
    Choice{'d', "allow", "sandbox", "domain", "its whole [d]omain"},
    Choice{'e', "allow", "always", "host", "[e]very sandbox"},
    Choice{'n', "deny", "once", "host", "[n]o"},
    Choice{'b', "deny", "sandbox", "host", "[b]lock it for this sandbox"},
};

std::string targetOf(const json& question)
{
    const std::string host = textOf(question, "host");
    const auto port = question.find("port");
    const bool isV6 = host.find(':') != std::string::npos;
    return (isV6 ? '[' + host + ']' : host) + (port != question.end() && port->is_number_integer() ? ':' + std::to_string(port->get<int>()) : "");
}

std::string requestOf(const json& question)
{
    const std::string method = textOf(question, "method");
    return method.empty() ? textOf(question, "protocol") : method + ' ' + textOf(question, "path").substr(0, 200);
}

/// The key that was typed; nothing at the end of the input or when interrupted.
std::optional<char> readKey()
{
    std::array<char, 64> line{};
    const ssize_t size = ::read(STDIN_FILENO, line.data(), line.size());
    return size > 0 ? std::optional<char>(line[0]) : std::nullopt;
}

/// Ok: answered, or it waits no longer. Cancelled: nobody types any more.
Result<void> askOne(EngineLink& engine, const json& question, const std::string& name)
{
    std::string prompt = escapeForDisplay(name + " wants to reach " + targetOf(question) + " (" + requestOf(question) + ")", 600) + "\nAllow: ";
    const bool hasDomain = !textOf(question, "domain").empty();
    for (const Choice& choice : kChoices) {
        if (hasDomain || choice.what != std::string_view("domain")) {
            prompt += choice.key == 'n' ? "or " : "";
            prompt += choice.text;
            prompt += choice.key == 'b' ? "? " : ", ";
        }
    }
    for (;;) {
        (void)!::write(STDERR_FILENO, prompt.data(), prompt.size());
        const std::optional<char> key = readKey();
        if (!key) {
            return fail(ErrorCode::Cancelled, "Nobody answers any more.");
        }
        for (const Choice& choice : kChoices) {
            if (choice.key != *key) {
                continue;
            }
            const Result<json> answered = engine.call(
                "network.answer", {{"id", textOf(question, "id")}, {"verdict", choice.verdict}, {"for", choice.span}, {"what", choice.what}});
            if (!answered && answered.error().code != ErrorCode::NotFound) {
                return tl::unexpected(answered.error());
            }
            if (!answered) {
                printNote(answered.error().message);
            }
            return {};
        }
    }
}

} // namespace

Result<int> networkAsk(EngineLink& engine)
{
    if (!canAsk()) {
        return fail(ErrorCode::InvalidArgument, "Questions are asked on a terminal, and this is none. For scripts: coldframe network questions, and network answer.");
    }
    // Subscribed before the questions are listed, so that none falls between.
    COLDFRAME_TRY(const json snapshot, engine.call("events.subscribe"));
    COLDFRAME_TRY(const UniqueFd presence, engine.attach("network.attend", json::object()));
    std::map<std::string, std::string> names;
    for (const json& sandbox : snapshot.value("sandboxes", json::array())) {
        names[textOf(sandbox, "id")] = textOf(sandbox, "name");
    }
    printNote("Unknown hosts are asked about here until you press Ctrl-C.");
    const auto asked = [&](const json& question) -> Result<void> {
        const std::string id = textOf(question, "sandbox");
        const auto name = names.find(id);
        return askOne(engine, question, name == names.end() ? id : name->second);
    };
    COLDFRAME_TRY(const json waiting, engine.call("network.questions"));
    Result<void> done;
    for (const json& question : waiting.value("questions", json::array())) {
        done = done ? asked(question) : done;
    }
    while (done) {
        const Result<json> event = engine.nextEvent();
        if (!event) {
            done = tl::unexpected(event.error());
        } else if (textOf(*event, "type") == "sandbox.changed" && event->contains("sandbox")) {
            names[textOf((*event)["sandbox"], "id")] = textOf((*event)["sandbox"], "name");
        } else if (textOf(*event, "type") == "ask" && event->contains("question")) {
            done = asked((*event)["question"]);
        }
    }
    return done.error().code == ErrorCode::Cancelled ? Result<int>(kInterrupted) : tl::unexpected(done.error());
}

Result<int> networkQuestions(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json answer, engine.call("network.questions"));
    if (options.json) {
        printJson(answer);
        return kOk;
    }
    COLDFRAME_TRY(const json listed, engine.call("sandbox.list"));
    std::map<std::string, std::string> names;
    for (const json& sandbox : listed.value("sandboxes", json::array())) {
        names[textOf(sandbox, "id")] = textOf(sandbox, "name");
    }
    Table table({"ID", "SANDBOX", "HOST", "REQUEST", "LEFT"});
    for (const json& question : answer.value("questions", json::array())) {
        if (options.quiet) {
            printLine(textOf(question, "id"));
        } else {
            table.add({textOf(question, "id"), names[textOf(question, "sandbox")], targetOf(question), requestOf(question),
                       std::to_string(question.value("secondsLeft", 0)) + " s"});
        }
    }
    if (!options.quiet) {
        table.print();
    }
    return kOk;
}

Result<int> networkAnswer(EngineLink& engine, const AnswerOptions& options)
{
    COLDFRAME_TRY(const json answered, engine.call("network.answer", {{"id", options.question},
                                                                      {"verdict", options.verdict},
                                                                      {"for", options.span},
                                                                      {"what", options.isDomain ? "domain" : "host"}}));
    for (const json& pattern : answered.value("patterns", json::array())) {
        printLine(pattern.is_string() ? pattern.get<std::string>() : "");
    }
    return kOk;
}

} // namespace coldframe::cli
