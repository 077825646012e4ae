// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.h"
#include "sync/endpoint.h"
#include "sync/session.h"

#include <QtGlobal>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <thread>

namespace coldframe::sync {

inline void put(const std::filesystem::path& path, std::string_view content)
{
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << content;
}

inline std::string get(const std::filesystem::path& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline bool isThere(const std::filesystem::path& path)
{
    return std::filesystem::exists(std::filesystem::symlink_status(path));
}

inline bool waitUntil(const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(15))
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
    return true;
}

/// Every path beneath a root with its kind and content, for comparing both sides.
inline std::map<std::string, std::string> listing(const std::filesystem::path& root)
{
    std::map<std::string, std::string> all;
    if (!std::filesystem::exists(root)) {
        return all;
    }
    for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
        const std::string path = item.path().lexically_relative(root).native();
        if (path.starts_with(".coldframe-sync")) {
            continue;
        }
        if (item.is_symlink()) {
            all[path] = "link:" + std::filesystem::read_symlink(item.path()).native();
        } else if (item.is_directory()) {
            all[path] = "folder";
        } else {
            const bool executable = (item.status().permissions() & std::filesystem::perms::owner_exec) != std::filesystem::perms::none;
            all[path] = (executable ? "program:" : "file:") + get(item.path());
        }
    }
    return all;
}

/// A host root, a guest root, and what connects them.
class TwoSides
{
public:
    TwoSides()
    {
        std::filesystem::create_directories(host);
        std::filesystem::create_directories(guest);
    }
    ~TwoSides()
    {
        disconnect();
        session.reset();
        std::error_code ignored;
        std::filesystem::remove_all(base, ignored);
    }

    void openSession()
    {
        if (!session) {
            SessionOptions options;
            options.root = host;
            options.stateFolder = base / "state";
            options.trashFolder = base / "trash";
            options.readOnly = readOnly;
            options.isStoredKey = isStoredKey;
            options.seedDisk = seedDisk;
            auto opened = Session::open(std::move(options));
            if (!opened) {
                qFatal("%s", opened.error().message.c_str());
            }
            session = std::move(*opened);
        }
    }

    /// Before connect().
    void giveSeedDisk()
    {
        guestSeed = base / "seed.raw";
        if (!makeSeedDisk(guestSeed)) {
            qFatal("seed disk");
        }
        seedDisk = SeedDisk::open(guestSeed).value_or(nullptr);
    }

    void connect(std::string diskId = "disk-1", std::string generation = "gen-1")
    {
        openSession();
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
            qFatal("socketpair");
        }
        session->start(UniqueFd(pair[0]), {std::move(diskId), std::move(generation)});
        guestThread = std::thread([this, fd = pair[1]] {
            EndpointOptions options;
            options.stagingFolder = base / "guest-staging";
            const UniqueFd device(guestSeed.empty() ? -1 : ::open(guestSeed.c_str(), O_RDONLY | O_CLOEXEC));
            options.seedDevice = device.get();
            runEndpoint(fd, guest, options);
            ::close(fd);
        });
    }

    void disconnect()
    {
        if (session) {
            session->stop();
        }
        if (guestThread.joinable()) {
            guestThread.join();
        }
    }

    /// A new engine process: nothing but the disk is kept.
    void restartHost()
    {
        disconnect();
        session.reset();
    }

    bool flush(std::chrono::milliseconds limit = std::chrono::seconds(20))
    {
        const auto done = session->flush(limit);
        if (!done) {
            qWarning("flush: %s %s", done.error().message.c_str(), done.error().detail.c_str());
        }
        return done.has_value();
    }

    bool hasNote(const std::vector<Note>& notes, const std::string& path) const
    {
        for (const Note& note : notes) {
            if (note.path == path) {
                return true;
            }
        }
        return false;
    }

    /// Not QTemporaryDir: it cannot remove names that are not UTF-8.
    static std::filesystem::path makeFolder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "coldframe-sync-XXXXXX").native();
        return ::mkdtemp(pattern.data());
    }

    std::filesystem::path base{makeFolder()};
    std::filesystem::path host{base / "host"};
    std::filesystem::path guest{base / "guest"};
    std::unique_ptr<Session> session{};
    std::thread guestThread{};
    bool readOnly = false;
    std::shared_ptr<SeedDisk> seedDisk{};
    std::filesystem::path guestSeed{}; ///< what the guest takes for the seed disk
    std::function<bool(std::string_view)> isStoredKey{};
};

} // namespace coldframe::sync
