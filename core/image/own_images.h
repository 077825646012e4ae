// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "image/manifest.h"
#include "image/verification.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace coldframe::image {

/// How many own images may stand on one another.
constexpr std::size_t kMaxOwnLayers = 8;

/// "own-<sha256>".
bool isOwnImageId(const std::string& id);

/// Whether an image may be called so; the error shows the rule.
Result<void> checkImageName(const std::string& name);

/// An image that the user made: one disk, on a base image or on another own one.
struct OwnImage
{
    std::string id{};     ///< the folder's name, which covers the disk's sha256 and what it stands on
    std::string parent{}; ///< "base-…" or "own-…": below the disk, or, where it stands alone, the base whose kernel it boots with
    bool standsAlone = false; ///< the disk is whole; else it holds only what differs from its parent
    std::filesystem::path disk{};
    std::uint64_t diskBytes = 0;
    nlohmann::json facts = nlohmann::json::object(); ///< ImageFacts::json as it was published
};

/// What is said of an image beside its disk; all in the manifest.
struct ImageFacts
{
    std::string parent{};
    bool standsAlone = false;
    std::string key{};        ///< of what it was made from: the same again gives the same image
    nlohmann::json json = nlohmann::json::object(); ///< "origin", "packages", "createdAt" and what else is worth knowing
};

struct NamedImage
{
    std::string name{}; ///< empty: it lost its name to a newer one
    std::string id{};
};

/// The user's own images, one folder each, immutable once named by its digest (HAZARDS 2), and their names.
/// Blocking but for the names; any thread; one process.
class OwnImageStore
{
public:
    explicit OwnImageStore(std::filesystem::path folder);

    /// By name or id. NotFound says how to see all.
    Result<std::string> idOf(const std::string& nameOrId) const;
    /// Its name, or the front of its id where it has none.
    std::string nameOf(const std::string& id) const;
    /// With the disk verified. NotFound or Corrupt, naming the part.
    Result<OwnImage> pinned(const std::string& id);
    /// Without looking at the disk's content.
    Result<OwnImage> described(const std::string& id) const;
    /// Those with a name first, by name.
    std::vector<NamedImage> list() const;
    /// A whole image made from the same; NotFound when there is none.
    Result<OwnImage> findByKey(const std::string& key);

    /// The folder of an image in the making; removed with this object unless published.
    class Making
    {
    public:
        explicit Making(std::filesystem::path folder) : m_folder(std::move(folder)) {}
        Making(const Making&) = delete;
        Making& operator=(const Making&) = delete;
        ~Making();
        std::filesystem::path disk() const { return m_folder / "disk.qcow2"; }
        const std::filesystem::path& folder() const { return m_folder; }

    private:
        friend class OwnImageStore;
        std::filesystem::path m_folder;
    };
    Result<std::shared_ptr<Making>> begin();
    /// Makes the disk an image, read-only and on the storage from now on. An equal one that is there wins.
    Result<OwnImage> publish(Making& making, const ImageFacts& facts);

    /// The name is this image's from now on, whoever had it.
    Result<void> setName(const std::string& name, const std::string& id);
    Result<void> removeName(const std::string& name);
    /// The files of an image; the caller knows that nothing uses it. The bytes freed.
    Result<std::uint64_t> remove(const std::string& id);

    /// What a making or a removal that was interrupted left. At the engine's start.
    void clearLeftovers();

    const std::filesystem::path& folder() const { return m_folder; }

private:
    Result<void> saveNames(const std::map<std::string, std::string>& names);

    const std::filesystem::path m_folder;
    Verification m_verification;
    mutable std::mutex m_mutex; ///< of m_names
    std::map<std::string, std::string> m_names{};
};

} // namespace coldframe::image
