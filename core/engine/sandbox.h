// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"
#include "engine/guest_link.h"
#include "engine/guest_usage.h"
#include "engine/idle_tracker.h"
#include "engine/limits_change.h"
#include "engine/policy_document.h"
#include "engine/proxy_link.h"
#include "engine/sandbox_sync.h"
#include "engine/snapshot_store.h"

#include <asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace coldframe::engine {

/// One sandbox: the state machine that composes disk, microVM, ports, proxy, keys and workspace sync. Everything on
/// the engine's io thread; one operation at a time (Busy otherwise). Owned by the registry.
class Sandbox : public std::enable_shared_from_this<Sandbox>
{
public:
    Sandbox(EngineParts& parts, SandboxRecord record);
    ~Sandbox();

    const SandboxRecord& record() const { return m_record; }
    SandboxState state() const { return m_record.state; }
    nlohmann::json describe() const; ///< Sandbox of PROTOCOL.md
    nlohmann::json inspect() const;

    /// Brings it to Running; at once when it is. Waits for an operation under way first.
    asio::awaitable<Result<void>> start(Steps steps);
    /// Flush, acknowledged unmount, power off; force pulls the plug.
    asio::awaitable<Result<void>> stop(Steps steps, bool force);
    /// Saves its memory and ends the microVM; start() brings both back. Running only (Paused: nothing to do). What stands in the
    /// way leaves it running, where it still can.
    asio::awaitable<Result<void>> pause(Steps steps);
    /// start(), but only of a paused one.
    asio::awaitable<Result<void>> resume(Steps steps);
    /// Tells a running guest what the time is, after the host slept or its clock was set.
    asio::awaitable<void> renewClock();
    /// Fresh disk, same workspace. Busy with what would be lost, unless force.
    asio::awaitable<Result<void>> reset(Steps steps, bool force);
    /// Brings the disk back that the last reset put aside; the present one is put aside in its place. NotFound when there is none.
    asio::awaitable<Result<void>> undoReset(Steps steps, bool force);
    /// Freezes disk and, where it runs and that is wished, memory as a snapshot, on which this sandbox then stands: it is paused
    /// afterwards if it ran (resume it), else as it was. `whileFrozen` (blocking, on the pool) runs while both stand still.
    struct SnapshotWish
    {
        std::string name; ///< checked; empty: none
        bool memory = false;
        std::function<Result<void>()> whileFrozen{};
    };
    asio::awaitable<Result<Snapshot>> takeSnapshot(SnapshotWish wish, Steps steps);
    /// Goes back to the moment of a snapshot that was taken of this sandbox, or on to another's disk. The present disk is put aside.
    asio::awaitable<Result<void>> rollBack(Snapshot snapshot, Steps steps, bool force);
    /// A disk on the snapshot for a sandbox that has none, and its memory where that can still be used: it is paused then.
    asio::awaitable<Result<void>> standOn(Snapshot snapshot, bool withMemory);
    /// What a fork of this one starts with, but for its id, name and workspaces.
    SandboxRecord forkRecord(const Snapshot& snapshot) const;
    /// The keys and rules of the parent's run.
    void inheritRun(const Sandbox& parent);
    /// Gives up the disk that a reset put aside. The bytes it took.
    std::uintmax_t forgetPreviousDisk();
    asio::awaitable<Result<void>> remove(Steps steps, bool force);
    /// Takes over a microVM that lives on from an earlier engine.
    asio::awaitable<void> adopt(bool isStalled);
    /// The domain ended. Any state.
    void onVmGone(vm::StopReason reason, const std::string& text);

    /// A write to its disk found no room on this computer: it stands still until there is some.
    void onVmStalled();
    /// It runs again after that.
    void onVmGoesOn();

