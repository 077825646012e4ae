// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/init.h"

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/modules.h"
#include "guest/agent/root_disk.h"
#include "guest/agent/seed_device.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::guest {

namespace fs = std::filesystem;

namespace {

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;

bool mountAt(const char* what, const char* where, const char* type, unsigned long flags,
             const char* data = "")
{
    ::mkdir(where, 0755);
    if (::mount(what, where, type, flags, data) != 0 && errno != EBUSY) {
        logWarning("init", std::string("cannot mount ") + where + ": " + std::strerror(errno));
        return false;
    }
    return true;
}

bool waitFor(const char* path, int milliseconds)
{
    for (int waited = 0; ::access(path, F_OK) != 0; waited += 10) {
        if (waited >= milliseconds) {
            return false;
        }
        ::usleep(10'000);
    }
    return true;
}

bool copyExecutable(const char* from, const char* to)
{
    UniqueFd source(::open(from, O_RDONLY | O_CLOEXEC));
    UniqueFd target(::open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
    struct stat info
    {
    };
    if (!source || !target || ::fstat(source.get(), &info) != 0) {
        return false;
    }
    for (off_t left = info.st_size; left > 0;) {
        const ssize_t sent = ::sendfile(target.get(), source.get(), nullptr, static_cast<std::size_t>(left));
        if (sent <= 0) {
            return false;
        }
        left -= sent;
    }
    return true;
}

[[noreturn]] void stopMachine(const char* why)
{
    logError("init", why);
    ::sync();
    ::reboot(RB_AUTOBOOT);
    ::_exit(1);
}

void bringLoopbackUp()
{
    UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct ifreq request
    {
    };
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
        logWarning("init", "the loopback interface stays down");
    }
}

} // namespace

int runInitrd()
{
    mountAt("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    mountAt("proc", "/proc", "proc", kQuiet);
    mountAt("sysfs", "/sys", "sysfs", kQuiet);
    loadModules("/modules.list");
    if (!waitFor("/dev/vda", 30'000)) {
        stopMachine("the root disk did not appear");
    }
    ::mkdir("/newroot", 0755);
    if (::mount("/dev/vda", "/newroot", "ext4", MS_NOATIME, "") != 0) {
        logError("init", std::strerror(errno));
        stopMachine("the root disk cannot be mounted");
    }
    mountAt("tmpfs", "/newroot/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
    ::mkdir("/newroot/run/coldframe", 0755);
    if (!copyExecutable("/proc/self/exe", "/newroot/run/coldframe/coldframe-guest")) {
        stopMachine("the guest program cannot be copied");
    }
    for (const char* name : {"/dev", "/proc", "/sys"}) {
        const std::string target = std::string("/newroot") + name;
        ::mkdir(target.c_str(), 0755);
        ::mount(name, target.c_str(), nullptr, MS_MOVE, nullptr);
    }
    // switch_root: the disk becomes /, the initrd's files are freed with it.
    ::unlink("/init");
    if (::chdir("/newroot") != 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 ||
        ::chdir("/") != 0) {
        stopMachine("the root cannot be switched");
    }
    ::execl("/run/coldframe/coldframe-guest", "coldframe-guest", "init", nullptr);
    stopMachine("the guest program cannot be run");
}

void mountSystem()
{
    ::umask(0022);
    // The initrd handed these three over; a root disk started directly has none of them.
    if (!fs::exists("/proc/self")) {
        mountAt("proc", "/proc", "proc", kQuiet);
        mountAt("sysfs", "/sys", "sysfs", kQuiet);
        mountAt("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    }
    mountAt("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666");
    mountAt("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    mountAt("mqueue", "/dev/mqueue", "mqueue", kQuiet);
    if (!fs::exists("/run/coldframe")) {
        mountAt("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
    }
    // A root disk is shared downwards by default under other inits; Docker's propagation expects it.
    ::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr);
    ::mkdir("/run/coldframe", 0755);
    ::mkdir("/run/lock", 01777);
    ::chmod("/run/lock", 01777);
    ::mkdir("/run/user", 0755);
    ::mkdir("/tmp", 01777);
    ::chmod("/tmp", 01777);
    ::mkdir("/var/tmp", 01777);
    ::chmod("/var/tmp", 01777);
    mountAt("cgroup2", "/sys/fs/cgroup", "cgroup2", kQuiet);
    for (const auto& [name, target] : {std::pair{"/dev/fd", "/proc/self/fd"},
                                       {"/dev/stdin", "/proc/self/fd/0"},
                                       {"/dev/stdout", "/proc/self/fd/1"},
                                       {"/dev/stderr", "/proc/self/fd/2"}}) {
        (void)!::symlink(target, name);
    }
    bringLoopbackUp();
}

Result<int> openPort(const std::string& name)
{
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/sys/class/virtio-ports", error)) {
        auto label = readFile(entry.path() / "name", 4096);
        if (!label) {
            continue;
        }
        while (!label->empty() && label->back() == '\n') {
            label->pop_back();
        }
        if (*label == name) {
            const fs::path device = fs::path("/dev") / entry.path().filename();
            const int fd = ::open(device.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
            if (fd < 0) {
                return failErrno("Cannot open the port " + name + ".", errno);
            }
            return fd;
        }
    }
    return fail(ErrorCode::NotFound, "The machine has no port " + name + ".");
}

void mountAgentLayer()
{
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/sys/class/block", error)) {
        const std::string name = entry.path().filename();
        const fs::path device = fs::path("/dev") / name;
        if (!name.starts_with("vd") || name == "vda" || isSeedDevice(entry.path())) {
            continue;
        }
        const auto superblock = readExtSuperblock(device);
        if (!superblock || superblock->label != "COLDFRAME_AGENT") {
            continue;
        }
        ::mkdir("/opt", 0755);
        ::mkdir("/opt/coldframe", 0755);
        mountAt(device.c_str(), "/opt/coldframe/agent", "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV, "noload");
        return;
    }
}

} // namespace coldframe::guest
