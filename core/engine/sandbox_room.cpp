// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that deals with a full disk of this computer. A guest whose write finds no room is stopped by QEMU before it
// can see the failure (werror=enospc, its default), so nothing in it breaks: here it is told of, and let go on when there is room.
#include "engine/sandbox.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/blocking.h"
#include "engine/deadline.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kLeastRoom = 64ull << 20; ///< to start, and to go on: with less it would soon stand still again
constexpr auto kLookAgain = 2s;
constexpr const char* kWarning = "host-disk";

std::string amount(std::uint64_t bytes) { return std::to_string(bytes / 1'000'000) + " MB"; }

} // namespace

Result<void> Sandbox::checkRoom() const
{
    COLDFRAME_TRY(const std::uint64_t free, freeBytes(folder()));
    if (free >= kLeastRoom) {
        return {};
    }
    return fail(ErrorCode::NoSpace, "There is too little space left for the sandbox's disk in “" + folder().parent_path().string() + "”: " + amount(free) +
                                        ". Free some, at least until " + amount(kLeastRoom) + " are there, and try again.");
}

/// That it does not stand still for want of it.
Result<void> Sandbox::needRoom() const
{
    if (!m_isStalled) {
        return {};
    }
    return fail(ErrorCode::NoSpace, m_record.name + " stands still: there is no space left in “" + folder().parent_path().string() +
                                        "” on this computer. Free some and it goes on by itself; or give up what runs in it with: coldframe stop --force " +
                                        m_record.name);
}

void Sandbox::onVmStalled()
{
    ++m_stalls;
    if (m_isStalled || !m_vmAlive) {
        return;
    }
    m_isStalled = true;
    const std::string text = m_record.name + " stands still: its disk found no more space in “" + folder().parent_path().string() +
                             "” on this computer. Free some; it goes on by itself, with nothing lost.";
    logWarning("sandbox " + m_record.name, text);
    m_warnings.push_back({kWarning, text});
    m_parts.emitEvent({{"type", "limit"}, {"sandbox", m_record.id}, {"kind", kWarning}, {"text", text}});
    changed();
    if (!std::exchange(m_waitsForRoom, true)) {
        asio::co_spawn(m_parts.io, waitForRoom(), asio::detached);
    }
}

asio::awaitable<void> Sandbox::waitForRoom()
{
    const auto self = shared_from_this();
    while (m_isStalled && m_vmAlive) {
        if (freeBytes(folder()).value_or(0) >= kLeastRoom) {
            auto resume = [&hypervisor = m_parts.hypervisor, id = m_record.id] { return hypervisor.resume(id); };
            const std::uint64_t stalls = m_stalls;
            const Result<void> resumed = co_await onPool(m_parts.pool, std::move(resume));
            if (!resumed) {
                logWarning("sandbox " + m_record.name, resumed.error().message + " " + resumed.error().detail);
            } else if (stalls == m_stalls) {
                onVmGoesOn(); // and did not stall again before this was heard
                break;
            }
        }
        co_await engine::pause(kLookAgain);
    }
    m_waitsForRoom = false;
}

void Sandbox::onVmGoesOn()
{
    if (!std::exchange(m_isStalled, false)) {
        return;
    }
    logInfo("sandbox " + m_record.name, "goes on: there is space again");
    std::erase_if(m_warnings, [](const LimitWarning& one) { return one.kind == kWarning; });
    changed();
}

} // namespace coldframe::engine
