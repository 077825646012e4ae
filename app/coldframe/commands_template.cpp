// SPDX-License-Identifier: Apache-2.0
// save, template, rollback, fork.
#include "base/log.h"
#include "commands.h"
#include "output.h"

namespace coldframe::cli {

using nlohmann::json;

Result<int> saveCommand(EngineLink& engine, const TemplateOptions& options)
{
    COLDFRAME_TRY(const json saved, engine.callWithProgress("template.save", {{"sandbox", options.sandbox}, {"name", options.name}, {"memory", options.memory}}));
    printLine(options.name);
    const json files = saved.value("credentials", json::array());
    if (!files.empty()) {
        printNote("The template holds files that look like credentials; every sandbox made of it has them:");
        for (const json& file : files) {
            printNote("  " + (file.is_string() ? escapeForDisplay(file.get<std::string>()) : std::string("?")));
        }
    }
    return kOk;
}

Result<int> templateList(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json answer, engine.call("template.list"));
    if (options.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"NAME", "AGENT", "FROM", "SAVED", "SIZE", "MEMORY"});
    for (const json& item : answer.value("templates", json::array())) {
        if (options.quiet) {
            printLine(textOf(item, "name"));
            continue;
        }
        table.add({textOf(item, "name"), textOf(item, "agent"), textOf(item, "sandbox"), textOf(item, "createdAt"),
                   std::to_string(item.value("bytes", std::uint64_t{0}) / 1'000'000) + " MB", item.value("hasMemory", false) ? "yes" : "no"});
    }
    if (!options.quiet) {
        table.print();
    }
    return kOk;
}

Result<int> templateRemove(EngineLink& engine, const std::vector<std::string>& names)
{
    int code = kOk;
    for (const std::string& name : names) {
        if (const Result<json> removed = engine.call("template.remove", {{"template", name}}); !removed) {
            printError(removed.error());
            code = code == kOk ? exitCodeOf(removed.error().code) : code;
        }
    }
    return code;
}

Result<int> rollbackCommand(EngineLink& engine, const TemplateOptions& options)
{
    json params{{"sandbox", options.sandbox}, {"template", options.name}, {"force", options.force}};
    Result<json> done = engine.callWithProgress("sandbox.rollback", params);
    if (!done && done.error().code == ErrorCode::Busy && !options.force && confirm(done.error().message + " Go on all the same?")) {
        params["force"] = true;
        done = engine.callWithProgress("sandbox.rollback", params);
    }
    if (!done) {
        return tl::unexpected(done.error());
    }
    if (const std::string notice = textOf(*done, "notice"); !notice.empty()) {
        printNote(notice);
    }
    printLine(textOf(*done, "name"));
    return kOk;
}

Result<int> forkCommand(EngineLink& engine, const ForkOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.callWithProgress("sandbox.fork", {{"sandbox", options.sandbox},
                                                                             {"count", options.count},
                                                                             {"name", options.name},
                                                                             {"share", options.share}}));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    for (const json& fork : answer.value("sandboxes", json::array())) {
        printLine(textOf(fork, "name"));
    }
    return kOk;
}

} // namespace coldframe::cli
