// SPDX-License-Identifier: Apache-2.0
#include "engine/guest_usage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::uint64_t kMost = 1ull << 52; ///< exact in JSON's numbers everywhere
constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;

/// Whatever stands there: a number of the range, or 0.
std::uint64_t bounded(const json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? std::min(found->get<std::uint64_t>(), kMost) : 0;
}

json part(const json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_object() ? *found : json::object();
}

} // namespace

Result<GuestUsage> parseUsage(std::string_view text)
{
    const json said = text.size() <= 16384 ? json::parse(text, nullptr, false) : json();
    if (!said.is_object()) {
        return fail(ErrorCode::Protocol, "The sandbox's guest gave an answer about its use that cannot be understood.");
    }
    GuestUsage usage;
    usage.cpuMicroseconds = bounded(said, "cpuMicroseconds");
    const json processes = part(said, "processes");
    usage.processes = bounded(processes, "now");
    usage.mostProcesses = bounded(processes, "most");
    usage.refusedProcesses = bounded(processes, "refused");
    const json memory = part(said, "memory");
    usage.memoryBytes = bounded(memory, "bytes");
    usage.mostMemoryBytes = bounded(memory, "most");
    usage.killedForMemory = bounded(memory, "killed");
    const json disk = part(said, "disk");
    usage.diskBytes = bounded(disk, "bytes");
    usage.diskFreeBytes = std::min(bounded(disk, "freeBytes"), usage.diskBytes);
    usage.connections = bounded(said, "connections");
    usage.running = bounded(said, "running");
    usage.cpus = static_cast<int>(std::min<std::uint64_t>(bounded(said, "cpus"), 4096));
    const auto limited = said.find("isLimited");
    usage.isLimited = limited != said.end() && limited->is_boolean() && limited->get<bool>();
    return usage;
}

json usageJson(const GuestUsage& usage)
{
    return json{{"processes", {{"now", usage.processes}, {"most", usage.mostProcesses}}},
                {"memory", {{"bytes", usage.memoryBytes}, {"most", usage.mostMemoryBytes}}},
                {"disk", {{"bytes", usage.diskBytes}, {"freeBytes", usage.diskFreeBytes}}},
                {"connections", usage.connections},
                {"cpuSeconds", usage.cpuMicroseconds / 1'000'000}};
}

std::vector<LimitWarning> limitWarnings(const std::string& name, const GuestUsage& before, const GuestUsage& now)
{
    std::vector<LimitWarning> warnings;
    const std::string set = "coldframe set " + name;
    if (now.diskBytes > 0 && now.diskFreeBytes < 16 * kMiB) {
        warnings.push_back({"disk", "The disk of " + name + " is full (" + std::to_string((now.diskBytes + kGiB / 2) / kGiB) +
                                        " GiB). Delete something inside, or give it more: " + set + " --disk GIB"});
    } else if (now.diskBytes > 0 && now.diskFreeBytes < std::min<std::uint64_t>(now.diskBytes / 20, 2 * kGiB)) {
        warnings.push_back({"disk-nearly", "The disk of " + name + " is nearly full."});
    }
    if (now.killedForMemory > before.killedForMemory) {
        warnings.push_back({"memory", "The memory of " + name + " was full, and a program in it was ended. To give it more: " + set + " --memory MIB"});
    }
    const bool isFull = now.mostProcesses > 0 && now.processes >= now.mostProcesses;
    if (isFull || now.refusedProcesses > before.refusedProcesses) {
        warnings.push_back({"processes", name + " has as many processes as it may have (" + std::to_string(now.mostProcesses) +
                                             "). To look inside: coldframe exec " + name + " ps aux"});
    }
    return warnings;
}

} // namespace coldframe::engine
