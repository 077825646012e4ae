// SPDX-License-Identifier: Apache-2.0
#include "vm/domain_xml.h"

#include "base/utf8.h"

#include <algorithm>
#include <sys/un.h>

namespace coldframe::vm {
namespace {

constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t kMaxSerial = 20; // virtio-blk's VIRTIO_BLK_ID_BYTES
constexpr std::uint32_t kInitrdLimitMiB = 2048; // Linux' initrd_addr_max for x86, 0x7fffffff

bool consistsOf(std::string_view text, std::string_view extra, std::size_t maxLength)
{
    return !text.empty() && text.size() <= maxLength && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || extra.find(c) != std::string_view::npos;
    });
}

bool isSandboxId(std::string_view id)
{
    return consistsOf(id, "-", 48) && std::none_of(id.begin(), id.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

tl::unexpected<Error> invalid(const std::string& what)
{
    return fail(ErrorCode::InvalidArgument, what);
}

bool isPlain(char c)
{
    return consistsOf(std::string_view(&c, 1), "/._-", 1);
}

/// Percent-encoded, so that whatever libvirt's XML writer does to quotes and letters, the value comes back the same.
std::string encode(std::string_view text)
{
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        if (isPlain(c)) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        }
    }
    return encoded;
}

std::optional<std::string> decode(std::string_view text)
{
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    std::string decoded;
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] != '%') {
            if (!isPlain(text[index])) {
                return std::nullopt;
            }
            decoded += text[index];
            continue;
        }
        if (index + 2 >= text.size() || digit(text[index + 1]) < 0 || digit(text[index + 2]) < 0) {
            return std::nullopt;
        }
        decoded += static_cast<char>(digit(text[index + 1]) * 16 + digit(text[index + 2]));
        index += 2;
    }
    return decoded;
}

/// Appends lines of XML; values are escaped on the way and the first that cannot be is remembered.
class Writer
{
public:
    /// `pattern` holds one '%' for each value.
    void line(std::string_view pattern, std::initializer_list<std::string_view> values = {})
    {
        auto value = values.begin();
        for (char c : pattern) {
            if (c != '%') {
                m_text += c;
                continue;
            }
            auto escaped = escapeXml(*value++);
            if (escaped) {
                m_text += *escaped;
            } else if (!m_problem) {
                m_problem = escaped.error();
            }
        }
        m_text += '\n';
    }

    Result<std::string> take()
    {
        if (m_problem) {
            return tl::unexpected(*m_problem);
        }
        return std::move(m_text);
    }

private:
    std::string m_text;
    std::optional<Error> m_problem;
};

Result<void> checkPath(const char* what, const std::filesystem::path& path)
{
    if (!path.is_absolute()) {
        return invalid(std::string("The path of the ") + what + " must be absolute: “" + path.string() + "”.");
    }
    if (auto escaped = escapeXml(path.native()); !escaped) {
        return invalid(std::string("The path of the ") + what
                       + " holds a control character or is not UTF-8, which libvirt cannot take. Move Coldframe's "
                         "data to a folder with a plain name (XDG_DATA_HOME, XDG_RUNTIME_DIR).");
    }
    return {};
}

Result<void> checkSocket(const char* what, const std::filesystem::path& path)
{
    COLDFRAME_CHECK(checkPath(what, path));
    if (path.native().size() > kMaxSocketPath) {
        return invalid(std::string("The path of the ") + what + " is longer than the "
                       + std::to_string(kMaxSocketPath)
                       + " bytes that a Unix socket may have. Use a shorter XDG_RUNTIME_DIR.");
    }
    return {};
}

Result<void> checkDisk(const ReadOnlyDisk& disk)
{
    COLDFRAME_CHECK(checkPath("disk layer", disk.path));
    if (!disk.serial.empty() && !consistsOf(disk.serial, "-_", kMaxSerial)) {
        return invalid("A disk's serial is at most 20 letters, digits, hyphens and underscores.");
    }
    return {};
}

