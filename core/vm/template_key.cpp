// SPDX-License-Identifier: Apache-2.0
#include "vm/template_key.h"

#include "vm/domain_xml.h"
#include "vm/firmware.h"

#include <array>
#include <fstream>
#include <memory>
#include <openssl/evp.h>
#include <set>
#include <sys/stat.h>
#include <sys/utsname.h>

namespace coldframe::vm {
namespace {

/// libvirt's session daemon, in its monolithic and its modular form.
constexpr const char* kDaemons[] = {"/usr/sbin/libvirtd", "/usr/sbin/virtqemud"};

std::string stampOf(const std::string& file)
{
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) {
        return file + ":none;";
    }
    return file + ":" + std::to_string(status.st_size) + "." + std::to_string(status.st_mtim.tv_sec) + ";";
}

/// The lines of the first CPU that a guest of "host-passthrough" sees something of.
std::string cpuFeatures()
{
    const std::set<std::string> wanted{"vendor_id", "cpu family", "model", "stepping", "microcode", "flags"};
    std::ifstream info("/proc/cpuinfo");
    std::string features;
    for (std::string line; std::getline(info, line) && !line.empty();) {
        const auto name = line.substr(0, line.find_first_of("\t:"));
        if (wanted.contains(name)) {
            features += line + ";";
        }
    }
    return features;
}

std::string sha256(const std::string& text)
{
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest) {
        constexpr char kDigits[] = "0123456789abcdef";
        hex += {kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return hex;
}

} // namespace

std::string hostFingerprint(const HypervisorInfo& info, Acceleration acceleration)
{
    std::string text = "libvirt " + info.libvirtVersion + ";qemu " + info.hypervisorVersion + ";" + stampOf(info.emulator);
    text += stampOf(microvmFirmware());
    for (const char* daemon : kDaemons) {
        text += stampOf(daemon);
    }
    if (acceleration == Acceleration::Kvm) {
        struct utsname kernel{};
        ::uname(&kernel);
        text += std::string(kernel.release) + ";" + kernel.version + ";" + cpuFeatures();
    }
    return text;
}

Result<std::string> templateKey(const MachineDescription& machine, std::uint64_t diskBytes, const std::string& hostFingerprint)
{
    MachineDescription common = machine;
    common.sandboxId = "template";
    common.title.clear();
    common.owner = "/";
    common.generation = "0";
    common.uuid.clear();
    common.overlay = "/overlay";
    common.controlSocket = "/control";
    common.bulkSocket = "/bulk";
    common.netSocket = "/net";
    common.consoleSocket = "/console";
    common.emulator = "/emulator";
    common.hostTscKhz = machine.hostTscKhz == 0 ? 0 : 1;
    for (auto& slot : common.readOnlyDisks) {
        slot.path = "/slot-" + slot.serial;
    }
    COLDFRAME_TRY(const std::string xml, domainXml(common));
    return sha256(xml + "\ndisk " + std::to_string(diskBytes) + "\n" + hostFingerprint);
}

bool fitsTsc(std::uint32_t savedKhz, std::uint32_t hostKhz)
{
    const auto apart = savedKhz > hostKhz ? savedKhz - hostKhz : hostKhz - savedKhz;
    return std::uint64_t{apart} * 1000 <= hostKhz;
}

} // namespace coldframe::vm
