// SPDX-License-Identifier: Apache-2.0
#include "vm/libvirt_domains.h"

#include "base/unique_fd.h"
#include "vm/libvirt_errors.h"
#include "vm/libvirt_hypervisor.h"
#include "vm/memory_feed.h"
#include "vm/save_image.h"
#include "vm/session_daemon.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <libvirt/libvirt.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coldframe::vm {
namespace {

/// QEMU's process id as libvirt's session daemon notes it.
pid_t readProcessId(const std::string& name)
{
    std::ifstream file(sessionDaemon().pidFileOf(name));
    pid_t process = 0;
    file >> process;
    return file ? process : 0;
}

/// Nothing when the domain is not ours or ended while it was looked at.
std::optional<Domain> describe(virDomainPtr handle, const std::string& owner)
{
    const char* name = virDomainGetName(handle);
    if (name == nullptr || std::string_view(name).substr(0, 10) != kNamePrefix) {
        return std::nullopt;
    }
    auto metadata = readMetadata(handle);
    int state = 0;
    int reason = 0;
    if (!metadata || metadata->owner != owner || domainName(metadata->sandboxId) != name
        || virDomainGetState(handle, &state, &reason, 0) < 0) {
        return std::nullopt;
    }
    Domain domain;
    domain.sandboxId = metadata->sandboxId;
    domain.generation = metadata->generation;
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED: domain.state = DomainState::Running; break;
    case VIR_DOMAIN_PAUSED: domain.state = reason == VIR_DOMAIN_PAUSED_IOERROR ? DomainState::Stalled : DomainState::Paused; break;
    case VIR_DOMAIN_PMSUSPENDED: domain.state = DomainState::Paused; break;
    default: domain.state = DomainState::Ending; break;
    }
    char uuid[VIR_UUID_STRING_BUFLEN] = {};
    if (virDomainGetUUIDString(handle, uuid) == 0) {
        domain.uuid = uuid;
    }
    domain.processId = readProcessId(name);
    return domain;
}

} // namespace

void killEmulator(const std::string& name)
{
    const pid_t process = readProcessId(name);
    const UniqueFd handle(process > 1 ? static_cast<int>(::syscall(SYS_pidfd_open, process, 0)) : -1);
    if (!handle) {
        return;
    }
    // Looked at through the handle's time: the id cannot be another's meanwhile.
    std::ifstream file("/proc/" + std::to_string(process) + "/cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (line.find(std::string("guest=") + name + ",") != std::string::npos) {
        ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
    }
}

std::optional<DomainMetadata> readMetadata(virDomainPtr domain)
{
    const std::unique_ptr<char, decltype(&std::free)> element(
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, kMetadataNamespace, 0), &std::free);
    return element ? parseMetadata(element.get()) : std::nullopt;
}

Result<DomainHandle> findOwn(const LibvirtConnection& connection, const std::string& name, const std::string& owner, std::string_view failure)
{
    DomainHandle domain(virDomainLookupByName(connection.get(), name.c_str()));
    if (!domain) {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), failure));
    }
    const auto metadata = readMetadata(domain.get());
    if (!metadata || metadata->owner != owner) {
        return fail(ErrorCode::NotAllowed, "The microVM “" + name + "” belongs to another Coldframe engine.");
    }
    return domain;
}

Result<std::vector<Domain>> listDomains(const LibvirtConnection& connection, const std::string& owner)
{
    virDomainPtr* handles = nullptr;
    const int count = virConnectListAllDomains(connection.get(), &handles, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0) {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), "The running sandboxes could not be listed"));
    }
    std::vector<Domain> domains;
    for (int index = 0; index < count; ++index) {
        const DomainHandle handle(handles[index]);
        if (auto domain = describe(handle.get(), owner)) {
            domains.push_back(std::move(*domain));
        }
    }
    std::free(handles);
    return domains;
}

std::string versionText(unsigned long version)
{
    return std::to_string(version / 1'000'000) + '.' + std::to_string(version / 1000 % 1000) + '.'
        + std::to_string(version % 1000);
}

std::pair<StopReason, std::string> explainStop(int detail)
{
    switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: return {StopReason::Shutdown, "The microVM shut itself down."};
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED: return {StopReason::Destroyed, "The microVM was switched off."};
    case VIR_DOMAIN_EVENT_STOPPED_SAVED: return {StopReason::Saved, "The microVM's memory was saved."};
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
        return {StopReason::Crashed, "The microVM's process (QEMU) ended unexpectedly."};
    default: return {StopReason::Unknown, "The microVM ended."};
    }
}

Result<DomainHandle> restoreDomain(const LibvirtConnection& usable, const MachineDescription& machine, const std::string& header,
                                   const std::filesystem::path& memory, std::uint64_t streamOffset)
{
    const auto fifo = machine.controlSocket.parent_path() / "memory.fifo";
    unsigned long version = 0;
    if (virConnectGetLibVersion(usable.get(), &version) < 0) {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), kStartFailed));
    }
    COLDFRAME_TRY(const auto feed, MemoryFeed::start(fifo, header, saveImageOpenings(version), memory, streamOffset));
    if (virDomainRestoreFlags(usable.get(), fifo.c_str(), nullptr, VIR_DOMAIN_SAVE_RUNNING) < 0) {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), kStartFailed));
    }
    DomainHandle domain(virDomainLookupByName(usable.get(), domainName(machine.sandboxId).c_str()));
    if (!domain) {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), kStartFailed));
    }
    return domain;
}

HypervisorInfo parseCapabilities(const std::string& xml)
{
    HypervisorInfo info;
    // Only the x86_64 guest counts; libvirt lists one <guest> element for each architecture.
    for (auto at = xml.find("<guest>"); at != std::string::npos; at = xml.find("<guest>", at + 1)) {
        const std::string guest = xml.substr(at, xml.find("</guest>", at) - at);
        if (guest.find("<arch name='x86_64'>") == std::string::npos) {
            continue;
        }
        info.offersKvm = guest.find("<domain type='kvm'") != std::string::npos;
        const std::string open = "<emulator>";
        if (const auto from = guest.find(open); from != std::string::npos) {
            const auto begin = from + open.size();
            info.emulator = guest.substr(begin, guest.find("</emulator>", begin) - begin);
        }
    }
    return info;
}

} // namespace coldframe::vm