Result<void> check(const MachineDescription& machine)
{
    if (!isSandboxId(machine.sandboxId)) {
        return invalid("A sandbox id consists of 1 to 48 lower-case letters, digits and hyphens.");
    }
    if (!consistsOf(machine.generation, "-", 64)) {
        return invalid("A generation consists of 1 to 64 letters, digits and hyphens.");
    }
    if (!machine.uuid.empty() && (machine.uuid.size() != 36 || !consistsOf(machine.uuid, "-", 36))) {
        return invalid("“" + machine.uuid + "” is not a UUID.");
    }
    if (!escapeXml(machine.title)) {
        return invalid("The title of the machine holds a control character or is not UTF-8.");
    }
    COLDFRAME_CHECK(checkPath("emulator", machine.emulator));
    if (!machine.firmware.empty()) {
        COLDFRAME_CHECK(checkPath("firmware", machine.firmware));
    }
    COLDFRAME_CHECK(checkPath("kernel", machine.kernel));
    COLDFRAME_CHECK(checkPath("initrd", machine.initrd));
    COLDFRAME_CHECK(checkPath("disk", machine.overlay));
    for (const auto* disks : {&machine.backingChain, &machine.readOnlyDisks}) {
        for (const auto& disk : *disks) {
            COLDFRAME_CHECK(checkDisk(disk));
        }
    }
    if (machine.readOnlyDisks.size() > 8) {
        return invalid("A machine has at most 8 extra disks.");
    }
    COLDFRAME_CHECK(checkSocket("control port", machine.controlSocket));
    COLDFRAME_CHECK(checkSocket("bulk port", machine.bulkSocket));
    COLDFRAME_CHECK(checkSocket("net port", machine.netSocket));
    COLDFRAME_CHECK(checkSocket("console", machine.consoleSocket));
    for (const auto& argument : machine.kernelArguments) {
        if (argument.empty() || argument.find_first_of(" \t\n\"") != std::string::npos || !escapeXml(argument)) {
            return invalid("“" + argument + "” cannot be an argument of the kernel.");
        }
    }
    if (machine.memoryMiB < 128 || machine.vcpus < 1 || machine.vcpus > 255) {
        return invalid("A machine needs at least 128 MiB of memory and 1 to 255 CPUs.");
    }
    if (machine.acceleration == Acceleration::Emulate && machine.hostTscKhz == 0) {
        return invalid("The rate of the host's time-stamp counter is needed under emulation.");
    }
    return {};
}

const char* formatName(DiskFormat format)
{
    return format == DiskFormat::Qcow2 ? "qcow2" : "raw";
}

void writeOverlay(Writer& xml, const MachineDescription& machine)
{
    xml.line("    <disk type='file' device='disk'>");
    xml.line("      <driver name='qemu' type='qcow2' discard='unmap' detect_zeroes='unmap'/>");
    xml.line("      <source file='%'/>", {machine.overlay.native()});
    // The whole chain is spelled out, so that QEMU opens exactly these files whatever a header says.
    std::string indent = "      ";
    for (const auto& layer : machine.backingChain) {
        xml.line(indent + "<backingStore type='file'>");
        xml.line(indent + "  <format type='" + formatName(layer.format) + "'/>");
        xml.line(indent + "  <source file='%'/>", {layer.path.native()});
        indent += "  ";
    }
    xml.line(indent + "<backingStore/>");
    for (std::size_t index = 0; index < machine.backingChain.size(); ++index) {
        indent.resize(indent.size() - 2);
        xml.line(indent + "</backingStore>");
    }
    xml.line("      <target dev='vda' bus='virtio'/>");
    xml.line("      <serial>coldframe-root</serial>");
    xml.line("      <address type='virtio-mmio'/>");
    xml.line("    </disk>");
}

void writeReadOnlyDisk(Writer& xml, const ReadOnlyDisk& disk, char letter)
{
    // Both ends keep something for each request that fits into a queue, and little is ever under way here; QEMU's own choice is 256.
    xml.line("    <disk type='file' device='disk'>");
    xml.line("      <driver name='qemu' type='%' queue_size='64'/>", {formatName(disk.format)});
    xml.line("      <source file='%'/>", {disk.path.native()});
    xml.line("      <backingStore/>");
    xml.line("      <target dev='%' bus='virtio'/>", {std::string("vd") + letter});
    xml.line("      <readonly/>");
    if (!disk.serial.empty()) {
        xml.line("      <serial>%</serial>", {disk.serial});
    }
    xml.line("      <address type='virtio-mmio'/>");
    xml.line("    </disk>");
}

