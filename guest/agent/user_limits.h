// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "guest/agent/requests.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace coldframe::guest {

/// What the user's programs use, counted by the kernel for their control group.
struct UserUsage
{
    std::uint64_t cpuMicroseconds = 0;
    std::uint64_t processes = 0;
    std::uint64_t mostProcesses = 0;
    std::uint64_t refusedProcesses = 0; ///< so often a program could not be started for that limit
    std::uint64_t memoryBytes = 0;
    std::uint64_t mostMemoryBytes = 0;
    std::uint64_t killedForMemory = 0;
};

/// The number in a file of "name value" lines, as cgroup v2 has them; 0 when it is not there.
std::uint64_t eventCount(std::string_view text, std::string_view name);

/// How many processes a guest of that memory may have when nobody said so.
std::uint64_t usualProcesses(std::uint64_t memoryBytes);

/// What of that memory the user's programs may have: the rest is the kernel's and the agent's.
std::uint64_t memoryForUser(std::uint64_t memoryBytes);

/// The control groups (cgroups(7), version 2) below which every program of the user runs, Docker and its containers too, so that
/// whatever they do the agent, which stays outside, has memory, processor time and a process number left to answer with.
///
///     coldframe            memory, which CPUs
///     coldframe/all        number of processes
///     coldframe/all/programs
///     coldframe/all/docker one below it for each container
///     coldframe/rescue/N   where a program starts when `all` is full, to look and to end things: the emptiest of eight, 64 processes each
///
/// They guard against accidents; root inside could leave them. What holds against root is the microVM's own size. On the io_context's thread.
class UserLimits
{
public:
    explicit UserLimits(std::filesystem::path root = "/sys/fs/cgroup") : m_root(std::move(root)) {}

    /// Once, at the start of the system; before it, and after an error, nothing is limited.
    Result<void> make();
    bool isMade() const { return m_made; }
    /// Takes effect for what runs as well, but for the open files, which are those of programs started later.
    void apply(const LimitsRequest& limits);
    /// The memory that there is may have changed (a balloon).
    void followMemory();
    /// Where a new program writes "0" to join; invalid where there are no groups.
    UniqueFd entrance();
    std::uint64_t openFiles() const { return m_openFiles; }
    UserUsage usage() const;

    static constexpr const char* kDockerParent = "/coldframe/all/docker";

private:
    bool isFull();
    std::filesystem::path rescueGroup();

    std::filesystem::path m_root;
    bool m_made = false;
    std::uint64_t m_refused = 0; ///< as last seen
    std::optional<std::chrono::steady_clock::time_point> m_refusedAt{};
    std::uint64_t m_openFiles = 65536;
    std::uint64_t m_processes = 0;
    std::uint64_t m_memory = 0; ///< as last seen
};

} // namespace coldframe::guest
