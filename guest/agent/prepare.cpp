// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/prepare.h"

#include "base/file.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "guest/agent/accounts.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <ftw.h>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

/// The programs of set-up and of a first interactive shell, with their libraries. One that is missing costs nothing.
constexpr const char* kFiles[] = {"/usr/bin/bash", "/usr/bin/dash", "/usr/bin/env", "/usr/bin/id", "/usr/bin/dircolors", "/usr/bin/ls",
                                  "/usr/bin/cat", "/usr/bin/ln", "/etc/profile", "/etc/bash.bashrc", "/etc/passwd", "/etc/group",
                                  "/etc/shadow", "/etc/nsswitch.conf", "/etc/ld.so.cache", "/home/agent/.bashrc",
                                  "/home/agent/.profile", "/etc/ssl/certs/ca-certificates.crt", "/lib64/ld-linux-x86-64.so.2"};
constexpr const char* kFolders[] = {"/etc", "/etc/ssl/certs", "/usr/local/share/ca-certificates", "/var/lib/coldframe", "/var/tmp", "/tmp"};
constexpr const char* kLibraryFolder = "/usr/lib/x86_64-linux-gnu";
constexpr const char* kLibraries[] = {"libc.so.6", "libtinfo.so.6", "libselinux.so.1", "libpcre2-8.so.0", "libdl.so.2", "libpthread.so.0"};
/// About twice what is free in pieces below 2 MiB after the boot.
constexpr std::size_t kScraps = 64u << 20;
/// mm/page_reporting.c: the kernel tells the host of free pieces of 2 to the power of this many pages, and of larger ones.
constexpr const char* kReportingOrder = "/sys/module/page_reporting/parameters/page_reporting_order";
constexpr const char* kFineOrder = "4";
constexpr const char* kUsualOrder = "9"; ///< a huge page: smaller ones would be taken out of the host's huge pages

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

/// Every copy has in memory what the template has, in pieces of 2 MiB, so what the boot left behind goes first and what stays
/// moves together (the kernel's admin-guide/sysctl/vm.rst). Without it copies are only larger.
void tellKernel(const char* file, std::string_view word)
{
    const UniqueFd control(::open(file, O_WRONLY | O_CLOEXEC));
    if (!control || ::write(control.get(), word.data(), word.size()) < 0) {
        logWarning("prepare", std::string(file) + ": " + std::strerror(errno));
    }
}

/// What programs left in free pages would be saved with the memory and be in every copy. The kernel hands out the smallest free
/// pieces first, and zeroed; a page of zeros is not saved.
void zeroScraps()
{
    void* pages = ::mmap(nullptr, kScraps, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return;
    }
    ::madvise(pages, kScraps, MADV_NOHUGEPAGE);
    ::madvise(pages, kScraps, MADV_POPULATE_WRITE);
    ::munmap(pages, kScraps);
}

} // namespace

Result<void> prepareTemplate(const PrepareRequest& request)
{
    Account agent;
    agent.name = "agent";
    agent.uid = request.uid;
    agent.gid = request.gid;
    agent.home = request.home;
    agent.shell = loginShell("/");
    COLDFRAME_CHECK(ensureAccount("/", agent));
    tellKernel("/proc/sys/vm/drop_caches", "3");
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
    tellKernel("/proc/sys/vm/compact_memory", "1");
    tellKernel(kReportingOrder, kFineOrder);
    zeroScraps();
    return {};
}

void endPreparation() { tellKernel(kReportingOrder, kUsualOrder); }

} // namespace coldframe::guest
