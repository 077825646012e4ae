// SPDX-License-Identifier: Apache-2.0
// The grammar: every command, its options and help, in one place.
#include "command_line.h"

#include "base/log.h"
#include "commands.h"
#include "interrupts.h"
#include "limit_options.h"
#include "output.h"
#include "run_grammar.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace coldframe::cli {

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 not found; 4 not available (engine, libvirt, image);\n"
    "5 refused (policy, permission, consent); 130 interrupted. run and exec leave with the program's own code,\n"
    "128 + N when signal N ended it, 127 no such program, 126 cannot be run, 125 the stream broke.\n"
    "Without arguments the window opens; “coldframe window --new-sandbox FOLDER” opens it at New Sandbox.";

constexpr const char* kDetachKeysHelp = "Keys that leave the session running (default: ctrl-p,ctrl-q), or none";

using Action = std::function<Result<int>(EngineLink&)>;

/// Owns what the option parser writes into. The parser keeps references, so it never moves.
struct Grammar
{
    CLI::App app{"Runs AI coding agents, each in a microVM of its own.", "coldframe"};
    SplitWords words;
    RunOptions run;
    ExecOptions exec;
    SessionOptions session;
    ReplayOptions replay;
    ListOptions list;
    LifeOptions life;
    TemplateOptions kept;
    ForkOptions fork;
    LimitOptions limits;
    PruneOptions pruned;
    LogOptions log;
    ProxyOptions proxy;
    AnswerOptions answer;
    RuleOptions rule;
    PresetOptions presets;
    SuggestOptions suggest;
    TightenOptions tighten;
    SyncOptions sync;
    ImageOptions image;
    KeyOptions key;
    std::vector<std::string> names;
    std::string word;
    bool flag = false;
    Action action;
    std::string command;

    explicit Grammar(SplitWords split);
    CLI::App* add(CLI::App* parent, const std::string& name, const std::string& text, Action todo);
    CLI::App* group(const std::string& name, const std::string& text);
    void addRun(const std::string& name, const std::string& text);
    void addExec();
    void addSessions();
    void addLists();
    void addLife(const std::string& name, const std::string& verb, const std::string& text);
    void addTemplates();
    void addKeys();
    void addNetwork();
    void addPolicy();
    void addImages();
    void addState();
    void addListFlags(CLI::App* added);
};

CLI::App* Grammar::group(const std::string& name, const std::string& text)
{
    CLI::App* added = app.add_subcommand(name, text);
    added->require_subcommand(1);
    return added;
}

CLI::App* Grammar::add(CLI::App* parent, const std::string& name, const std::string& text, Action todo)
{
    CLI::App* added = parent->add_subcommand(name, text);
    const std::string full = parent == &app ? name : parent->get_name() + " " + name;
    added->callback([this, full, todo = std::move(todo)] {
        command = full;
        action = todo;
    });
    return added;
}

void Grammar::addListFlags(CLI::App* added)
{
    added->add_flag("--json", list.json, "Print JSON");
    added->add_flag("-q,--quiet", list.quiet, "Print names only");
}

