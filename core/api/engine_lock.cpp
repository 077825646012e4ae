// SPDX-License-Identifier: Apache-2.0
#include "api/engine_lock.h"

#include "base/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace coldframe::api {

Result<UniqueFd> lockEngineFolder(const std::filesystem::path& folder)
{
    COLDFRAME_CHECK(makeFolders(folder, 0700));
    COLDFRAME_TRY(const UniqueFd handle, openFolder(folder));
    struct stat status{};
    if (::fstat(handle.get(), &status) != 0) {
        return failErrno("The folder " + folder.string() + " cannot be examined.", errno);
    }
    if (status.st_uid != ::geteuid()) {
        return fail(ErrorCode::NotAllowed, "The folder " + folder.string() +
                                               " belongs to another user; set XDG_RUNTIME_DIR to a folder of yours.");
    }
    if ((status.st_mode & 077) != 0 && ::fchmod(handle.get(), 0700) != 0) {
        return failErrno("The folder " + folder.string() + " is open to others and cannot be closed.", errno);
    }
    UniqueFd lock(::openat(handle.get(), "engine.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return failErrno("The lock file in " + folder.string() + " cannot be opened.", errno);
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return fail(ErrorCode::AlreadyExists, kRunningAlready);
        }
        return failErrno("The lock file in " + folder.string() + " cannot be locked.", errno);
    }
    return lock;
}

Result<UniqueFd> listenOn(const std::filesystem::path& socketPath)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& name = socketPath.native();
    if (name.size() >= sizeof(address.sun_path)) {
        return fail(ErrorCode::InvalidArgument, "The path " + name +
                                                    " is too long for a socket; set XDG_RUNTIME_DIR to a shorter one.");
    }
    std::memcpy(address.sun_path, name.data(), name.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return failErrno("No socket can be made.", errno);
    }
    if (::unlink(name.c_str()) != 0 && errno != ENOENT) {
        return failErrno("The stale socket " + name + " cannot be removed.", errno);
    }
    // The folder is 0700, so nobody else can connect between bind and chmod either.
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        ::chmod(name.c_str(), 0600) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        return failErrno("The engine's socket " + name + " cannot be opened.", errno);
    }
    return socket;
}

} // namespace coldframe::api
