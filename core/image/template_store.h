// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "image/verification.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace coldframe::image {

/// A booted guest as files: its memory, and its disk as it was at that moment, which is only ever a backing file from then on.
struct Template
{
    std::string id{}; ///< the folder's name, "template-<key>-<sha256 over the parts>"; what a sandbox's disk pins
    std::string baseId{}; ///< the image its disk stands on
    std::filesystem::path disk{};
    std::filesystem::path memory{}; ///< virDomainSave()'s file
    std::uint32_t hostTscKhz = 0;   ///< the guest was calibrated with; 0 with KVM
};

/// Templates in the folder of the images: immutable folders named by the key of what they fit and by their content
/// (HAZARDS 2). Blocking; any thread; several engines may share the folder.
class TemplateStore
{
public:
    explicit TemplateStore(std::filesystem::path images);

    /// The newest whole template for a key. NotFound when there is none; a damaged one is named in the log and passed over.
    Result<Template> find(const std::string& key);
    /// The disk that a sandbox's own stands on; its memory may be gone. NotFound or Corrupt, naming the part.
    Result<Template> pinned(const std::string& id);

    /// The work of making one: a folder that no other engine uses at the same time, removed with this object.
    class Making
    {
    public:
        Making(const Making&) = delete;
        Making& operator=(const Making&) = delete;
        ~Making();
        std::filesystem::path disk() const { return m_folder / "disk.qcow2"; }
        std::filesystem::path memory() const { return m_folder / "memory.save"; }

    private:
        friend class TemplateStore;
        Making(UniqueFd lock, std::filesystem::path folder) : m_lock(std::move(lock)), m_folder(std::move(folder)) {}
        UniqueFd m_lock;
        std::filesystem::path m_folder;
    };
    /// Busy when another engine makes the same one.
    Result<std::shared_ptr<Making>> begin(const std::string& key);
    /// Makes the two files a template, read-only from now on.
    Result<Template> publish(Making& making, const std::string& key, const std::string& baseId, std::uint32_t hostTscKhz);

    /// A template that did not come back: its memory is removed, so that it is made again; its disk stays for those on it.
    void distrust(const std::string& id);

    /// Removes templates that no sandbox pins and that are neither the newest of their key nor on an image in `basesInUse`.
    /// Returns what was removed.
    std::vector<std::string> prune(const std::set<std::string>& pinned, const std::set<std::string>& basesInUse);

    /// What prune() would remove.
    std::vector<std::string> unused(const std::set<std::string>& pinned, const std::set<std::string>& basesInUse);
    std::filesystem::path folderOf(const std::string& id) const { return m_images / id; }
    /// One that nothing stands on. Whether it is gone now.
    bool remove(const std::string& id);

    /// Removes those made from an image that nothing uses any more. Returns what was removed.
    std::vector<std::string> removeOf(const std::string& baseId);

private:
    Result<Template> read(const std::string& id, bool withMemory);
    std::vector<std::string> names(const std::string& prefix) const;

    std::filesystem::path m_images;
    Verification m_verification;
};

} // namespace coldframe::image