void Grammar::addRun(const std::string& name, const std::string& text)
{
    const bool isRun = name == "run";
    CLI::App* added = add(&app, name, text, [this, isRun](EngineLink& engine) {
        run.arguments = words.passed;
        return isRun ? runCommand(engine, run) : createCommand(engine, run);
    });
    added->add_option("WORDS", run.words,
                      isRun ? "SANDBOX, or AGENT [WORKSPACE] [EXTRA[:ro]…]" : "AGENT [WORKSPACE] [EXTRA[:ro]…]")
        ->required();
    added->add_option("--name", run.name, "Name of the sandbox (default: <agent>-<folder>)")
        ->check([](const std::string& given) { return given.empty() ? "The name cannot be empty" : ""; });
    added->add_option("--network-allow", run.network.allow, "Allow a host, *.domain, CIDR, with optional :port");
    added->add_option("--network-deny", run.network.deny, "Deny a host, *.domain, CIDR, with optional :port");
    added->add_option("--policy", run.network.policy, "What happens with other hosts")
        ->check(CLI::IsMember({"allow", "deny", "open", "balanced", "locked"}));
    addLimitOptions(*added, run.limits, false);
    added->add_option("-t,--template", run.fromTemplate, "Start from a template that was saved");
    added->add_option("--image", run.image, "An image of your own (coldframe image ls)");
    added->add_flag("--accept-emulation", run.acceptEmulation, "Go on without KVM, with weaker isolation");
    added->add_flag("-q,--quiet", run.quiet, "Print the id only");
    if (isRun) {
        added->add_flag("-d,--detached", run.detached, "Start it, print its name, attach nothing");
        added->add_flag("--new", run.isNew, "Start the agent anew, though a session of it runs");
        added->add_option("--detach-keys", run.detachKeys, kDetachKeysHelp);
    } else {
        added->add_flag("--no-start", run.noStart, "Only create it");
    }
    for (const char* option : {"--network-allow", "--network-deny"}) {
        // One value each time, or the workspaces that follow would be taken for hosts; commas separate several.
        CLI::Option* hosts = added->get_option(option);
        hosts->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->delimiter(',');
    }
    added->footer("Everything after -- goes to the agent. The same agent and folder attach to the same sandbox, and to its agent's session\n"
                  "when one runs; with arguments, or without a terminal, the agent is started anew.");
}

void Grammar::addExec()
{
    CLI::App* added = add(&app, "exec", "Run a program in a sandbox", [this](EngineLink& engine) {
        exec.argv = words.passed;
        return execCommand(engine, exec);
    });
    added->add_option("SANDBOX", exec.sandbox, "Name or id; the program and its arguments follow")->required();
    added->add_flag("-i,--interactive", exec.interactive, "Send standard input");
    added->add_flag("-t,--tty", exec.tty, "Give it a terminal");
    added->add_option("-e,--env", exec.environment, "NAME=VALUE, or NAME to pass on")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    added->add_option("-w,--workdir", exec.folder, "Folder to run it in");
    added->add_option("-u,--user", exec.user, "agent or root");
    added->add_option("--detach-keys", exec.detachKeys, kDetachKeysHelp);
    addRecordOptions(*added, exec.record);
}

void Grammar::addSessions()
{
    CLI::App* attach = add(&app, "attach", "Attach to a program that runs in a sandbox", [this](EngineLink& e) { return attachCommand(e, session); });
    attach->add_option("SANDBOX", session.sandbox, "Name or id (default: the one of this folder, or the only one that runs)");
    attach->add_option("SESSION", session.session, "Id, or its beginning (default: the agent's, or the newest)");
    attach->add_flag("--read-only,--no-stdin", session.readOnly, "Only look: send no input, change no size");
    attach->add_option("--detach-keys", session.detachKeys, kDetachKeysHelp);
    addRecordOptions(*attach, session.record);
    attach->footer("A session goes on when its terminal is closed. Its exit code is this command's, 0 when it was left by the keys.");
    CLI::App* listed = add(&app, "sessions", "List what runs in the sandboxes and can be attached to",
                           [this](EngineLink& e) { return sessionsCommand(e, session); });
    CLI::Option* sandbox = listed->add_option("SANDBOX", session.sandbox, "Only of this one");
    listed->add_option_function<std::string>("--end", [this](const std::string& id) {
        session.end = true;
        session.session = id;
    }, "End this session of the sandbox")->needs(sandbox);
    listed->add_flag("--json", session.json, "Print JSON");
    listed->add_flag("-q,--quiet", session.quiet, "Print ids only");
    addReplayOptions(*add(&app, "replay", "Play a recording of a terminal", [this](EngineLink&) { return replayCommand(replay); }), replay);
}

