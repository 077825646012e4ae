// SPDX-License-Identifier: Apache-2.0
#include "vm/emulator.h"

#include "base/file.h"

#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::vm {
namespace {

Result<std::string> stampOf(const std::filesystem::path& file, const char* remedy)
{
    if (file.empty()) {
        return fail(ErrorCode::Unavailable, std::string("libvirt finds no QEMU for x86-64. ") + remedy);
    }
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0 || ::access(file.c_str(), X_OK) != 0) {
        return fail(ErrorCode::Unavailable, "“" + file.string() + "” is missing or cannot be run. " + remedy);
    }
    return std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_size);
}

} // namespace

Result<std::filesystem::path> confinedEmulator(const std::filesystem::path& folder, const std::filesystem::path& wrapper,
                                               const std::filesystem::path& qemu)
{
    COLDFRAME_TRY(const auto qemuStamp,
                  stampOf(qemu, "Install QEMU: qemu-system-x86 (Debian, Ubuntu), qemu-system-x86-core (Fedora)."));
    COLDFRAME_TRY(const auto wrapperStamp, stampOf(wrapper, "Install Coldframe again."));
    COLDFRAME_CHECK(makeFolders(folder));
    const auto link = folder / ("coldframe-qemu-" + qemuStamp + "-" + wrapperStamp);
    std::error_code error;
    if (std::filesystem::read_symlink(link, error) == wrapper) {
        return link;
    }
    // Replaced in one step, should another engine use it at this moment.
    const auto fresh = link.string() + "." + std::to_string(::getpid());
    ::unlink(fresh.c_str());
    if (::symlink(wrapper.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), link.c_str()) != 0) {
        return failErrno("The link to the emulator in “" + folder.string() + "” could not be made.", errno);
    }
    return link;
}

} // namespace coldframe::vm
