// SPDX-License-Identifier: Apache-2.0
#include "run_grammar.h"

#include "api/path_encoding.h"
#include "output.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>

namespace coldframe::cli {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::size_t editDistance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

/// Where in the words of `exec` the program begins.
std::size_t execProgramStart(const std::vector<std::string>& words)
{
    static constexpr std::array<std::string_view, 8> kValued = {"-e", "--env", "-w", "--workdir", "-u", "--user", "--detach-keys", "--record"};
    bool haveSandbox = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--" || (!word.starts_with("-") && haveSandbox)) {
            return i;
        }
        if (std::ranges::find(kValued, word) != kValued.end()) {
            ++i;
        } else if (!word.starts_with("-")) {
            haveSandbox = true;
        }
    }
    return words.size();
}

std::vector<std::string> agentNames(const json& agents)
{
    std::vector<std::string> names;
    for (const json& agent : agents) {
        names.push_back(textOf(agent, "name"));
    }
    return names;
}

} // namespace

SplitWords splitWords(const std::vector<std::string>& words)
{
    SplitWords split;
    const bool isExec = !words.empty() && words[0] == "exec";
    const std::size_t start = isExec ? execProgramStart(words)
                                     : static_cast<std::size_t>(std::ranges::find(words, "--") - words.begin());
    const auto middle = words.begin() + static_cast<std::ptrdiff_t>(start);
    split.own.assign(words.begin(), middle);
    split.passed.assign(middle, words.end());
    if (!split.passed.empty() && split.passed.front() == "--") {
        split.separated = true;
        split.passed.erase(split.passed.begin());
    }
    return split;
}

Workspace parseWorkspace(const std::string& word, const std::string& currentFolder)
{
    Workspace workspace;
    std::string path = word;
    std::error_code ignored;
    for (const bool readOnly : {true, false}) {
        const std::string_view suffix = readOnly ? ":ro" : ":rw";
        if (path.size() > suffix.size() && path.ends_with(suffix)) {
            const std::string stripped = path.substr(0, path.size() - suffix.size());
            const fs::path base(currentFolder);
            if (!fs::exists(base / stripped, ignored) && fs::exists(base / path, ignored)) {
                break; // the name itself ends so
            }
            workspace.readOnly = readOnly;
            path = stripped;
            break;
        }
    }
    if (path.empty()) {
        path = ".";
    }
    std::string absolute = (fs::path(currentFolder) / path).lexically_normal().native();
    while (absolute.size() > 1 && absolute.back() == '/') {
        absolute.pop_back();
    }
    workspace.path = absolute;
    return workspace;
}

Result<std::string> resolveAgent(const std::string& word, const json& agents)
{
    std::vector<std::string> known;
    for (const json& agent : agents) {
        const std::string name = textOf(agent, "name");
        known.push_back(name);
        if (word == name) {
            return name;
        }
        for (const json& alias : agent.value("aliases", json::array())) {
            if (alias == word) {
                return name;
            }
            if (alias.is_string()) {
                known.push_back(alias);
            }
        }
    }
    std::string list;
    for (const std::string& name : agentNames(agents)) {
        list += (list.empty() ? "" : ", ") + name;
    }
    const std::string near = closest(word, known);
    return fail(ErrorCode::NotFound, "There is no agent “" + word + "”" +
                                         (near.empty() ? "." : "; did you mean “" + near + "”?") + " Agents: " + list +
                                         ".");
}

Result<RunTarget> resolveRunTarget(const std::string& word, const json& sandboxes, const json& agents)
{
    std::string byPrefix;
    int prefixes = 0;
    std::vector<std::string> names;
    for (const json& sandbox : sandboxes) {
        const std::string id = textOf(sandbox, "id");
        names.push_back(textOf(sandbox, "name"));
        if (names.back() == word || id == word) {
            return RunTarget{id, {}};
        }
        if (word.size() >= 4 && id.starts_with(word)) {
            byPrefix = id;
            ++prefixes;
        }
    }
    Result<std::string> agent = resolveAgent(word, agents);
    if (agent) {
        return RunTarget{{}, *agent};
    }
    if (prefixes == 1) {
        return RunTarget{byPrefix, {}};
    }
    if (prefixes > 1) {
        return fail(ErrorCode::InvalidArgument, "Several sandboxes begin with " + word + "; write more of the id.");
    }
    const std::string near = closest(word, names);
    if (!near.empty()) {
        return fail(ErrorCode::NotFound,
                    "There is no sandbox or agent “" + word + "”; did you mean the sandbox “" + near + "”?");
    }
    Error error = agent.error();
    error.message.replace(0, std::string_view("There is no agent").size(), "There is no sandbox or agent");
    return tl::unexpected(error);
}

std::string findExisting(const json& sandboxes, const std::string& agent, const std::string& encodedPath,
                         const std::string& name)
{
    for (const json& sandbox : sandboxes) {
        const json workspaces = sandbox.value("workspaces", json::array());
        const bool sameFolder = !workspaces.empty() && textOf(workspaces[0], "path") == encodedPath;
        if (sameFolder && textOf(sandbox, "agent") == agent && (name.empty() || textOf(sandbox, "name") == name)) {
            return textOf(sandbox, "id");
        }
    }
    return {};
}

Result<std::string> runningSandbox(const json& sandboxes, const std::string& currentFolder)
{
    std::vector<std::string> running;
    std::vector<std::string> here;
    std::string names;
    for (const json& sandbox : sandboxes) {
        if (textOf(sandbox, "state") != "running") {
            continue;
        }
        running.push_back(textOf(sandbox, "id"));
        names += (names.empty() ? "" : ", ") + textOf(sandbox, "name");
        for (const json& workspace : sandbox.value("workspaces", json::array())) {
            const Result<std::string> path = api::decodePath(textOf(workspace, "path"));
            if (path && (currentFolder == *path || currentFolder.starts_with(*path + "/"))) {
                here.push_back(running.back());
                break;
            }
        }
    }
    if (running.empty()) {
        return fail(ErrorCode::NotFound, "No sandbox runs. To start one: coldframe run AGENT");
    }
    if (here.size() == 1 || running.size() == 1) {
        return here.size() == 1 ? here.front() : running.front();
    }
    return fail(ErrorCode::InvalidArgument, "Several sandboxes run (" + names + "); name one of them.");
}

Result<int> parseMemory(const std::string& text)
{
    std::string digits = text;
    int factor = 1;
    if (!digits.empty()) {
        const char unit = digits.back();
        if (unit == 'g' || unit == 'G') {
            factor = 1024;
        }
        if (factor != 1 || unit == 'm' || unit == 'M') {
            digits.pop_back();
        }
    }
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value <= 0 || value > (1 << 20) / factor ||
        value * factor < 512) {
        return fail(ErrorCode::InvalidArgument,
                    "“" + text + "” is no amount of memory; write for example 4g or 2048m (at least 512m).");
    }
    return value * factor;
}

std::string closest(const std::string& word, const std::vector<std::string>& candidates)
{
    std::string best;
    std::size_t bestDistance = word.size() <= 4 ? 2 : 3; // at most one mistake in short words, two in long ones
    for (const std::string& candidate : candidates) {
        const std::size_t distance = editDistance(word, candidate);
        if (distance < bestDistance) {
            bestDistance = distance;
            best = candidate;
        }
    }
    return best;
}

} // namespace coldframe::cli
