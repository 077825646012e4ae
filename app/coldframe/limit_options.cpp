// SPDX-License-Identifier: Apache-2.0
#include "limit_options.h"

#include <CLI/CLI.hpp>

namespace coldframe::cli {

void addLimitOptions(CLI::App& command, LimitOptions& limits, bool isSet)
{
    command.add_option("--cpus", limits.cpus, isSet ? "CPUs; 0: what suits the machine" : "CPUs")->check(CLI::Range(isSet ? 0 : 1, 256));
    command.add_option("-m,--memory", limits.memory, "Memory, e.g. 4g");
    command.add_option("--disk", limits.disk, isSet ? "Size of its disk in GiB; it can only grow" : "Size of its disk in GiB")->check(CLI::Range(1, 100000));
    command.add_option("--processes", limits.processes, "Processes at a time, Docker's too; 0: by its memory")->check(CLI::Range(0, 1000000));
    command.add_option("--open-files", limits.openFiles, "Open files of each program; 0: the usual number")->check(CLI::Range(0, 10000000));
    command.add_flag("--service", limits.isService, "It is never paused or stopped for want of use");
    auto* docker = command.add_flag("--docker", limits.isDocker, "Docker runs from its start on, not from its first use");
    command.add_flag("--no-docker", limits.isNoDocker, "Docker starts when it is first used")->excludes(docker);
    command.add_option("--when-idle", limits.whenIdle, "What happens when nobody and nothing uses it")
        ->check(CLI::IsMember({"nothing", "pause", "stop", "default"}));
    command.add_option("--idle-after", limits.idleMinutes, "After so many minutes without use; 0: as the settings say")->check(CLI::Range(0.0, 1e6));
    if (isSet) {
        command.add_option("SANDBOX", limits.sandbox, "Name or id")->required();
        command.add_flag("--no-service", limits.isNoService, "No longer a service")->excludes("--service");
        command.add_flag("--json", limits.json, "Print JSON");
        command.footer("Without options it shows the limits, and what holds each. CPUs, memory and processes change at once where they can;\n"
                       "what cannot is said, and holds from the next start on.");
    }
}

void addPruneOptions(CLI::App& command, PruneOptions& options)
{
    command.add_flag("-f,--force", options.force, "Do not ask");
    command.add_flag("--dry-run", options.dryRun, "Only list what would go");
    command.add_option("--stopped-for", options.stoppedDays, "Sandboxes too that have been stopped for so many days; their workspaces stay")
        ->check(CLI::Range(1, 10000));
    command.add_flag("--json", options.json, "Print JSON");
}

} // namespace coldframe::cli