void writePort(Writer& xml, const char* name, int number, const std::filesystem::path& path)
{
    xml.line("    <channel type='unix'>");
    xml.line("      <source mode='bind' path='%'/>", {path.native()});
    xml.line("      <target type='virtio' name='%'/>", {name});
    xml.line("      <address type='virtio-serial' controller='0' bus='0' port='%'/>", {std::to_string(number)});
    xml.line("    </channel>");
}

/// SeaBIOS keeps its tables (ACPI's too) at the end of the memory. QEMU's boot ROM lays the initrd below them, except when
/// memory ends just where Linux allows an initrd to end: then it lays it over them, and the guest dies before its first line.
std::uint32_t memoryOf(const MachineDescription& machine)
{
    return machine.firmware.empty() && machine.memoryMiB == kInitrdLimitMiB ? kInitrdLimitMiB - 1 : machine.memoryMiB;
}

void writeCpu(Writer& xml, Acceleration acceleration)
{
    if (acceleration == Acceleration::Emulate) {
        // QEMU 7.2's emulated cmpxchg16b corrupts EFLAGS and newer kernels panic on it.
        xml.line("  <cpu mode='maximum'>");
        xml.line("    <feature policy='disable' name='cx16'/>");
        // They promise that "rep movsb" and "rep stosb" are fast; emulated they go byte by byte.
        xml.line("    <feature policy='disable' name='erms'/>");
        xml.line("    <feature policy='disable' name='fsrm'/>");
        xml.line("  </cpu>");
        return;
    }
    // No nested virtualisation: the guest has no use for that much of the host kernel's code.
    xml.line("  <cpu mode='host-passthrough' check='none'>");
    xml.line("    <feature policy='disable' name='vmx'/>");
    xml.line("    <feature policy='disable' name='svm'/>");
    xml.line("  </cpu>");
}

} // namespace

std::string domainName(const std::string& sandboxId)
{
    return "coldframe-" + sandboxId;
}

Result<std::string> escapeXml(std::string_view text)
{
    std::string escaped;
    escaped.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = utf8SequenceLength(text);
        const std::string_view sequence = text.substr(0, length);
        // XML 1.0 §2.2: no C0 controls, U+FFFE or U+FFFF. Tab, CR and LF would be normalised, so they are refused too.
        if (length == 0 || static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F || sequence == "\xEF\xBF\xBE"
            || sequence == "\xEF\xBF\xBF") {
            return invalid("The text holds a control character or is not UTF-8.");
        }
        switch (text[0]) {
        case '&': escaped += "&amp;"; break;
        case '<': escaped += "&lt;"; break;
        case '>': escaped += "&gt;"; break;
        case '"': escaped += "&quot;"; break;
        case '\'': escaped += "&apos;"; break;
        default: escaped += sequence;
        }
        text.remove_prefix(length);
    }
    return escaped;
}

std::string kernelCommandLine(const MachineDescription& machine)
{
    // quiet and loglevel=1: a flood of messages must not cost the host; a panic is still printed (level 0).
    std::string line = "console=ttyS0 quiet loglevel=1 reboot=t panic=-1";
    if (machine.acceleration == Acceleration::Emulate) {
        // Without these an emulated microvm hangs at "Unable to calibrate against PIT". KVM has kvm-clock.
        line += " tsc=reliable tsc_early_khz=" + std::to_string(machine.hostTscKhz);
    }
    for (const auto& argument : machine.kernelArguments) {
        line += ' ' + argument;
    }
    return line;
}

