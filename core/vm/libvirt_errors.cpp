// SPDX-License-Identifier: Apache-2.0
#include "vm/libvirt_errors.h"

#include <libvirt/virterror.h>

#include <initializer_list>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::vm {
namespace {

/// One row: every fragment must occur in the message (an empty list fits all), and the code when not 0.
struct Row
{
    int code;
    std::initializer_list<std::string_view> fragments;
    ErrorCode result;
    std::string_view explanation;
};

/// First match wins, so the specific stand above the general. The texts are libvirt 9.0's and QEMU 7.2's.
const Row kRows[] = {
    {0, {"libvirtd", "does not exist"}, ErrorCode::Unavailable,
     "libvirt's daemon is not installed. Install it: libvirt-daemon (Debian, Ubuntu), libvirt-daemon-kvm (Fedora)."},
    {0, {"virtqemud", "does not exist"}, ErrorCode::Unavailable,
     "libvirt's QEMU daemon is not installed. Install it: libvirt-daemon-driver-qemu (Debian, Ubuntu, Fedora)."},
    {0, {"Unable to locate", "libvirtd"}, ErrorCode::Unavailable,
     "libvirt's daemon is not installed. Install it: libvirt-daemon (Debian, Ubuntu), libvirt-daemon-kvm (Fedora)."},
    {VIR_ERR_NO_CONNECT, {}, ErrorCode::Unavailable,
     "libvirt has no QEMU driver. Install it: libvirt-daemon-driver-qemu (Debian, Ubuntu, Fedora)."},
    {0, {"libvirt-sock", "Permission denied"}, ErrorCode::Unavailable,
     "the folder of libvirt's session socket is not yours. Check the owner of $XDG_RUNTIME_DIR/libvirt."},
    {0, {"connect socket"}, ErrorCode::Unavailable,
     "libvirt's session daemon cannot be reached. Check that libvirt-daemon is installed and that “virsh -c "
     "qemu:///session version” works."},
    {0, {"emulator", "does not exist"}, ErrorCode::Unavailable,
     "the QEMU program is missing. Install it: qemu-system-x86 (Debian, Ubuntu), qemu-system-x86-core (Fedora)."},
    {0, {"Cannot check QEMU binary"}, ErrorCode::Unavailable,
     "the QEMU program is missing or cannot be run. Install it: qemu-system-x86 (Debian, Ubuntu), "
     "qemu-system-x86-core (Fedora)."},
    {0, {"Failed to probe"}, ErrorCode::Unavailable,
     "the QEMU program does not answer. Reinstall it: qemu-system-x86 (Debian, Ubuntu), qemu-system-x86-core (Fedora)."},
    {0, {"Emulator", "does not support machine type"}, ErrorCode::Unavailable,
     "this QEMU has no microvm machine. Install QEMU 5.2 or newer for x86-64 (qemu-system-x86)."},
    {0, {"/dev/kvm", "Permission denied"}, ErrorCode::NotAllowed,
     "you may not use /dev/kvm. Add yourself to the group kvm (sudo usermod -aG kvm $USER) and log in again, or choose "
     "emulation in the settings."},
    {0, {"Could not access KVM"}, ErrorCode::NotAllowed,
     "KVM cannot be used. Add yourself to the group kvm and log in again, switch virtualisation on in the firmware, or "
     "choose emulation in the settings."},
    {0, {"domain type 'kvm'"}, ErrorCode::Unavailable,
     "libvirt does not offer KVM here. Switch virtualisation on in the firmware, or choose emulation in the settings."},
    {0, {"KVM is not supported"}, ErrorCode::Unavailable,
     "KVM is not supported here. Choose emulation in the settings."},
    {0, {"Address already in use"}, ErrorCode::Busy,
     "a socket of the sandbox is still in use by another program. Wait a moment and try again."},
    {0, {"Failed to get \"write\" lock"}, ErrorCode::Busy,
     "the sandbox's disk is in use by another microVM. Stop that one first."},
    {0, {"Failed to get shared \"write\" lock"}, ErrorCode::Busy,
     "a disk of the sandbox is being written by another program. Wait until it has ended."},
    {0, {"cannot set up guest memory"}, ErrorCode::NoSpace,
     "there is not enough memory. Close other programs or give the sandbox less memory."},
    {0, {"Cannot allocate memory"}, ErrorCode::NoSpace,
     "there is not enough memory. Close other programs or give the sandbox less memory."},
    {VIR_ERR_NO_MEMORY, {}, ErrorCode::NoSpace,
     "there is not enough memory. Close other programs or give the sandbox less memory."},
    {0, {"No space left"}, ErrorCode::NoSpace, "the disk is full. Free some space and try again."},
    {VIR_ERR_DOM_EXIST, {}, ErrorCode::AlreadyExists, "there is already a microVM of that name. Stop it first."},
    {0, {"already exists"}, ErrorCode::AlreadyExists, "there is already a microVM of that name. Stop it first."},
    {0, {"is already active"}, ErrorCode::AlreadyExists, "the microVM runs already."},
    {VIR_ERR_NO_DOMAIN, {}, ErrorCode::NotFound, "there is no such microVM any more."},
    {VIR_ERR_OPERATION_TIMEOUT, {}, ErrorCode::Timeout, "libvirt did not answer in time. Try again."},
    {0, {"Cannot access", "No such file"}, ErrorCode::NotFound,
     "a file of the sandbox or its image is missing. Build the image again, or reset the sandbox."},
    {0, {"Could not open", "No such file"}, ErrorCode::NotFound,
     "a file of the sandbox or its image is missing. Build the image again, or reset the sandbox."},
    {0, {"could not open kernel", "No such file"}, ErrorCode::NotFound,
     "the image's kernel is missing or damaged. Build the image again."},
    {0, {"could not load kernel"}, ErrorCode::NotFound,
     "the image's kernel is missing or damaged. Build the image again."},
    {0, {"error reading initrd", "No such file"}, ErrorCode::NotFound,
     "the image's initrd is missing or damaged. Build the image again."},
    {0, {"could not load initrd"}, ErrorCode::NotFound,
     "the image's initrd is missing or damaged. Build the image again."},
    {0, {"Permission denied"}, ErrorCode::NotAllowed,
     "a file of the sandbox may not be read. Check the owner and mode of Coldframe's data folder."},
    {0, {"process exited while connecting to monitor"}, ErrorCode::Unavailable,
     "QEMU ended while it was starting. Try again; if that repeats, “coldframe diagnose” checks the usual causes."},
    {VIR_ERR_OPERATION_UNSUPPORTED, {}, ErrorCode::Unavailable, "this version of libvirt or QEMU cannot do that."},
    {VIR_ERR_CONFIG_UNSUPPORTED, {}, ErrorCode::Unavailable,
     "this version of libvirt or QEMU does not know the microVM's settings. Libvirt 9.0 and QEMU 7.2 or newer are needed."},
};

bool matches(const Row& row, const LibvirtFailure& failure)
{
    if (row.code != 0 && row.code != failure.code) {
        return false;
    }
    for (const auto fragment : row.fragments) {
        if (failure.message.find(fragment) == std::string::npos) {
            return false;
        }
    }
    return true;
}

} // namespace

