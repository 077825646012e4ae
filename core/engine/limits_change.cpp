// SPDX-License-Identifier: Apache-2.0
#include "engine/limits_change.h"

#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr double kLeastIdleMinutes = 0.1;
constexpr double kMostIdleMinutes = 31.0 * 24 * 60;

struct Range
{
    const char* key;
    const char* what;
    int least;
    int most;
    bool mayBeZero; ///< what suits the machine
};

constexpr Range kCpus{"cpus", "The number of CPUs", 0, 64, true};
constexpr Range kMemory{"memoryMiB", "Memory in MiB", 512, 1024 * 1024, false};
constexpr Range kDisk{"diskGiB", "The disk's size in GiB", 8, 4096, false};
constexpr Range kProcesses{"processes", "The number of processes", 64, 30000, true};
constexpr Range kOpenFiles{"openFiles", "The number of open files", 256, 1 << 20, true};

Result<std::optional<int>> number(const json& params, const Range& range)
{
    const auto found = params.find(range.key);
    if (found == params.end()) {
        return std::optional<int>();
    }
    const bool isNumber = found->is_number_integer();
    const std::int64_t value = isNumber ? found->get<std::int64_t>() : -1;
    if (!isNumber || ((value < range.least || value > range.most) && !(range.mayBeZero && value == 0))) {
        return fail(ErrorCode::InvalidArgument, std::string(range.what) + " must be between " + std::to_string(range.least) + " and " +
                                                    std::to_string(range.most) + "; " + found->dump() + " was given.");
    }
    return std::optional<int>(static_cast<int>(value));
}

/// The microVM as it runs, or lies in the saved memory.
int machineMemory(const SandboxRecord& record) { return record.machineMemoryMiB > 0 ? record.machineMemoryMiB : record.memoryMiB; }

} // namespace

Result<void> checkIdleRule(const std::string& whenIdle, double minutes)
{
    if (whenIdle != "nothing" && whenIdle != "pause" && whenIdle != "stop") {
        return fail(ErrorCode::InvalidArgument, "What happens to an idle sandbox (whenIdle) must be nothing, pause or stop.");
    }
    if (!(minutes >= kLeastIdleMinutes && minutes <= kMostIdleMinutes)) {
        return fail(ErrorCode::InvalidArgument, "The minutes until a sandbox counts as idle must be between 0.1 and 44640.");
    }
    return {};
}

Result<LimitsChange> limitsChangeFrom(const json& params)
{
    LimitsChange change;
    COLDFRAME_TRY(change.cpus, number(params, kCpus));
    COLDFRAME_TRY(change.memoryMiB, number(params, kMemory));
    COLDFRAME_TRY(change.diskGiB, number(params, kDisk));
    COLDFRAME_TRY(change.processes, number(params, kProcesses));
    COLDFRAME_TRY(change.openFiles, number(params, kOpenFiles));
    if (params.contains("service")) {
        change.isService = params.at("service").get<bool>();
    }
    if (params.contains("whenIdle")) {
        const std::string wanted = params.at("whenIdle").get<std::string>();
        change.whenIdle = wanted == "default" ? std::string() : wanted;
        if (!change.whenIdle->empty()) {
            COLDFRAME_CHECK(checkIdleRule(*change.whenIdle, 1));
        }
    }
    if (params.contains("idleMinutes")) {
        change.idleMinutes = params.at("idleMinutes").get<double>();
        if (*change.idleMinutes != 0) {
            COLDFRAME_CHECK(checkIdleRule("pause", *change.idleMinutes));
        }
    }
    if (params.contains("dockerAtStart")) {
        const json& wanted = params.at("dockerAtStart");
        change.dockerAtStart = wanted.is_null() ? std::optional<bool>() : std::optional<bool>(wanted.get<bool>());
    }
    return change;
}

Result<PlannedChange> planChange(const SandboxRecord& record, const LimitsChange& change, bool isRunning)
{
    PlannedChange plan{record, false, {}, {}};
    SandboxRecord& next = plan.record;
    const bool hasMachine = isRunning || !record.pausedDisk.empty();
    const std::string name = record.name;
    const std::string afterwards = " when " + name + " starts anew: coldframe stop " + name + " && coldframe start " + name;
    if (change.cpus) {
        next.cpus = *change.cpus;
        const int now = record.reducedIsolation ? 1 : record.machineCpus;
        plan.tellsGuest = isRunning;
        if (hasMachine && record.reducedIsolation) {
            plan.notes.push_back("Without hardware virtualisation a sandbox has one CPU, whatever the number.");
        } else if (hasMachine && now > 0 && (next.cpus > now || next.cpus == 0)) {
            plan.notes.push_back("Its microVM has " + std::to_string(now) + (now == 1 ? " CPU" : " CPUs") + " now; more come" + afterwards);
        }
    }
    if (change.memoryMiB) {
        next.memoryMiB = *change.memoryMiB;
        const int machine = machineMemory(record);
        if (isRunning) {
            plan.balloonMiB = std::min(next.memoryMiB, machine);
            plan.tellsGuest = true;
        }
        if (hasMachine && next.memoryMiB > machine) {
            plan.notes.push_back("Its microVM was started with " + std::to_string(machine) + " MiB; more comes" + afterwards);
        }
    }
    if (change.diskGiB) {
        if (*change.diskGiB < record.diskGiB) {
            return fail(ErrorCode::InvalidArgument, "A disk can only become larger; that of " + name + " may have " + std::to_string(record.diskGiB) +
                                                        " GiB. For a smaller one make another sandbox.");
        }
        if (*change.diskGiB > record.diskGiB) {
            next.diskGiB = *change.diskGiB;
            if (!record.pausedDisk.empty()) {
                return fail(ErrorCode::Busy, "The disk of a paused sandbox cannot change: what is in its memory knows the size. Stop or resume " + name + " first.");
            }
            if (isRunning) {
                plan.notes.push_back("The disk grows" + afterwards);
            }
        }
    }
    if (change.processes) {
        next.processes = *change.processes;
        plan.tellsGuest = plan.tellsGuest || isRunning;
    }
    if (change.openFiles) {
        next.openFiles = *change.openFiles;
        plan.tellsGuest = plan.tellsGuest || isRunning;
        if (isRunning) {
            plan.notes.push_back("The number of open files holds for programs that start from now on.");
        }
    }
    next.isService = change.isService.value_or(next.isService);
    next.whenIdle = change.whenIdle.value_or(next.whenIdle);
    next.idleMinutes = change.idleMinutes.value_or(next.idleMinutes);
    if (change.dockerAtStart) {
        if (hasMachine && *change.dockerAtStart != next.dockerAtStart) {
            plan.notes.push_back("Whether Docker is started with it changes" + afterwards);
        }
        next.dockerAtStart = *change.dockerAtStart;
    }
    return plan;
}

} // namespace coldframe::engine
