// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "detach_keys.h"
#include "session_recording.h"
#include "engine_link.h"

#include <functional>
#include <string>
#include <vector>

/// What each command does, once the words are parsed. All return the exit code, or an error that main prints and
/// turns into one (exitCodeOf).
namespace coldframe::cli {

struct NetworkFlags
{
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::string policy;
};

/// Limits and the like; what is empty or negative is not changed.
struct LimitOptions
{
    std::string sandbox;
    int cpus = -1; ///< 0: what suits the machine, as for the next two
    int processes = -1;
    int openFiles = -1;
    std::string memory;
    int disk = -1;        ///< GiB
    bool isService = false;
    bool isNoService = false;
    bool isDocker = false;
    bool isNoDocker = false;
    std::string whenIdle; ///< "nothing", "pause", "stop", "default"
    double idleMinutes = -1; ///< 0: as the settings say
    bool json = false;
};
/// Changes them; without any it prints those that hold, and by what.
Result<int> setCommand(EngineLink& engine, const LimitOptions& options);
/// As the parameters of sandbox.set and sandbox.create.
Result<nlohmann::json> limitParams(const LimitOptions& options);

struct RunOptions
{
    std::vector<std::string> words;     ///< SANDBOX, or AGENT WORKSPACE…
    std::vector<std::string> arguments; ///< after `--`
    std::string name;
    NetworkFlags network;
    LimitOptions limits;
    std::string fromTemplate;
    std::string image;  ///< "": the base image
    bool detached = false;
    bool quiet = false;
    bool acceptEmulation = false;
    bool noStart = false; ///< create only
    bool isNew = false;   ///< the agent anew, though it runs already
    std::string detachKeys = kDefaultDetachKeys;
};
Result<int> runCommand(EngineLink& engine, const RunOptions& options);
Result<int> createCommand(EngineLink& engine, const RunOptions& options);

struct ExecOptions
{
    std::string sandbox;
    std::vector<std::string> argv;
    std::vector<std::string> environment; ///< NAME=VALUE or NAME (taken from here)
    std::string folder;
    std::string user;
    bool interactive = false;
    bool tty = false;
    std::string detachKeys = kDefaultDetachKeys;
    RecordOptions record;
};
Result<int> execCommand(EngineLink& engine, const ExecOptions& options);

struct SessionOptions
{
    std::string sandbox; ///< "": of the current folder, or the one that runs; for the list: all
    std::string session; ///< id or the beginning of one; "": the agent's, or the newest
    bool readOnly = false;
    bool end = false; ///< sessions: end this one
    std::string detachKeys = kDefaultDetachKeys;
    RecordOptions record;
    bool json = false;
    bool quiet = false;
};
Result<int> attachCommand(EngineLink& engine, const SessionOptions& options);
Result<int> sessionsCommand(EngineLink& engine, const SessionOptions& options);

struct ReplayOptions
{
    std::string file;
    double speed = 1;       ///< times as fast
    double longestWait = 3; ///< seconds that nothing happens
};
Result<int> replayCommand(const ReplayOptions& options);
void addReplayOptions(CLI::App& command, ReplayOptions& options);

/// The current folder by the name the shell knows it under.
Result<std::string> currentFolder();

struct ListOptions
{
    bool json = false;
    bool quiet = false;
};
Result<int> listCommand(EngineLink& engine, ListOptions options);
Result<int> agentsCommand(EngineLink& engine, ListOptions options);
Result<int> inspectCommand(EngineLink& engine, const std::vector<std::string>& sandboxes);
Result<int> diagnoseCommand(EngineLink& engine, ListOptions options);
Result<int> versionCommand(EngineLink& engine, ListOptions options);
Result<int> completionCommand(const std::string& shell);

/// Asks about unknown hosts in this terminal until Ctrl-C.
Result<int> networkAsk(EngineLink& engine);
/// The questions that wait for an answer now.
Result<int> networkQuestions(EngineLink& engine, ListOptions options);
struct AnswerOptions
{
    std::string question; ///< id
    std::string verdict;  ///< "allow", "deny"
    std::string span = "once"; ///< "once", "session", "sandbox", "always"
    bool isDomain = false;
};
Result<int> networkAnswer(EngineLink& engine, const AnswerOptions& options);

struct LifeOptions
{
    std::string verb; ///< "start", "stop", "pause", "resume", "reset", "remove"
    std::vector<std::string> sandboxes;
    bool force = false;
    bool undo = false; ///< of a reset: the disk from before it comes back
    bool quiet = false;
};
Result<int> lifeCommand(EngineLink& engine, const LifeOptions& options);
struct PruneOptions
{
    bool force = false;
    bool dryRun = false;
    bool json = false;
    int stoppedDays = 0; ///< sandboxes too that were not used for so long; 0: none
};
/// Lists what nothing needs any more, asks, and gives it up.
Result<int> prune(EngineLink& engine, const PruneOptions& options);

struct TemplateOptions
{
    std::string sandbox;
    std::string name; ///< the template's
    bool memory = false;
    bool force = false;
};
Result<int> saveCommand(EngineLink& engine, const TemplateOptions& options);
Result<int> rollbackCommand(EngineLink& engine, const TemplateOptions& options);
Result<int> templateList(EngineLink& engine, ListOptions options);
Result<int> templateRemove(EngineLink& engine, const std::vector<std::string>& names);

struct ForkOptions
{
    std::string sandbox;
    std::string name; ///< "": <sandbox>-fork-N
    int count = 1;
    bool share = false;
    ListOptions output;
};
Result<int> forkCommand(EngineLink& engine, const ForkOptions& options);

struct KeyOptions
{
    std::string service;
    std::string account;
    std::string sandbox;
    std::string commandLine; ///< of a program that prints the key
    std::string reference;   ///< op://…
    std::string lifetime;    ///< "15m"
    std::vector<std::string> services;
    std::vector<std::string> hosts;
    std::string header;
    std::string format;
    std::string placeholder;
    std::vector<std::string> variables;
    std::vector<std::string> paths;
    bool remove = false;
    std::string file;        ///< of an agent's credentials
    bool isInBrowser = false;
};
Result<int> keysSet(EngineLink& engine, const KeyOptions& options);
/// Takes over a log-in (OAuth) that an agent on this computer has.
Result<int> keysLogin(EngineLink& engine, const KeyOptions& options);
Result<int> keysUse(EngineLink& engine, const KeyOptions& options);
Result<int> keysCustom(EngineLink& engine, const KeyOptions& options);
Result<int> keysHosts(EngineLink& engine, const KeyOptions& options);
Result<int> keysList(EngineLink& engine, ListOptions options);
Result<int> keysRemove(EngineLink& engine, const KeyOptions& options);
Result<int> keysImport(EngineLink& engine, const std::vector<std::string>& services);
/// For a run: the variables of the caller's environment that hold keys of `services` go to this sandbox's proxy, for
/// this run only; on a terminal, storing them is offered once.
Result<void> handOverKeys(EngineLink& engine, const std::string& sandbox, const std::vector<std::string>& services);

struct LogOptions
{
    std::string sandbox;
    int limit = 100;
    std::string verdict; ///< "", "allowed", "denied", "error"
    std::string host;
    std::string rule;
    std::string since;
    std::string until;
    std::string method;
    std::string status;
    std::string process;
    std::string how;
    std::string text;
    bool follow = false;
    bool isSummary = false;
    bool isLines = false;
    ListOptions output;
};
Result<int> networkLog(EngineLink& engine, const LogOptions& options);

struct ProxyOptions
{
    std::string sandbox;
    std::string policy; ///< "", "allow", "deny"
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::vector<std::string> bypass;
};
Result<int> networkProxy(EngineLink& engine, const ProxyOptions& options);

struct RuleOptions
{
    std::string sandbox; ///< "": global
    std::vector<std::string> patterns;
    std::string id;
    std::string method;
    std::string path;
    std::string note;
    std::string expires; ///< "30m", "2h", "7d"; for a rule that is there: also "never"
    bool session = false;
    int port = 0;
    ListOptions output;
};
Result<int> policyList(EngineLink& engine, const RuleOptions& options);
Result<int> policyAdd(EngineLink& engine, const std::string& action, const RuleOptions& options);
Result<int> policyRemove(EngineLink& engine, const RuleOptions& options);
Result<int> policyCheck(EngineLink& engine, const RuleOptions& options);
/// The seconds of "30m", "2h", "7d"; a number alone is minutes.
Result<std::int64_t> spanSeconds(const std::string& span);

struct PresetOptions
{
    std::string sandbox; ///< "": for all
    std::vector<std::string> enable;
    std::vector<std::string> disable;
    std::vector<std::string> restore;
    ListOptions output;
};
Result<int> policyPresets(EngineLink& engine, const PresetOptions& options);
Result<int> policyInspect(EngineLink& engine, const RuleOptions& options);
Result<int> policyExport(EngineLink& engine, const RuleOptions& options, const std::string& file);
Result<int> policyImport(EngineLink& engine, const RuleOptions& options, const std::string& file, bool replace);
Result<int> policyNote(EngineLink& engine, const RuleOptions& options);
struct TightenOptions
{
    std::string sandbox;
    std::string file; ///< where the list is written, to be edited and imported
    bool accept = false;
    ListOptions output;
};
struct SuggestOptions
{
    std::string sandbox;
    std::vector<std::string> accept; ///< ids
    std::vector<std::string> dismiss;
    ListOptions output;
};
Result<int> policySuggest(EngineLink& engine, const SuggestOptions& options);
Result<int> policyTighten(EngineLink& engine, const TightenOptions& options);
Result<int> policyMode(EngineLink& engine, const std::string& sandbox, const std::string& mode);

struct ImageOptions
{
    std::string recipe; ///< "": the base image
    std::string image;  ///< name or id
    std::string name;   ///< for what is made
    std::string file;
    bool force = false;
    bool acceptEmulation = false;
    ListOptions output;
};
Result<int> imageStatus(EngineLink& engine, ListOptions options);
Result<int> imageBuild(EngineLink& engine, const ImageOptions& options);
Result<int> imageList(EngineLink& engine, const ImageOptions& options);
Result<int> imageInspect(EngineLink& engine, const ImageOptions& options);
Result<int> imageRemove(EngineLink& engine, const std::vector<std::string>& images);
Result<int> imagePrune(EngineLink& engine);
Result<int> imageExport(EngineLink& engine, const ImageOptions& options);
Result<int> imageImport(EngineLink& engine, const ImageOptions& options);
Result<int> imageLog(EngineLink& engine, const ImageOptions& options);

struct SyncOptions
{
    std::string sandbox;
    std::string path; ///< "": the first workspace
    std::string id;
    std::string accept;
    ListOptions output;
};
Result<int> syncStatus(EngineLink& engine, const SyncOptions& options);
Result<int> syncResume(EngineLink& engine, const SyncOptions& options);
Result<int> syncTrash(EngineLink& engine, const SyncOptions& options);
Result<int> syncRestore(EngineLink& engine, const SyncOptions& options);

/// The next command starts it again, from the program that is installed then.
Result<int> engineStop(EngineLink& engine, bool force);

Result<int> settingsGet(EngineLink& engine, const std::string& key);
Result<int> settingsSet(EngineLink& engine, const std::vector<std::string>& words);

} // namespace coldframe::cli