void Grammar::addLists()
{
    addListFlags(add(&app, "ls", "List the sandboxes", [this](EngineLink& e) { return listCommand(e, list); })
                     ->alias("list"));
    addListFlags(add(&app, "agents", "List the agents", [this](EngineLink& e) { return agentsCommand(e, list); }));
    CLI::App* inspect = add(&app, "inspect", "Show everything about sandboxes, as JSON",
                            [this](EngineLink& e) { return inspectCommand(e, names); });
    inspect->add_option("SANDBOX", names, "Names or ids")->required();
    inspect->add_flag("--json", list.json, "Print JSON (always so)");
    CLI::App* diagnose = add(&app, "diagnose", "Check the machine and say what to do",
                             [this](EngineLink& e) { return diagnoseCommand(e, list); });
    diagnose->add_flag("--json", list.json, "Print JSON");
    CLI::App* version =
        add(&app, "version", "Show the versions", [this](EngineLink& e) { return versionCommand(e, list); });
    version->add_flag("--json", list.json, "Print JSON");
    add(&app, "completion", "Print a completion script", [this](EngineLink&) { return completionCommand(word); })
        ->add_option("SHELL", word, "bash, zsh or fish")
        ->required();
}

void Grammar::addLife(const std::string& name, const std::string& verb, const std::string& text)
{
    CLI::App* added = add(&app, name, text, [this, verb](EngineLink& engine) {
        life.verb = verb;
        return lifeCommand(engine, life);
    });
    added->add_option("SANDBOX", life.sandboxes, "Names or ids")->required();
    if (verb == "stop" || verb == "reset" || verb == "remove") {
        added->add_flag("-f,--force", life.force, "Do not ask, do not wait");
    }
    if (verb == "reset") {
        added->add_flag("--undo", life.undo, "Bring the disk back that the last reset put aside");
    }
    added->add_flag("-q,--quiet", life.quiet, "Print nothing");
}

void Grammar::addTemplates()
{
    CLI::App* saved = add(&app, "save", "Save a sandbox as a template", [this](EngineLink& e) { return saveCommand(e, kept); });
    saved->add_option("SANDBOX", kept.sandbox, "Name or id")->required();
    saved->add_option("NAME", kept.name, "The template's name")->required();
    saved->add_flag("--memory", kept.memory, "With what runs in it, for going back to that moment");
    CLI::App* templates = group("template", "Saved sandboxes to start from");
    addListFlags(add(templates, "ls", "List templates", [this](EngineLink& e) { return templateList(e, list); }));
    add(templates, "rm", "Remove templates; sandboxes made of them stay whole", [this](EngineLink& e) { return templateRemove(e, names); })
        ->add_option("NAME", names, "Names")
        ->required();
    CLI::App* back = add(&app, "rollback", "Take a sandbox back to a template; the workspace is untouched",
                         [this](EngineLink& e) { return rollbackCommand(e, kept); });
    back->add_option("SANDBOX", kept.sandbox, "Name or id")->required();
    back->add_option("TEMPLATE", kept.name, "The template's name")->required();
    back->add_flag("-f,--force", kept.force, "Do not ask, do not wait");
    back->footer("coldframe reset --undo brings the disk back that a rollback put aside.");
    CLI::App* forked = add(&app, "fork", "Start copies of a sandbox as it is now", [this](EngineLink& engine) {
        fork.output = list;
        return forkCommand(engine, fork);
    });
    forked->add_option("SANDBOX", fork.sandbox, "Name or id")->required();
    forked->add_option("-n,--count", fork.count, "How many")->check(CLI::Range(1, 16));
    forked->add_option("--name", fork.name, "Name of the fork (default: <sandbox>-fork-N)");
    forked->add_flag("--share", fork.share, "Share the workspace read-only instead of copying it beside the original");
    forked->add_flag("--json", list.json, "Print JSON");
}

