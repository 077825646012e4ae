// SPDX-License-Identifier: Apache-2.0
// coldframe-qemu: the <emulator> of Coldframe's domains. Confines itself to what this machine needs, then becomes QEMU.
// libvirt's session mode runs QEMU with all of the user's rights otherwise. Messages go to the domain's log.
#include "app/qemu-wrapper/confinement.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>
#include <unistd.h>

namespace {

constexpr const char* kCandidates[] = {"/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm"};

int refuse(const coldframe::Error& error)
{
    std::fprintf(stderr, "coldframe-qemu: %s %s\n", error.message.c_str(), error.detail.c_str());
    return 1;
}

} // namespace

int main(int argumentCount, char** arguments)
{
    const auto needs = coldframe::qemu::needsOf(std::vector<std::string>(arguments + (argumentCount > 0 ? 1 : 0),
                                                                         arguments + argumentCount));
    if (!needs) {
        return refuse(needs.error());
    }
    // A dump of QEMU would hold the guest's memory; libvirt has just allowed it.
    const struct rlimit none {0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const auto missing = coldframe::qemu::confine(*needs);
    if (!missing) {
        return refuse(missing.error());
    }
    if (!needs->isProbe) {
        for (const auto& line : *missing) {
            std::fprintf(stderr, "coldframe-qemu: %s\n", line.c_str());
        }
    }
    for (const char* program : kCandidates) {
        ::execv(program, arguments);
        if (errno != ENOENT) {
            break;
        }
    }
    std::fprintf(stderr, "coldframe-qemu: QEMU could not be started: %s\n", std::strerror(errno));
    return 1;
}
