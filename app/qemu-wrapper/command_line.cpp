// SPDX-License-Identifier: Apache-2.0
#include "app/qemu-wrapper/command_line.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace coldframe::qemu {
namespace {

using nlohmann::json;

/// Options that reach outside the machine and that no Coldframe machine has.
constexpr std::array<std::string_view, 10> kForbidden{"-netdev", "-nic",     "-net",    "-fsdev", "-virtfs", "-hda",
                                                      "-cdrom",  "-drive", "-plugin", "-usbdevice"};

tl::unexpected<Error> unreadable(const std::string& option)
{
    return fail(ErrorCode::InvalidArgument, "QEMU's option " + option + " could not be understood, so QEMU was not started.");
}

struct BlockNodes
{
    std::map<std::string, std::string> files{};  ///< node name → file name
    std::set<std::string> writtenThrough{};      ///< names of file nodes below a writable format node
};

Result<void> addBlockNode(BlockNodes& nodes, const std::string& value)
{
    const auto node = json::parse(value, nullptr, false);
    if (!node.is_object()) {
        return unreadable("-blockdev");
    }
    const std::string driver = node.value("driver", "");
    if (driver == "file") {
        nodes.files[node.value("node-name", "")] = node.value("filename", "");
        return {};
    }
    if ((driver != "qcow2" && driver != "raw") || !node.contains("file") || !node["file"].is_string()) {
        return fail(ErrorCode::NotAllowed, "QEMU was asked for a disk of the kind “" + driver + "”, which Coldframe never uses.");
    }
    if (!node.value("read-only", false)) {
        nodes.writtenThrough.insert(node["file"].get<std::string>());
    }
    return {};
}

/// "-object" in JSON, as libvirt 9 writes it: secrets and the random source name files.
Result<void> addObject(Needs& needs, const std::string& value)
{
    const auto object = json::parse(value, nullptr, false);
    if (!object.is_object()) {
        return unreadable("-object");
    }
    const std::string type = object.value("qom-type", "");
    if (type == "secret") {
        needs.readable.push_back(object.value("file", ""));
    } else if (type == "rng-random") {
        needs.readable.push_back(object.value("filename", ""));
    } else if (type != "memory-backend-ram") {
        return fail(ErrorCode::NotAllowed, "QEMU was asked for an object “" + type + "”, which Coldframe never uses.");
    }
    return {};
}

} // namespace

Result<Needs> needsOf(const std::vector<std::string>& arguments)
{
    Needs needs;
    BlockNodes nodes;
    // "-version", "-help" and the like of people and of libvirt's probing have no machine.
    bool hasMachine = false;
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string& option = arguments[index];
        for (const auto forbidden : kForbidden) {
            if (option == forbidden) {
                return fail(ErrorCode::NotAllowed, "QEMU was asked for " + option + ", which Coldframe never uses.");
            }
        }
        if (index + 1 == arguments.size()) {
            break;
        }
        const std::string& value = arguments[index + 1];
        if (option == "-incoming" && value != "defer") {
            // "defer": libvirt passes an open descriptor later. Anything else names a place to read from.
            return fail(ErrorCode::NotAllowed, "QEMU was asked for -incoming " + value + ", which Coldframe never uses.");
        }
        if (option == "-machine") {
            hasMachine = true;
            needs.isProbe = value == "none" || value.rfind("none,", 0) == 0;
        } else if (option == "-accel") {
            needs.usesKvm = needs.usesKvm || value.rfind("kvm", 0) == 0;
        } else if (option == "-kernel" || option == "-initrd" || option == "-bios") {
            needs.readable.push_back(value);
        } else if (option == "-blockdev") {
            COLDFRAME_CHECK(addBlockNode(nodes, value));
        } else if (option == "-object") {
            COLDFRAME_CHECK(addObject(needs, value));
        } else {
            continue;
        }
        ++index;
    }
    for (const auto& [name, file] : nodes.files) {
        (nodes.writtenThrough.contains(name) ? needs.writable : needs.readable).push_back(file);
    }
    needs.isProbe = needs.isProbe || !hasMachine;
    for (const auto* files : {&needs.readable, &needs.writable}) {
        for (const auto& file : *files) {
            if (file.empty() || file[0] != '/') {
                return unreadable("for the file “" + file + "”");
            }
        }
    }
    return needs;
}

} // namespace coldframe::qemu