void Grammar::addKeys()
{
    CLI::App* keys = group("keys", "Keys in the keychain; a key is never part of a command line");
    const auto addWhose = [this](CLI::App* added) {
        added->add_option("--account", key.account, "One of several keys of the service, by a name of yours");
        added->add_option("--sandbox", key.sandbox, "For this sandbox alone");
    };
    CLI::App* set = add(keys, "set", "Store a key, read from a hidden prompt or from standard input",
                        [this](EngineLink& e) { return keysSet(e, key); });
    set->add_option("SERVICE", key.service, "For example anthropic")->required();
    addWhose(set);
    CLI::Option* program = set->add_option("--command", key.commandLine, "Instead: a program that prints the key (no shell)");
    set->add_option("--op", key.reference, "Instead: a reference for 1Password's op, as op://vault/item/field")->excludes(program);
    set->add_option("--refresh", key.lifetime, "Ask the program again after this time, as 15m (default 1h)");
    CLI::App* login = add(keys, "login", "Use a subscription's log-in (OAuth) instead of a key, kept and refreshed outside of the sandboxes",
                          [this](EngineLink& e) { return keysLogin(e, key); });
    login->add_option("SERVICE", key.service, "For example anthropic")->required();
    login->add_option("--from-file", key.file, "The agent's credentials file (default: where the agent on this computer keeps it); - is standard input");
    login->add_flag("--browser", key.isInBrowser, "Log in anew, in this computer's browser")->excludes("--from-file");
    addWhose(login);
    CLI::App* use = add(keys, "use", "Choose which account's key a sandbox uses", [this](EngineLink& e) { return keysUse(e, key); });
    use->add_option("SANDBOX", key.sandbox, "Name or id")->required();
    use->add_option("SERVICE", key.service, "For example openai")->required();
    use->add_option("ACCOUNT", key.account, "Its name; left out: the key without one");
    CLI::App* custom = add(keys, "custom", "Define a service of your own", [this](EngineLink& e) { return keysCustom(e, key); });
    custom->add_option("NAME", key.service, "Lower-case letters, digits, hyphens")->required();
    custom->add_option("--host", key.hosts, "A host that the key goes to; repeatable");
    custom->add_option("--header", key.header, "The header that carries it (default: Authorization)");
    custom->add_option("--format", key.format, "Its value, as \"Bearer {key}\" or \"Basic {base64:user:{key}}\"");
    custom->add_option("--placeholder", key.placeholder, "What stands inside instead of the key (default: made up for each sandbox)");
    custom->add_option("--env", key.variables, "A variable inside that holds the placeholder; repeatable");
    custom->add_option("--path", key.paths, "Only for paths that begin so; repeatable");
    custom->add_flag("--rm", key.remove, "Forget the service");
    CLI::App* hosts = add(keys, "hosts", "Name your hosts of a service, as for azure-openai", [this](EngineLink& e) { return keysHosts(e, key); });
    hosts->add_option("SERVICE", key.service, "For example azure-openai")->required();
    hosts->add_option("HOST", key.hosts, "For example mine.openai.azure.com")->required();
    addListFlags(add(keys, "ls", "List stored keys", [this](EngineLink& e) { return keysList(e, list); }));
    CLI::App* removed = add(keys, "rm", "Remove stored keys; running sandboxes lose them at once", [this](EngineLink& e) { return keysRemove(e, key); });
    removed->add_option("SERVICE", key.services, "Services")->required();
    addWhose(removed);
    add(keys, "import", "Store the keys that the environment holds", [this](EngineLink& e) { return keysImport(e, names); })
        ->add_option("SERVICE", names, "Only these services");
}

