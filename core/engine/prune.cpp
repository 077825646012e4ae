// SPDX-License-Identifier: Apache-2.0
#include "engine/prune.h"

#include "base/log.h"
#include "engine/blocking.h"
#include "engine/snapshot_store.h"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// What a file takes on the disk, which for a sparse one is less than its size.
std::uint64_t bytesOn(const fs::path& file)
{
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

std::uint64_t bytesBelow(const fs::path& folder)
{
    std::uint64_t bytes = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error), end; !error && entry != end;
         entry.increment(error)) {
        bytes += entry->is_symlink(error) ? 0 : bytesOn(entry->path());
    }
    return bytes;
}

std::chrono::system_clock::time_point changedAt(const fs::path& file)
{
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 ? std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec)
                                              : std::chrono::system_clock::now();
}

bool isWanted(const PruneWish& wish, const std::string& id) { return wish.all || wish.only.contains(id); }

/// Templates whose disk somebody stands on.
std::set<std::string> pinnedTemplates(const EngineParts& parts, const Registry& registry)
{
    std::set<std::string> pinned;
    for (const auto& sandbox : registry.all()) {
        pinned.insert({sandbox->record().templateId, sandbox->record().previousDisk.templateId});
    }
    for (const Snapshot& snapshot : parts.snapshots.list()) {
        pinned.insert(snapshot.templateId);
    }
    return pinned;
}

/// Images that sandboxes are, or would be, made on.
std::set<std::string> usedBases(EngineParts& parts)
{
    std::set<std::string> bases;
    if (const auto current = parts.images.currentImage()) {
        bases.insert(current->id);
    }
    for (const image::NamedImage& own : parts.ownImages.list()) {
        bases.insert(own.id);
    }
    return bases;
}

} // namespace

bool isLongStopped(const SandboxRecord& record, std::chrono::system_clock::time_point lastChange, int days, std::chrono::system_clock::time_point now)
{
    const bool rests = record.state == SandboxState::Stopped || record.state == SandboxState::Failed;
    return days > 0 && rests && !record.isService && !record.isBuilder && now - lastChange >= std::chrono::hours(24) * days;
}

asio::awaitable<std::vector<PruneItem>> findPrunable(EngineParts& parts, Registry& registry, PruneWish wish)
{
    std::vector<PruneItem> items;
    const auto now = std::chrono::system_clock::now();
    for (const auto& sandbox : registry.all()) {
        const SandboxRecord& record = sandbox->record();
        const fs::path previous = parts.store.diskOf(record.id, record.previousDisk.diskId);
        std::error_code ignored;
        if (isLongStopped(record, changedAt(parts.store.folderOf(record.id) / "state.json"), wish.stoppedDays, now)) {
            items.push_back({"sandbox:" + record.id, "sandbox", record.name, bytesBelow(parts.store.folderOf(record.id)),
                             "stopped for " + std::to_string(wish.stoppedDays) + " days or more; its workspace stays"});
        } else if (!record.previousDisk.diskId.empty() && fs::exists(previous, ignored)) {
            items.push_back({"disk:" + record.id, "disk", record.name, bytesOn(previous), "put aside by its last reset"});
        }
    }
    for (const Snapshot& snapshot : registry.unusedSnapshots()) {
        items.push_back({"snapshot:" + snapshot.id, "snapshot", snapshot.sandboxName,
                         bytesOn(parts.snapshots.diskOf(snapshot.id)) + bytesOn(parts.snapshots.memoryOf(snapshot.id)),
                         "without a name, and nothing stands on it"});
    }
    auto look = [&parts, pinned = pinnedTemplates(parts, registry), isSure = registry.problems().empty()] {
        std::vector<PruneItem> found;
        // A record that cannot be read may stand on any of them; a folder of several users is not ours to clear.
        const std::vector<std::string> unused = isSure ? parts.templates.unused(pinned, usedBases(parts)) : std::vector<std::string>();
        for (const std::string& name : unused) {
            found.push_back({"template:" + name, "template", name.substr(0, 25), bytesBelow(parts.templates.folderOf(name)),
                             "of an image or a QEMU that is no longer used"});
        }
        return found;
    };
    std::vector<PruneItem> templates = co_await onPool(parts.pool, std::move(look));
    items.insert(items.end(), templates.begin(), templates.end());
    co_return items;
}

asio::awaitable<std::uint64_t> pruneNow(EngineParts& parts, Registry& registry, PruneWish wish, Steps steps)
{
    const std::vector<PruneItem> found = co_await findPrunable(parts, registry, wish);
    std::uint64_t bytes = 0;
    bool wantsSnapshots = false;
    for (const PruneItem& item : found) {
        if (steps.isCancelled() || !isWanted(wish, item.id)) {
            continue;
        }
        const std::string what = item.id.substr(item.id.find(':') + 1);
        if (item.kind == "template") {
            auto discard = [&parts, what, pinned = pinnedTemplates(parts, registry)] { return !pinned.contains(what) && parts.templates.remove(what); };
            bytes += co_await onPool(parts.pool, std::move(discard)) ? item.bytes : 0;
            continue;
        }
        if (item.kind == "snapshot") {
            wantsSnapshots = true;
            continue;
        }
        const auto sandbox = registry.find(what);
        if (!sandbox) {
            continue;
        }
        steps.say("prune", "Giving up " + item.kind + " " + item.name);
        if (item.kind == "disk") {
            bytes += (*sandbox)->forgetPreviousDisk() > 0 ? item.bytes : 0;
        } else if (const auto removed = co_await (*sandbox)->remove(steps, false); removed) {
            registry.forget(what);
            bytes += item.bytes;
        } else {
            logWarning("engine", removed.error().message);
        }
    }
    // Disks and sandboxes that went may have been the last on one.
    if (wantsSnapshots || wish.all) {
        bytes += registry.pruneSnapshots();
    }
    co_return bytes;
}

json pruneItemsJson(const std::vector<PruneItem>& items)
{
    json list = json::array();
    for (const PruneItem& item : items) {
        list.push_back({{"id", item.id}, {"kind", item.kind}, {"name", item.name}, {"bytes", item.bytes}, {"why", item.why}});
    }
    return list;
}

} // namespace coldframe::engine
