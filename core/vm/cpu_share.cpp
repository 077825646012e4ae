// SPDX-License-Identifier: Apache-2.0
#include "vm/cpu_share.h"

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <sched.h>
#include <string>

namespace coldframe::vm {

std::vector<int> chosenCpus(const std::vector<int>& allowed, unsigned count, pid_t process)
{
    if (count == 0 || count >= allowed.size()) {
        return allowed;
    }
    std::vector<int> chosen;
    for (unsigned i = 0; i < count; ++i) {
        chosen.push_back(allowed[(static_cast<std::size_t>(process) + i) % allowed.size()]);
    }
    return chosen;
}

Result<void> tieToCpus(pid_t process, unsigned count)
{
    cpu_set_t own;
    if (::sched_getaffinity(0, sizeof own, &own) != 0) {
        return failErrno("The computer's CPUs cannot be told.", errno);
    }
    std::vector<int> allowed;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &own)) {
            allowed.push_back(cpu);
        }
    }
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    for (const int cpu : chosenCpus(allowed, count, process)) {
        CPU_SET(static_cast<std::size_t>(cpu), &wanted);
    }
    bool any = false;
    std::error_code error;
    // A thread that starts meanwhile has the share of the one that started it.
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", error)) {
        const std::string name = entry.path().filename();
        pid_t thread = 0;
        std::from_chars(name.data(), name.data() + name.size(), thread);
        any = (thread > 0 && ::sched_setaffinity(thread, sizeof wanted, &wanted) == 0) || any;
    }
    return any ? Result<void>() : fail(ErrorCode::Io, "The microVM's share of the computer's CPUs could not be changed.");
}

} // namespace coldframe::vm