void Grammar::addNetwork()
{
    CLI::App* network = group("network", "What went out of the sandboxes");
    CLI::App* added = add(network, "log", "Show the connections tried", [this](EngineLink& engine) {
        log.output = list;
        return networkLog(engine, log);
    });
    added->add_option("SANDBOX", log.sandbox, "Only this sandbox");
    added->add_option("--limit", log.limit, "At most so many, the newest")->check(CLI::Range(1, 10000));
    added->add_option("--verdict", log.verdict, "Only these")->check(CLI::IsMember({"allowed", "denied", "error", "blocked"}));
    added->add_option("--host", log.host, "Only this host; \"*.example.com\" and the like for several");
    added->add_option("--rule", log.rule, "Only where the rule that decided holds this text");
    added->add_option("--process", log.process, "Only where the program's name holds this text");
    added->add_option("--method", log.method, "Only this HTTP method");
    added->add_option("--status", log.status, "Only this HTTP status, or a class: 404, 4xx");
    added->add_option("--how", log.how, "Only what travelled so")
        ->check(CLI::IsMember({"intercepted", "plain", "bypass", "raw", "refused", "reported"}));
    added->add_option("--text", log.text, "Only where host, path, rule, reason, address or program hold this text");
    added->add_option("--since", log.since, "Only from then on: 30m, 2h, 3d (ago), 2026-01-29, 2026-01-29T10:15:23Z");
    added->add_option("--until", log.until, "Only up to then");
    CLI::Option* following = added->add_flag("-f,--follow", log.follow, "Go on as they come");
    added->add_flag("--summary", log.isSummary, "One line for each host and rule, with how often and when last")->excludes(following);
    added->add_flag("--jsonl", log.isLines, "As JSON lines; without -f all that fits, oldest first, for a file");
    addListFlags(added);
    CLI::App* changed = add(network, "proxy", "Change what a sandbox may reach",
                            [this](EngineLink& engine) { return networkProxy(engine, proxy); });
    changed->add_option("SANDBOX", proxy.sandbox, "Name or id")->required();
    changed->add_option("--policy", proxy.policy, "What happens with other hosts")
        ->check(CLI::IsMember({"allow", "deny", "open", "balanced", "locked"}));
    const auto hosts = [changed](const char* option, std::vector<std::string>& into, const char* text) {
        changed->add_option(option, into, text)
            ->expected(1)
            ->allow_extra_args(false)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->delimiter(',');
    };
    hosts("--allow-host,--allow-cidr", proxy.allow, "Allow a host, *.domain or CIDR");
    hosts("--block-host,--block-cidr", proxy.deny, "Deny a host, *.domain or CIDR");
    hosts("--bypass-host,--bypass-cidr", proxy.bypass, "Tunnel TLS to a host, *.domain or CIDR uninspected, without keys");
    add(network, "ask", "Be asked about unknown hosts in this terminal, until Ctrl-C", [](EngineLink& engine) { return networkAsk(engine); });
    addListFlags(add(network, "questions", "List what waits for an answer", [this](EngineLink& engine) { return networkQuestions(engine, list); }));
    CLI::App* answered = add(network, "answer", "Answer one", [this](EngineLink& engine) { return networkAnswer(engine, answer); });
    answered->add_option("QUESTION", answer.question, "Its id")->required();
    answered->add_option("VERDICT", answer.verdict, "allow or deny")->required()->check(CLI::IsMember({"allow", "deny"}));
    answered->add_option("--for", answer.span, "How long it holds: this once, until the sandbox stops, for the sandbox, for all")
        ->check(CLI::IsMember({"once", "session", "sandbox", "always"}));
    answered->add_flag("--domain", answer.isDomain, "For its whole domain");
}

