// SPDX-License-Identifier: Apache-2.0
#include "proxy/refusal.h"

#include "base/log.h"

#include <nlohmann/json.hpp>

namespace coldframe::proxy {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestName = 300;
constexpr std::size_t kLongestReason = 500;
constexpr std::size_t kLongestPath = 1024;

std::string_view trimmed(std::string_view text)
{
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// In thousandths; what is no weight counts as none given (RFC 9110, section 12.4.2).
int weightOf(std::string_view parameters)
{
    while (!parameters.empty()) {
        const std::size_t end = parameters.find(';');
        const std::string_view one = trimmed(parameters.substr(0, end));
        parameters = end == std::string_view::npos ? std::string_view() : parameters.substr(end + 1);
        if (!one.starts_with("q=") || one.size() < 3 || one.size() > 7 || (one.size() > 3 && one[3] != '.')) {
            continue;
        }
        int weight = one[2] == '1' ? 1000 : 0;
        int place = 100;
        for (const char digit : one.substr(std::min<std::size_t>(4, one.size()))) {
            weight += digit >= '0' && digit <= '9' ? (digit - '0') * place : 0;
            place /= 10;
        }
        return std::min(weight, 1000);
    }
    return 1000;
}

/// The host as a rule's pattern and a word of a shell's.
std::string placeWord(const Identity& identity)
{
    const std::string host = escapeForDisplay(identity.host, kLongestName);
    if (host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_:") != std::string::npos) {
        return {}; // no name that a rule could hold
    }
    const bool isV6 = host.find(':') != std::string::npos;
    return (isV6 ? "'[" + host + "]" : host) + ":" + std::to_string(identity.port) + (isV6 ? "'" : "");
}

std::string place(const Refusal& refusal)
{
    return escapeForDisplay(refusal.identity.host, kLongestName) + ":" + std::to_string(refusal.identity.port);
}

std::string sentence(const Refusal& refusal)
{
    return (refusal.isBlocked ? "Coldframe blocked " : "Coldframe could not reach ") + place(refusal) + ". "
           + escapeForDisplay(refusal.reason, kLongestReason);
}

struct Command
{
    std::string words;
    const char* purpose;
};

std::vector<Command> commandsFor(const Refusal& refusal)
{
    const std::string word = placeWord(refusal.identity);
    if (word.empty() || !refusal.isBlocked) {
        return {};
    }
    const std::string here = refusal.sandbox.empty() ? "" : " -s " + refusal.sandbox;
    if (refusal.remedy == Remedy::Allow) {
        std::vector<Command> commands;
        if (!here.empty()) {
            commands.push_back({"coldframe policy allow" + here + " " + word, "for this sandbox"});
        }
        commands.push_back({"coldframe policy allow " + word, "for all sandboxes"});
        return commands;
    }
    if (refusal.remedy == Remedy::RemoveRule) {
        return {{"coldframe policy check" + here + " " + word, "shows the rules that speak about it"},
                {"coldframe policy rm" + here + " --id " + escapeForDisplay(refusal.ruleId, 80), "removes the rule that denies it, if it is this sandbox's"}};
    }
    return {};
}

std::string jsonBody(const Refusal& refusal)
{
    const std::vector<Command> commands = commandsFor(refusal);
    std::string hint = "Tell the user what happened if it goes on.";
    if (refusal.isBlocked) {
        hint = "Do not retry and do not look for a way around. Tell the user what was blocked";
        hint += commands.empty() ? "." : refusal.remedy == Remedy::Allow ? "; the user can allow it with: " : "; the user can look at it with: ";
        hint += commands.empty() ? "" : commands.front().words;
    }
    return Json({{"error", refusal.isBlocked ? "blocked_by_coldframe" : "upstream_unreachable"},
                 {"message", sentence(refusal)},
                 {"host", escapeForDisplay(refusal.identity.host, kLongestName)},
                 {"port", refusal.identity.port},
                 {"method", escapeForDisplay(refusal.method, 40)},
                 {"path", escapeForDisplay(refusal.path, kLongestPath)},
                 {"rule", escapeForDisplay(refusal.rule, kLongestName)},
                 {"reason", escapeForDisplay(refusal.reason, kLongestReason)},
                 {"hint", hint}})
               .dump(2, ' ', false, Json::error_handler_t::replace)
           + "\n";
}

std::string textBody(const Refusal& refusal)
{
    std::string text = sentence(refusal) + "\n";
    if (!refusal.rule.empty()) {
        text += "Rule: " + escapeForDisplay(refusal.rule, kLongestName) + "\n";
    }
    for (const Command& command : commandsFor(refusal)) {
        text += "  " + command.words + "   (" + command.purpose + ")\n";
    }
    return text;
}

std::string escapedForHtml(std::string_view text)
{
    std::string escaped;
    for (const char c : text) {
        switch (c) {
        case '&': escaped += "&amp;"; break;
        case '<': escaped += "&lt;"; break;
        case '>': escaped += "&gt;"; break;
        case '"': escaped += "&quot;"; break;
        case '\'': escaped += "&#39;"; break;
        default: escaped += c;
        }
    }
    return escaped;
}

std::string htmlBody(const Refusal& refusal)
{
    const auto shown = [](std::string_view text, std::size_t longest) { return escapedForHtml(escapeForDisplay(text, longest)); };
    const std::string title = refusal.isBlocked ? "Blocked by Coldframe" : "Not reached";
    std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
                       "<title>" + title + "</title>\n<style>body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em;"
                       "overflow-wrap:anywhere}h1{font-size:1.4em}</style>\n</head>\n<body>\n<h1>" + title + "</h1>\n"
                       "<p><strong>" + escapedForHtml(place(refusal)) + "</strong></p>\n<p>" + shown(refusal.reason, kLongestReason) + "</p>\n";
    if (refusal.isBlocked && !refusal.rule.empty()) {
        page += "<p>Rule: <code>" + shown(refusal.rule, kLongestName) + "</code></p>\n";
    }
    const std::vector<Command> commands = commandsFor(refusal);
    if (!commands.empty()) {
        page += refusal.remedy == Remedy::Allow ? "<p>To allow it, on the computer that this sandbox runs on:</p>\n<ul>\n"
                                                : "<p>To change it, on the computer that this sandbox runs on:</p>\n<ul>\n";
        for (const Command& command : commands) {
            page += "<li><code>" + escapedForHtml(command.words) + "</code><br>" + escapedForHtml(command.purpose) + "</li>\n";
        }
        page += "</ul>\n";
    }
    return page + "</body>\n</html>\n";
}

} // namespace

RefusalForm refusalForm(const HeaderList& headers)
{
    int json = 0;
    int html = 0;
    int text = 0;
    for (const std::string& member : headers.tokens("accept")) {
        const std::size_t end = member.find(';');
        const std::string_view type = trimmed(std::string_view(member).substr(0, end));
        const int weight = weightOf(end == std::string::npos ? std::string_view() : std::string_view(member).substr(end + 1));
        int* const best = type == "text/html" || type == "application/xhtml+xml" ? &html
                          : type == "text/plain"                                 ? &text
                          : type == "application/json" || type.ends_with("+json") || type == "application/x-ndjson"
                              ? &json
                              : nullptr;
        if (best) {
            *best = std::max(*best, weight);
        }
    }
    if (html > json && html >= text) {
        return RefusalForm::Html;
    }
    return text > json ? RefusalForm::Text : RefusalForm::Json;
}

std::string_view contentType(RefusalForm form)
{
    switch (form) {
    case RefusalForm::Html: return "text/html; charset=utf-8";
    case RefusalForm::Text: return "text/plain; charset=utf-8";
    case RefusalForm::Json: break;
    }
    return "application/json";
}

std::string refusalBody(RefusalForm form, const Refusal& refusal)
{
    switch (form) {
    case RefusalForm::Html: return htmlBody(refusal);
    case RefusalForm::Text: return textBody(refusal);
    case RefusalForm::Json: break;
    }
    return jsonBody(refusal);
}

} // namespace coldframe::proxy