Error translateLibvirtFailure(const LibvirtFailure& failure, std::string_view what)
{
    Error error;
    error.detail = "libvirt error " + std::to_string(failure.code) + ": " + failure.message;
    for (const auto& row : kRows) {
        if (matches(row, failure)) {
            error.code = row.result;
            error.message = std::string(what) + ": " + std::string(row.explanation);
            return error;
        }
    }
    if (isConnectionFailure(failure)) {
        error.code = ErrorCode::Unavailable;
        error.message = std::string(what) + ": the connection to libvirt broke. Try again.";
        return error;
    }
    error.code = ErrorCode::Internal;
    error.message = std::string(what) + ": libvirt reports “" + failure.message
        + "”. “coldframe diagnose” checks the usual causes.";
    return error;
}

bool isConnectionFailure(const LibvirtFailure& failure)
{
    return failure.code == VIR_ERR_RPC || failure.code == VIR_ERR_INVALID_CONN
        || failure.message.find("client socket is closed") != std::string::npos
        || failure.message.find("End of file while reading data") != std::string::npos
        || failure.message.find("Broken pipe") != std::string::npos
        || failure.message.find("Connection reset by peer") != std::string::npos
        || failure.message.find("connection closed due to keepalive timeout") != std::string::npos;
}

Result<void> checkSessionEnvironment(uid_t user, const char* xdgRuntimeDir)
{
    if (user == 0) {
        return fail(ErrorCode::NotAllowed,
                    "Coldframe runs sandboxes as an ordinary user, not as root. Start it from your own account.");
    }
    if (xdgRuntimeDir == nullptr || *xdgRuntimeDir == '\0') {
        return fail(ErrorCode::Unavailable,
                    "XDG_RUNTIME_DIR is not set, so there is no place for sockets. Log in through a normal session (ssh or a "
                    "desktop, not su), or set it to a folder that only you can open.");
    }
    struct stat status{};
    if (::stat(xdgRuntimeDir, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return fail(ErrorCode::Unavailable, std::string("The runtime folder “") + xdgRuntimeDir
                        + "” (XDG_RUNTIME_DIR) does not exist. Log in again, or have lingering switched on "
                          "(loginctl enable-linger).");
    }
    if (status.st_uid != user || (status.st_mode & 077) != 0) {
        return fail(ErrorCode::NotAllowed, std::string("The runtime folder “") + xdgRuntimeDir
                        + "” (XDG_RUNTIME_DIR) must belong to you and be closed to others (chmod 700).");
    }
    return {};
}

} // namespace coldframe::vm