void Grammar::addPolicy()
{
    CLI::App* policy = group("policy", "Rules for what may be reached");
    const auto sandbox = [this](CLI::App* added) {
        added->add_option("-s,--sandbox", rule.sandbox, "For this sandbox; default: for all");
        return added;
    };
    CLI::App* listed = sandbox(add(policy, "ls", "List mode and rules", [this](EngineLink& engine) {
        rule.output = list;
        return policyList(engine, rule);
    }));
    addListFlags(listed);
    for (const char* verb : {"allow", "deny"}) {
        CLI::App* added = sandbox(add(policy, verb, std::string("Add rules that ") + verb,
                                      [this, verb](EngineLink& engine) {
                                          rule.output = list;
                                          return policyAdd(engine, verb, rule);
                                      }));
        added->add_option("PATTERN", rule.patterns, "host, *.domain, CIDR or all, with optional :port")->required();
        added->add_option("--method", rule.method, "Only this HTTP method");
        added->add_option("--path", rule.path, "Only these HTTP paths (* and **)");
        added->add_option("--note", rule.note, "Why");
        added->add_option("--expires", rule.expires, "Only for so long: 30m, 2h, 7d");
        added->add_flag("--session", rule.session, "Until the sandbox stops");
        added->add_flag("--json", list.json, "Print JSON");
    }
    CLI::App* removed =
        sandbox(add(policy, "rm", "Remove rules", [this](EngineLink& engine) { return policyRemove(engine, rule); }));
    removed->add_option("PATTERN", rule.patterns, "The rules' patterns");
    removed->add_option("--id", rule.id, "A rule's id");
    CLI::App* checked = sandbox(add(policy, "check", "Say what would happen, and which rule decides",
                                    [this](EngineLink& engine) {
                                        rule.output = list;
                                        return policyCheck(engine, rule);
                                    }));
    checked->add_option("HOST", rule.patterns, "HOST, HOST:PORT, an address or an URL")->required()->expected(1);
    checked->add_option("--method", rule.method, "For this HTTP method");
    checked->add_option("--path", rule.path, "For this path");
    checked->add_option("--port", rule.port, "Port (default 443)")->check(CLI::Range(1, 65535));
    checked->add_flag("--json", list.json, "Print JSON");
    sandbox(add(policy, "mode", "Show or set what happens without a rule",
                [this](EngineLink& engine) { return policyMode(engine, rule.sandbox, word); }))
        ->add_option("MODE", word, "open, balanced or locked");
    CLI::App* noted = sandbox(add(policy, "note", "Change a rule's note or its end", [this](EngineLink& engine) { return policyNote(engine, rule); }));
    noted->add_option("ID", rule.id, "The rule's id")->required();
    noted->add_option("--note", rule.note, "Why");
    noted->add_option("--expires", rule.expires, "Only for so long from now: 30m, 2h, 7d; never");
    CLI::App* groups = add(policy, "presets", "Show or switch the groups of hosts that balanced allows", [this](EngineLink& engine) {
        presets.output = list;
        return policyPresets(engine, presets);
    });
    groups->add_option("-s,--sandbox", presets.sandbox, "For this sandbox; default: for all");
    groups->add_option("--enable", presets.enable, "Switch it on");
    groups->add_option("--disable", presets.disable, "Switch it off");
    groups->add_option("--restore", presets.restore, "Back to what it is by itself");
    addListFlags(groups);
    CLI::App* suggested = sandbox(add(policy, "suggest", "Show what repeated answers and unused rules speak for; nothing changes by itself", [this](EngineLink& engine) {
        suggest.sandbox = rule.sandbox;
        suggest.output = list;
        return policySuggest(engine, suggest);
    }));
    suggested->add_option("--accept", suggest.accept, "Make the change with this id");
    suggested->add_option("--dismiss", suggest.dismiss, "Do not suggest it again for some months");
    addListFlags(suggested);
    CLI::App* tightened = add(policy, "tighten", "Make an allow-list of what a sandbox used", [this](EngineLink& engine) {
        tighten.output = list;
        return policyTighten(engine, tighten);
    });
    tightened->add_option("SANDBOX", tighten.sandbox, "Name or id")->required();
    tightened->add_option("--file", tighten.file, "Write it to a file, for: policy import --replace");
    tightened->add_flag("--accept", tighten.accept, "Lock the sandbox to it now");
    tightened->add_flag("--json", list.json, "Print JSON");
    sandbox(add(policy, "inspect", "Show everything that decides, as JSON", [this](EngineLink& engine) { return policyInspect(engine, rule); }));
    sandbox(add(policy, "export", "Write mode, presets and rules as JSON",
                [this](EngineLink& engine) { return policyExport(engine, rule, word); }))
        ->add_option("FILE", word, "Default: standard output");
    CLI::App* imported = sandbox(add(policy, "import", "Take them over from a file; all of it or nothing",
                                     [this](EngineLink& engine) { return policyImport(engine, rule, word, flag); }));
    imported->add_option("FILE", word, "The file; - for standard input")->required();
    imported->add_flag("--replace", flag, "In place of the rules there are, not beside them");
}

