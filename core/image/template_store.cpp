// SPDX-License-Identifier: Apache-2.0
#include "image/template_store.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::image {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kDisk = "disk.qcow2";
constexpr const char* kMemory = "memory.save";
constexpr std::size_t kDigits = 64;

bool isHex(std::string_view text)
{
    return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool isTemplateName(const std::string& name)
{
    constexpr std::string_view kPrefix = "template-";
    return name.size() == kPrefix.size() + 2 * kDigits + 1 && name.starts_with(kPrefix)
        && isHex(std::string_view(name).substr(kPrefix.size(), kDigits)) && name[kPrefix.size() + kDigits] == '-'
        && isHex(std::string_view(name).substr(kPrefix.size() + kDigits + 1));
}

std::string keyOf(const std::string& name) { return name.substr(9, kDigits); }

} // namespace

TemplateStore::TemplateStore(fs::path images) : m_images(std::move(images)), m_verification(m_images / ".verified-templates.json")
{
}

/// Newest first.
std::vector<std::string> TemplateStore::names(const std::string& prefix) const
{
    std::vector<std::pair<fs::file_time_type, std::string>> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(m_images, error)) {
        const std::string name = entry.path().filename().string();
        std::error_code ignored;
        if (isTemplateName(name) && name.starts_with(prefix)) {
            found.emplace_back(fs::last_write_time(entry.path() / "manifest.json", ignored), name);
        }
    }
    std::sort(found.rbegin(), found.rend());
    std::vector<std::string> names;
    for (auto& [when, name] : found) {
        names.push_back(std::move(name));
    }
    return names;
}

Result<Template> TemplateStore::read(const std::string& id, bool withMemory)
{
    if (!isTemplateName(id)) {
        return fail(ErrorCode::Corrupt, "The name of the sandbox's template is damaged.", id);
    }
    const fs::path folder = m_images / id;
    COLDFRAME_TRY(const Manifest manifest, readManifest(folder));
    const json document = json::parse(manifest.json, nullptr, false);
    const json base = document.value("base", json());
    const json tsc = document.value("hostTscKhz", json());
    if (manifest.kind != "template" || !base.is_string() || !tsc.is_number_unsigned()) {
        return fail(ErrorCode::Corrupt, "The template " + folder.string() + " is damaged.");
    }
    for (const char* part : {kDisk, kMemory}) {
        const auto expected = manifest.parts.find(part);
        if (expected == manifest.parts.end()) {
            return fail(ErrorCode::Corrupt, "The template " + folder.string() + " is damaged.", part);
        }
        if (withMemory || part == kDisk) {
            COLDFRAME_CHECK(m_verification.check(folder / part, expected->second));
        }
    }
    return Template{id, base.get<std::string>(), folder / kDisk, folder / kMemory, tsc.get<std::uint32_t>()};
}

Result<Template> TemplateStore::find(const std::string& key)
{
    for (const std::string& name : names("template-" + key + "-")) {
        auto found = read(name, true);
        if (found) {
            return found;
        }
        logWarning("template", found.error().message + " " + found.error().detail);
    }
    return fail(ErrorCode::NotFound, "There is no template for this kind of sandbox yet.");
}

Result<Template> TemplateStore::pinned(const std::string& id)
{
    auto found = read(id, false);
    if (!found) {
        return fail(found.error().code, found.error().message + " The sandbox's disk stands on it: reset the sandbox to start afresh.",
                    found.error().detail);
    }
    return found;
}

TemplateStore::Making::~Making()
{
    if (!m_folder.empty()) {
        std::error_code ignored;
        fs::remove_all(m_folder, ignored);
    }
}

Result<std::shared_ptr<TemplateStore::Making>> TemplateStore::begin(const std::string& key)
{
    COLDFRAME_CHECK(makeFolders(m_images, 0755));
    const fs::path lockFile = m_images / (".template-" + key + ".lock");
    UniqueFd lock(::open(lockFile.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) {
        return failErrno("The lock “" + lockFile.string() + "” cannot be made.", errno);
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::Busy, "Another engine makes this template now.");
    }
    const fs::path folder = m_images / (".template-" + key + ".work");
    std::error_code error;
    fs::remove_all(folder, error); // of a making that was interrupted
    COLDFRAME_CHECK(makeFolders(folder, 0700));
    return std::shared_ptr<Making>(new Making(std::move(lock), folder));
}

Result<Template> TemplateStore::publish(Making& making, const std::string& key, const std::string& baseId, std::uint32_t hostTscKhz)
{
    json parts;
    std::string digests;
    for (const char* part : {kDisk, kMemory}) {
        const fs::path file = making.m_folder / part;
        // On the disk before it is promised: a power cut must not leave a template of zeros.
        const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd || ::fsync(fd.get()) != 0 || ::fchmod(fd.get(), 0444) != 0) {
            return failErrno("The template's part “" + file.string() + "” cannot be kept.", errno);
        }
        COLDFRAME_TRY(const std::string digest, sha256OfFile(file));
        struct stat status{};
        ::fstat(fd.get(), &status);
        parts[part] = {{"sha256", digest}, {"size", status.st_size}};
        digests += digest;
    }
    COLDFRAME_CHECK(writeFileAtomic(making.m_folder / "digests", digests, 0444));
    COLDFRAME_TRY(const std::string digest, sha256OfFile(making.m_folder / "digests"));
    const std::string id = "template-" + key + "-" + digest;
    const json manifest{{"schema", 1}, {"kind", "template"}, {"name", id}, {"parts", parts}, {"base", baseId}, {"hostTscKhz", hostTscKhz}};
    COLDFRAME_CHECK(writeFileAtomic(making.m_folder / "manifest.json", manifest.dump(1), 0444));
    if (::rename(making.m_folder.c_str(), (m_images / id).c_str()) != 0) {
        return failErrno("The template cannot be kept.", errno);
    }
    making.m_folder.clear();
    return read(id, true);
}

void TemplateStore::distrust(const std::string& id)
{
    if (isTemplateName(id)) {
        logWarning("template", "the template did not come back and is made again: " + id);
        ::unlink((m_images / id / kMemory).c_str());
    }
}

std::vector<std::string> TemplateStore::removeOf(const std::string& baseId)
{
    std::vector<std::string> removed;
    for (const std::string& name : names("template-")) {
        const auto found = read(name, false);
        std::error_code error;
        if (found && found->baseId == baseId && fs::remove_all(m_images / name, error) > 0 && !error) {
            removed.push_back(name);
        }
    }
    return removed;
}

std::vector<std::string> TemplateStore::unused(const std::set<std::string>& pinned, const std::set<std::string>& basesInUse)
{
    std::vector<std::string> found;
    std::set<std::string> newest;
    for (const std::string& name : names("template-")) {
        const auto whole = read(name, true);
        const bool isUseful = whole && basesInUse.contains(whole->baseId) && newest.insert(keyOf(name)).second;
        if (!isUseful && !pinned.contains(name)) {
            found.push_back(name);
        }
    }
    return found;
}

bool TemplateStore::remove(const std::string& id)
{
    std::error_code error;
    return id.starts_with("template-") && id.find('/') == std::string::npos && fs::remove_all(m_images / id, error) > 0 && !error;
}

std::vector<std::string> TemplateStore::prune(const std::set<std::string>& pinned, const std::set<std::string>& basesInUse)
{
    std::vector<std::string> removed;
    for (const std::string& name : unused(pinned, basesInUse)) {
        if (remove(name)) {
            removed.push_back(name);
        }
    }
    return removed;
}

} // namespace coldframe::image
