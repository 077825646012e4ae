// SPDX-License-Identifier: Apache-2.0
#include "image/verification.h"

#include "base/file.h"
#include "image/digest.h"

#include <cerrno>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace coldframe::image {

namespace {

std::string stampOf(const struct stat& state)
{
    const auto time = [](const struct timespec& value) {
        return std::to_string(value.tv_sec) + "." + std::to_string(value.tv_nsec);
    };
    return std::to_string(state.st_dev) + ":" + std::to_string(state.st_ino) + ":" + std::to_string(state.st_size) + ":" +
           time(state.st_mtim) + ":" + time(state.st_ctim);
}

} // namespace

Result<std::string> sha256OfFile(const std::filesystem::path& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return failErrno("Cannot read " + path.string() + ".", errno);
    }
    Sha256 digest;
    std::vector<char> block(1u << 20);
    for (;;) {
        const ssize_t got = ::read(file.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("Cannot read " + path.string() + ".", errno);
        }
        if (got == 0) {
            break;
        }
        digest.add({block.data(), static_cast<std::size_t>(got)});
    }
    return digest.hex();
}

Verification::Verification(std::filesystem::path stampFile) : m_stampFile(std::move(stampFile)) {}

Result<std::string> Verification::digest(const std::filesystem::path& path)
{
    struct stat state {};
    if (::stat(path.c_str(), &state) != 0) {
        return failErrno("The image part " + path.string() + " is missing.", errno);
    }
    const std::string stamp = stampOf(state);
    {
        const std::lock_guard lock(m_mutex);
        if (const auto text = readFile(m_stampFile, 4u << 20)) {
            const nlohmann::json stamps = nlohmann::json::parse(*text, nullptr, false);
            if (stamps.is_object() && stamps.contains(path.string()) && stamps[path.string()].is_object()) {
                const nlohmann::json& entry = stamps[path.string()];
                if (entry.value("stamp", "") == stamp) {
                    return entry.value("sha256", "");
                }
            }
        }
    }
    COLDFRAME_TRY(std::string sha256, sha256OfFile(path));
    const std::lock_guard lock(m_mutex);
    nlohmann::json stamps = nlohmann::json::object();
    if (const auto text = readFile(m_stampFile, 4u << 20)) {
        nlohmann::json before = nlohmann::json::parse(*text, nullptr, false);
        if (before.is_object()) {
            stamps = std::move(before);
        }
    }
    for (auto entry = stamps.begin(); entry != stamps.end();) {
        entry = ::access(entry.key().c_str(), F_OK) == 0 ? std::next(entry) : stamps.erase(entry);
    }
    stamps[path.string()] = {{"stamp", stamp}, {"sha256", sha256}};
    // A stamp that cannot be kept only costs the next look a second reading.
    (void)writeFileAtomic(m_stampFile, stamps.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return sha256;
}

Result<void> Verification::check(const std::filesystem::path& path, const Manifest::Part& expected)
{
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) {
        return fail(ErrorCode::NotFound, "The image part " + path.string() + " is missing. Build the image again.",
                    error.message());
    }
    if (size == expected.size) {
        COLDFRAME_TRY(const std::string found, digest(path));
        if (found == expected.sha256) {
            return {};
        }
    }
    return fail(ErrorCode::Corrupt, "The image part " + path.string() + " is damaged. Build the image again.",
                "it is not the file that its manifest names");
}

Result<void> Verification::checkAll(const std::filesystem::path& folder, const Manifest& manifest)
{
    for (const auto& [name, part] : manifest.parts) {
        COLDFRAME_CHECK(check(folder / name, part));
    }
    return {};
}

} // namespace coldframe::image