    /// Runs a program: the stream carries exec frames. Running only.
    asio::awaitable<Result<channel::StreamPtr>> exec(nlohmann::json specification);
    /// Looks at a program that runs already; `how` is the guest's AttachRequest.
    asio::awaitable<Result<channel::StreamPtr>> attachSession(nlohmann::json how);
    /// A request to the guest's port "control". Running only.
    asio::awaitable<Result<std::string>> askGuest(std::string method, std::string path, std::string body, std::chrono::milliseconds within);
    /// The agent's command for these arguments, with the arguments of its creation before them.
    Result<std::vector<std::string>> launchCommand(const std::vector<std::string>& arguments) const;

    /// Other limits, at once where that can be, else from the next start on. Sentences say what does not hold yet.
    asio::awaitable<Result<std::vector<std::string>>> change(LimitsChange change);
    /// Asks a running guest what it uses, warns of limits it came up against, and puts it away when it was not used for long enough.
    asio::awaitable<void> look();
    /// While one lives somebody is attached.
    std::shared_ptr<void> use();
    bool isInUse() const { return m_attached > 0; }

    /// A key for this run only; empty takes it away. Kept in locked memory until the sandbox stops.
    void setRunKey(const std::string& service, SecretBuffer key);
    /// Gives the proxy the keys that are this sandbox's now, and takes back those that are not any more.
    asio::awaitable<void> refreshStoredKeys();
    /// Chooses whose key of a service is used; empty: the one without a name.
    asio::awaitable<Result<void>> useAccount(std::string service, std::string account);
    /// The user's services are others now.
    asio::awaitable<void> servicesChanged();

    policy::PolicySet effectivePolicy() const;
    Result<policy::Rule> addRule(policy::Rule rule, bool sessionOnly);
    Result<void> removeRule(const std::string& idOrPattern);
    Result<void> setMode(policy::Mode mode);
    Result<void> setOwnPolicy(OwnPolicy own);
    /// For this run only. True when `change` found its rule among them.
    bool changeSessionRule(const std::function<Result<void>(std::vector<policy::Rule>&)>& change);
    void policyChanged(); ///< tells proxy and dialler, and ends questions that it answers
    /// The settings of the network's proxy or the client certificates are others now, or their secrets are.
    asio::awaitable<void> upstreamChanged();
    void canAskChanged(); ///< somebody came who can be asked, or nobody is there any more

    /// Removes the sockets of a microVM that is no more.
    void clearSockets();

    SandboxSync& sync() { return m_sync; }
    int blockedCount() const { return m_blockedCount; }

private:
    struct Operation; // marks the sandbox busy for its life
    struct Plan;      // what one start is made of
    struct Joined;
    /// Starts nothing by itself: spawn it. Whoever does must join() the result before this sandbox may end.
    static asio::awaitable<void> runBeside(asio::awaitable<Result<void>> work, std::shared_ptr<Joined> result);
    static asio::awaitable<Result<void>> join(std::shared_ptr<Joined> result);