Result<std::string> domainXml(const MachineDescription& machine)
{
    COLDFRAME_CHECK(check(machine));
    const bool emulated = machine.acceleration == Acceleration::Emulate;
    Writer xml;
    xml.line("<domain type='%' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>", {emulated ? "qemu" : "kvm"});
    xml.line("  <name>%</name>", {domainName(machine.sandboxId)});
    if (!machine.uuid.empty()) {
        xml.line("  <uuid>%</uuid>", {machine.uuid});
    }
    if (!machine.title.empty()) {
        xml.line("  <title>%</title>", {machine.title});
    }
    xml.line("  <metadata>");
    xml.line("    <coldframe:sandbox xmlns:coldframe='%' id='%' generation='%' owner='%'/>",
             {kMetadataNamespace, machine.sandboxId, machine.generation, encode(machine.owner)});
    xml.line("  </metadata>");
    xml.line("  <memory unit='MiB'>%</memory>", {std::to_string(memoryOf(machine))});
    // More than one emulated CPU shows races in QEMU's atomics.
    xml.line("  <vcpu>%</vcpu>", {std::to_string(emulated ? 1 : machine.vcpus)});
    xml.line("  <os>");
    xml.line("    <type arch='x86_64' machine='microvm'>hvm</type>");
    if (!machine.firmware.empty()) {
        xml.line("    <loader type='rom'>%</loader>", {machine.firmware.native()});
    }
    xml.line("    <kernel>%</kernel>", {machine.kernel.native()});
    xml.line("    <initrd>%</initrd>", {machine.initrd.native()});
    xml.line("    <cmdline>%</cmdline>", {kernelCommandLine(machine)});
    xml.line("  </os>");
    // Without ACPI a distribution kernel finds no virtio-mmio device.
    xml.line("  <features><acpi/></features>");
    writeCpu(xml, machine.acceleration);
    xml.line("  <clock offset='utc'/>");
    xml.line("  <on_poweroff>destroy</on_poweroff>");
    xml.line("  <on_reboot>destroy</on_reboot>");
    xml.line("  <on_crash>destroy</on_crash>");
    xml.line("  <devices>");
    xml.line("    <emulator>%</emulator>", {machine.emulator.native()});
    writeOverlay(xml, machine);
    char letter = 'b';
    for (const auto& disk : machine.readOnlyDisks) {
        writeReadOnlyDisk(xml, disk, letter++);
    }
    xml.line("    <controller type='usb' model='none'/>");
    xml.line("    <controller type='virtio-serial' index='0' ports='4'>");
    xml.line("      <address type='virtio-mmio'/>");
    xml.line("    </controller>");
    writePort(xml, "org.coldframe.control", 1, machine.controlSocket);
    writePort(xml, "org.coldframe.bulk", 2, machine.bulkSocket);
    writePort(xml, "org.coldframe.net", 3, machine.netSocket);
    // A socket, not a file: with nobody connected QEMU drops the output, so a guest cannot fill a disk with it.
    xml.line("    <serial type='unix'>");
    xml.line("      <source mode='bind' path='%'/>", {machine.consoleSocket.native()});
    xml.line("      <target type='isa-serial' port='0'/>");
    xml.line("    </serial>");
    xml.line("    <rng model='virtio'>");
    xml.line("      <backend model='random'>/dev/urandom</backend>");
    xml.line("      <address type='virtio-mmio'/>");
    xml.line("    </rng>");
    xml.line("    <memballoon model='virtio' freePageReporting='on'>");
    xml.line("      <address type='virtio-mmio'/>");
    xml.line("    </memballoon>");
    xml.line("  </devices>");
    xml.line("  <seclabel type='none'/>");
    // Else libvirt asks for each of some 400 features of the CPU by itself, a fifth of a second at each start. Without this it asks for
    // all of them at once (https://libvirt.org/drvqemu.html, control of QEMU feature capabilities).
    xml.line("  <qemu:capabilities>");
    xml.line("    <qemu:del capability='cpu-unavailable-features'/>");
    xml.line("  </qemu:capabilities>");
    xml.line("</domain>");
    return xml.take();
}

namespace {

std::optional<std::string> attribute(std::string_view element, std::string_view name)
{
    for (char quote : {'\'', '"'}) {
        const std::string key = std::string(" ") + std::string(name) + "=" + quote;
        const auto start = element.find(key);
        if (start == std::string_view::npos) {
            continue;
        }
        const auto from = start + key.size();
        const auto end = element.find(quote, from);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        return decode(element.substr(from, end - from));
    }
    return std::nullopt;
}

} // namespace

std::optional<DomainMetadata> parseMetadata(std::string_view element)
{
    auto id = attribute(element, "id");
    auto generation = attribute(element, "generation");
    auto owner = attribute(element, "owner");
    if (!id || !generation || !owner || !isSandboxId(*id)) {
        return std::nullopt;
    }
    return DomainMetadata{std::move(*id), std::move(*generation), std::move(*owner)};
}

} // namespace coldframe::vm