void Grammar::addImages()
{
    CLI::App* images = group("image", "The base image and your own");
    const auto addImage = [this, images](const char* name, const char* text, Result<int> (*todo)(EngineLink&, const ImageOptions&)) {
        return add(images, name, text, [this, todo](EngineLink& engine) {
            image.output = list;
            return todo(engine, image);
        });
    };
    add(images, "status", "Is the base image ready?", [this](EngineLink& e) { return imageStatus(e, list); })
        ->add_flag("--json", list.json, "Print JSON");
    CLI::App* build = addImage("build", "Build the base image, or one of your own from a recipe", imageBuild);
    build->add_option("RECIPE", image.recipe, "A recipe's file, or the folder with its coldframe-image.json");
    build->add_option("--name", image.name, "Name of the image (default: as the recipe says)");
    build->add_flag("--force", image.force, "Even when nothing changed");
    build->add_flag("--accept-emulation", image.acceptEmulation, "Go on without KVM, with weaker isolation");
    add(images, "update", "Build the base image anew and say which packages changed", [this](EngineLink& engine) {
        image.force = true;
        return imageBuild(engine, image);
    });
    addListFlags(addImage("ls", "List the images", imageList));
    CLI::App* inspect = addImage("inspect", "Show everything about an image, its packages too, as JSON", imageInspect);
    inspect->add_option("IMAGE", image.image, "Name or id")->required();
    inspect->add_flag("--json", list.json, "Print JSON (always so)");
    add(images, "rm", "Remove images that nothing uses", [this](EngineLink& e) { return imageRemove(e, names); })
        ->add_option("IMAGE", names, "Names or ids")
        ->required();
    add(images, "prune", "Remove images that lost their name to a newer one", [](EngineLink& e) { return imagePrune(e); });
    CLI::App* exported = addImage("export", "Write an image to a file, for another machine", imageExport);
    exported->add_option("IMAGE", image.image, "Name or id")->required();
    exported->add_option("FILE", image.file, "The file to make")->required();
    CLI::App* imported = addImage("import", "Make an image of a file that was exported, or of a Docker or OCI archive", imageImport);
    imported->add_option("FILE", image.file, "The file")->required();
    imported->add_option("--name", image.name, "Name of the image (default: as the file says)");
    imported->add_flag("--accept-emulation", image.acceptEmulation, "Go on without KVM, with weaker isolation");
    addImage("log", "Show what the last build of an image wrote", imageLog)->add_option("IMAGE", image.image, "Its name")->required();
}

void Grammar::addState()
{
    addImages();

    CLI::App* syncs = group("sync", "Workspaces and their state");
    using SyncCommand = Result<int> (*)(EngineLink&, const SyncOptions&);
    const auto addSync = [this, syncs](const char* name, const char* text, SyncCommand todo) {
        CLI::App* added = add(syncs, name, text, [this, todo](EngineLink& engine) {
            sync.output = list;
            return todo(engine, sync);
        });
        added->add_option("SANDBOX", sync.sandbox, "Name or id")->required();
        return added;
    };
    addSync("status", "In step, or what is to go", syncStatus)->add_flag("--json", list.json, "Print JSON");
    CLI::App* resume = addSync("resume", "Answer a pause", syncResume);
    resume->add_option("WORKSPACE", sync.path, "Default: the first");
    resume->add_option("--accept", sync.accept, "deletions: they are meant; root: the folder as it is now")
        ->required()
        ->check(CLI::IsMember({"deletions", "root"}));
    CLI::App* trash = addSync("trash", "Files that were replaced or deleted on this computer", syncTrash);
    trash->add_option("WORKSPACE", sync.path, "Default: the first");
    trash->add_flag("--json", list.json, "Print JSON");
    CLI::App* restore = addSync("restore", "Bring a file back", syncRestore);
    restore->add_option("ID", sync.id, "As sync trash prints it")->required();
    restore->add_option("WORKSPACE", sync.path, "Default: the first");

    CLI::App* engine = group("engine", "The program in the background");
    add(engine, "stop", "End it; it starts again with the next command", [this](EngineLink& e) { return engineStop(e, flag); })
        ->add_flag("-f,--force", flag, "Even when sandboxes run; they go on and are taken over");

    CLI::App* settings = group("settings", "Settings of this user");
    add(settings, "get", "Show them", [this](EngineLink& e) { return settingsGet(e, word); })
        ->add_option("KEY", word, "Only this one");
    add(settings, "set", "Change them", [this](EngineLink& e) { return settingsSet(e, names); })
        ->add_option("SETTING", names, "KEY=VALUE; JSON values, anything else is a text")
        ->required();
}