    asio::awaitable<Result<void>> bringUp(Steps steps);
    asio::awaitable<Result<void>> prepareDisk(const Steps& steps, Plan& plan);
    asio::awaitable<Result<void>> describeMachine(const Steps& steps, Plan& plan);
    asio::awaitable<Result<void>> addLayers(Plan& plan);
    asio::awaitable<Result<void>> makeDisk(Plan& plan);
    asio::awaitable<std::vector<std::string>> credentialsInside();
    asio::awaitable<Result<void>> changeLayer(Snapshot& snapshot);
    asio::awaitable<Result<void>> launch(const Steps& steps, Plan& plan);
    asio::awaitable<Result<void>> bootAndConnect(const Steps& steps, Plan& plan);
    asio::awaitable<Result<void>> connectGuest(const Steps& steps, const Plan& plan, std::chrono::milliseconds within);
    asio::awaitable<Result<void>> connectBulk(std::filesystem::path socket, std::chrono::milliseconds within);
    asio::awaitable<void> endVm();
    asio::awaitable<Result<void>> connectProxy();
    asio::awaitable<Result<void>> setUpGuest();
    asio::awaitable<Result<void>> renewGuest();
    asio::awaitable<Result<void>> takeOver();
    asio::awaitable<Result<void>> freeze(std::filesystem::path file, bool durable, Steps steps);
    asio::awaitable<Result<void>> flushDisk();
    asio::awaitable<void> runOn(Error why);
    asio::awaitable<std::string> unusableMemory(const Plan& plan);
    asio::awaitable<void> endFailedStart(Error error);
    void forgetMemory();
    asio::awaitable<Result<void>> identify(Plan& plan);
    asio::awaitable<Result<void>> bringBack(const Steps& steps, Plan& plan);
    asio::awaitable<Result<void>> startSync(const Steps& steps);
    asio::awaitable<Result<void>> bringDown(const Steps& steps, bool force);
    asio::awaitable<void> waitIdle();
    asio::awaitable<bool> waitVmGone(std::chrono::milliseconds within);
    void closeLinks();
    void forgetRunKeys();
    Result<void> needControl() const;
    asio::awaitable<void> takeScopes();
    asio::awaitable<void> applyLimits();
    Result<void> checkRoom() const;
    Result<void> needRoom() const;
    asio::awaitable<void> waitForRoom();
    asio::awaitable<void> shareHost();
    asio::awaitable<Result<void>> tellLimits();
    asio::awaitable<void> putAway(std::string how, double minutes);
    nlohmann::json guestLimits() const;
    nlohmann::json limitsJson() const;
    void takeUsage(const GuestUsage& now);
    void transition(SandboxEvent event);
    void failWith(const Error& error);
    Result<void> save();
    void changed();
    void onProxyEvent(const nlohmann::json& event);
    void askUser(const nlohmann::json& event);
    asio::awaitable<void> sendClientCertificates();
    asio::awaitable<void> sendClientKeys();
    void answerByRules();
    std::filesystem::path folder() const { return m_parts.store.folderOf(m_record.id); }
    std::filesystem::path diskFile() const { return m_parts.store.diskOf(m_record.id, m_record.diskId); }
    std::filesystem::path socketFolder() const;
    asio::awaitable<Result<void>> changeDisk(Steps steps, bool force, DiskIdentity wanted, std::optional<Snapshot> moment);
    std::map<std::string, std::string> sentinelEnvironment() const;
    LoginsInside loginsAmong(const std::map<std::string, std::string>& entries) const;
    asio::awaitable<LoginsInside> loginsNow();
    void loginRefused(const std::string& service);

    EngineParts& m_parts;
    SandboxRecord m_record;
    SandboxSync m_sync;
    std::unique_ptr<GuestLink> m_control;
    std::unique_ptr<GuestLink> m_bulk;
    std::shared_ptr<ProxyLink> m_proxy;
    std::map<std::string, SecretBuffer> m_runKeys;
    std::map<std::string, std::string> m_usedEntries; ///< of each of them, where it is stored
    LoginsInside m_toldLogins; ///< as its proxy knows them
    std::set<std::string> m_keyedServices; ///< those the proxy has a key for
    std::vector<policy::Rule> m_sessionRules;
    std::set<std::string> m_blockedHosts; ///< told once per run
    int m_blockedCount = 0;
    std::uint64_t m_policyVersion = 0;
    std::string m_lostMemory; ///< goes into the notice of the start that follows
    std::string m_notice; ///< what the user should know of the last start, as a sentence
    std::string m_limits; ///< which limits hold for its processes, as a sentence
    std::string m_vmScope; ///< the systemd scope of its QEMU; empty: it has none
    bool m_isTied = false; ///< its QEMU is tied to some of the host's CPUs
    std::optional<GuestUsage> m_usage; ///< as last told, of this run
    std::vector<LimitWarning> m_warnings;
    IdleTracker m_idle;
    int m_attached = 0;
    bool m_isLooking = false;
    bool m_isStalled = false; ///< its microVM waits for room on this computer's disk
    bool m_waitsForRoom = false; ///< waitForRoom() runs
    std::uint64_t m_stalls = 0; ///< so often
    bool m_busy = false;
    bool m_vmAlive = false;
    std::shared_ptr<bool> m_stopTrying;
    std::shared_ptr<asio::steady_timer> m_settled; ///< cancelled whenever something waited for happens
};

} // namespace coldframe::engine
