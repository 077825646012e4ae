// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.h"
#include "engine/agent_plan.h"
#include "engine/sandbox_record.h"
#include "engine/settings.h"
#include "image/own_images.h"
#include "image/template_store.h"
#include "vm/acceleration.h"
#include "vm/hypervisor.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <atomic>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace coldframe::engine {

/// What a running step tells whoever waits for it, and how it learns that nobody does any more.
struct Steps
{
    std::function<void(const std::string& stage, const std::string& text, std::int64_t done, std::int64_t total)> progress;
    const std::atomic<bool>* cancelled = nullptr;

    void say(const std::string& stage, const std::string& text, std::int64_t done = 0, std::int64_t total = 0) const
    {
        if (progress) {
            progress(stage, text, done, total);
        }
    }
    bool isCancelled() const { return cancelled && cancelled->load(); }
};

/// A verified guest image as files.
struct GuestImage
{
    std::string id; ///< folder name, pins the content
    std::filesystem::path kernel;
    std::filesystem::path initrd;
    std::filesystem::path baseDisk;
    std::vector<std::filesystem::path> layers{}; ///< of the user's own images between it and a sandbox's disk, top first
};

/// Images and agent layers, ready to use. Blocking: called on the pool.
class ImageProvider
{
public:
    virtual ~ImageProvider() = default;
    /// The current image, built first when there is none.
    virtual Result<GuestImage> ensureImage(const Steps& steps) = 0;
    /// The current image as it stands; NotFound when there is none.
    virtual Result<GuestImage> currentImage() = 0;
    /// An image a disk was made on; Corrupt or NotFound names the part.
    virtual Result<GuestImage> pinnedImage(const std::string& id) = 0;
    /// The agent's layer as a qcow2 file; built on first use.
    virtual Result<std::filesystem::path> ensureAgentLayer(const std::string& agent, const std::string& npmPackage,
                                                           const Steps& steps) = 0;
};

/// A stored key for the proxy; the engine keeps none.
class KeySource
{
public:
    virtual ~KeySource() = default;
    /// Names of services with a stored key; an error (no keychain, locked) is not one of start: only those keys lack.
    virtual asio::awaitable<Result<std::vector<std::string>>> storedServices() = 0;
    virtual asio::awaitable<Result<SecretBuffer>> key(std::string service) = 0;
};

/// Where connection events go; an error means that the record cannot be written and nothing new may be allowed.
class ConnectionRecord
{
public:
    virtual ~ConnectionRecord() = default;
    /// The entry as it stands in the log, with its number.
    virtual Result<nlohmann::json> append(const nlohmann::json& connection) = 0;
    /// What exports call the sandbox.
    virtual void nameIs(const std::string& sandbox, const std::string& name) = 0;
    /// The sandbox has a new proxy: what the old one had open has ended.
    virtual void endOpen(const std::string& sandbox) = 0;
};

class Logins;
class Questions;
class SnapshotStore;
class WarmStart;

/// What every sandbox uses; owned by the engine and outliving them all. io's thread, but for what says otherwise.
struct EngineParts
{
    asio::io_context& io;
    asio::thread_pool& pool;
    vm::Hypervisor& hypervisor;
    ImageProvider& images;
    image::TemplateStore& templates;
    SnapshotStore& snapshots;
    image::OwnImageStore& ownImages;
    WarmStart& warmStart;
    AgentCatalog& agents;
    KeySource& keys;
    Logins& logins;
    ConnectionRecord& record;
    RecordStore& store;
    Settings& settings;
    std::vector<policy::Rule>& globalRules;
    policy::Presets& presets;
    std::function<asio::awaitable<vm::AccelerationDecision>()> acceleration; ///< decided once, until a trial ends
    /// How the first boot with KVM on this host went; KVM is believed, or not, from then on.
    std::function<void(bool worked, const std::string& problem)> kvmTrialEnded;
    std::function<void(const nlohmann::json& event)> emitEvent;
    Questions& questions;
};

} // namespace coldframe::engine