Grammar::Grammar(SplitWords split) : words(std::move(split))
{
    app.require_subcommand(1);
    app.footer(kFooter);
    app.set_version_flag("--version", COLDFRAME_VERSION);
    addRun("run", "Run an agent on a folder, or attach to a sandbox");
    addRun("create", "Create a sandbox and start it, attaching nothing");
    addExec();
    addSessions();
    addLists();
    addLife("start", "start", "Start sandboxes");
    addLife("stop", "stop", "Stop sandboxes; their disks stay");
    addLife("pause", "pause", "Freeze sandboxes: memory and disk stay, nothing runs");
    addLife("resume", "resume", "Let paused sandboxes go on where they were");
    addLife("reset", "reset", "Start afresh: a new disk, the workspace untouched");
    addLife("rm", "remove", "Remove sandboxes; the workspace is untouched");
    addTemplates();
    addLimitOptions(*add(&app, "set", "Change the limits of a sandbox, or show them", [this](EngineLink& e) { return setCommand(e, limits); }), limits, true);
    addPruneOptions(*add(&app, "prune", "Give up what nothing needs any more", [this](EngineLink& e) { return prune(e, pruned); }), pruned);
    addKeys();
    addNetwork();
    addPolicy();
    addState();
}

/// The parser's own sentences are about options; a mistyped command deserves a suggestion.
int reportParseError(const Grammar& grammar, const CLI::ParseError& error, const std::vector<std::string>& words)
{
    if (error.get_exit_code() == 0) {
        return grammar.app.exit(error, std::cout, std::cerr); // --help, --version
    }
    std::vector<std::string> known;
    for (const CLI::App* command : grammar.app.get_subcommands([](const CLI::App*) { return true; })) {
        known.push_back(command->get_name());
    }
    std::string text = error.what();
    if (!words.empty() && !words[0].starts_with("-") && std::ranges::find(known, words[0]) == known.end()) {
        const std::string near = closest(words[0], known);
        text = "There is no command “" + words[0] + "”" + (near.empty() ? "." : "; did you mean “" + near + "”?");
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.pop_back();
    }
    if (!text.ends_with(".") && !text.ends_with("?")) {
        text += ".";
    }
    printError(Error{ErrorCode::InvalidArgument, text + " “coldframe --help” lists the commands.", {}});
    return kUsage;
}

int parse(Grammar& grammar, const std::vector<std::string>& words)
{
    try {
        std::vector<std::string> reversed;
        for (const std::string& word : grammar.words.own) {
            const bool isEmptyValue = word.starts_with("--") && word.find('=') == word.size() - 1;
            reversed.push_back(isEmptyValue ? word.substr(0, word.size() - 1) : word);
            if (isEmptyValue) {
                reversed.emplace_back(); // the parser would take the next word for the value of “--name=”
            }
        }
        std::ranges::reverse(reversed);
        grammar.app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        const int code = reportParseError(grammar, error, words);
        return code == 0 ? -1 : code;
    }
    const bool takesWords = grammar.command == "run" || grammar.command == "create" || grammar.command == "exec";
    if (!takesWords && grammar.words.separated && !grammar.words.passed.empty()) {
        printError(Error{ErrorCode::InvalidArgument, "Only run, create and exec take words after “--”.", {}});
        return kUsage;
    }
    return 0;
}

} // namespace

int parseOnly(const std::vector<std::string>& words, std::string& command)
{
    Grammar grammar(splitWords(words));
    const int code = parse(grammar, words);
    command = grammar.command;
    return code < 0 ? 0 : code;
}

int runCommandLine(const std::vector<std::string>& words)
{
    int code = kFailure;
    topCatchAll("coldframe", [&] {
        Grammar grammar(splitWords(words));
        code = parse(grammar, words);
        if (code != 0) {
            code = code < 0 ? kOk : code; // --help
            return;
        }
        (void)Interrupts::fd();
        EngineLink engine;
        const Result<int> result = grammar.action(engine);
        if (!result) {
            printError(result.error());
        }
        code = result ? *result : exitCodeOf(result.error().code);
    });
    return code;
}

} // namespace coldframe::cli
