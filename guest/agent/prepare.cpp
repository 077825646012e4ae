// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/prepare.h"

#include "base/file.h"
#include "base/unique_fd.h"
#include "guest/agent/accounts.h"
#include "guest/agent/modules.h"

#include <array>
#include <fcntl.h>
#include <ftw.h>
#include <string>
#include <unistd.h>

namespace coldframe::guest {

namespace {

/// The programs of set-up and of a first interactive shell, with their libraries. One that is missing costs nothing.
constexpr const char* kFiles[] = {"/usr/bin/bash",  "/usr/bin/dash",    "/usr/sbin/nft",   "/usr/bin/env",  "/usr/bin/id",
                                  "/usr/bin/dircolors", "/usr/bin/ls",  "/usr/bin/cat",    "/usr/bin/git",  "/usr/bin/ln",
                                  "/usr/bin/openssl", "/etc/profile",   "/etc/bash.bashrc", "/etc/passwd",  "/etc/group",
                                  "/etc/shadow",    "/etc/nsswitch.conf", "/etc/ld.so.cache", "/home/agent/.bashrc",
                                  "/home/agent/.profile", "/etc/ssl/certs/ca-certificates.crt", "/lib64/ld-linux-x86-64.so.2"};
constexpr const char* kFolders[] = {"/etc", "/etc/ssl/certs", "/usr/local/share/ca-certificates", "/var/lib/coldframe", "/var/tmp", "/tmp"};
constexpr const char* kLibraryFolder = "/usr/lib/x86_64-linux-gnu";
constexpr const char* kLibraries[] = {"libc.so.6",       "libtinfo.so.6",  "libnftables.so.1", "libmnl.so.0",   "libnftnl.so.11",
                                      "libxtables.so.12", "libjansson.so.4", "libgmp.so.10",   "libedit.so.2",  "libbsd.so.0",
                                      "libmd.so.0",      "libselinux.so.1", "libpcre2-8.so.0", "libcrypto.so.3", "libssl.so.3",
                                      "libz.so.1",       "libzstd.so.1",   "libdl.so.2",       "libpthread.so.0"};

void readThrough(const std::string& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 64 * 1024> buffer;
    while (file && ::read(file.get(), buffer.data(), buffer.size()) > 0) {
    }
}

/// nftw's call for each entry: that it was looked up is all.
int look(const char*, const struct stat*, int, struct FTW*) { return 0; }

/// Writes a file and removes it again, so that what the file system must know to write here is in memory.
void useFolder(const std::string& folder)
{
    const std::string path = folder + "/.coldframe-prepare";
    (void)replaceFile(path, std::string(256 * 1024, 'x'), 0600);
    ::unlink(path.c_str());
}

} // namespace

Result<void> prepareTemplate(const PrepareRequest& request)
{
    Account agent;
    agent.name = "agent";
    agent.uid = request.uid;
    agent.gid = request.gid;
    agent.home = request.home;
    agent.shell = "/bin/bash";
    COLDFRAME_CHECK(ensureAccount("/", agent));
    loadModules("/usr/lib/coldframe/modules-network.list");
    for (const char* file : kFiles) {
        readThrough(file);
    }
    for (const char* library : kLibraries) {
        readThrough(std::string(kLibraryFolder) + "/" + library);
    }
    ::nftw(request.home.c_str(), look, 32, FTW_PHYS | FTW_MOUNT);
    for (const char* folder : kFolders) {
        ::nftw(folder, look, 32, FTW_PHYS | FTW_MOUNT);
        useFolder(folder);
    }
    useFolder(request.home);
    return {};
}

} // namespace coldframe::guest
