// SPDX-License-Identifier: Apache-2.0
#include "engine/idle_tracker.h"

namespace coldframe::engine {

namespace {

/// A prompt that redraws its clock uses less; a program that works uses more.
constexpr double kBusyShare = 0.03;

} // namespace

std::string IdleTracker::look(const IdleLook& now, Time at)
{
    const bool hadLook = m_lastLook.has_value();
    const double elapsed = hadLook ? std::chrono::duration<double>(at - *m_lastLook).count() : 0;
    const bool wentBack = now.cpuMicroseconds < m_lastCpu; // another boot, or a lie
    const double used = wentBack ? 0 : static_cast<double>(now.cpuMicroseconds - m_lastCpu) / 1e6;
    const bool works = !hadLook || wentBack || used > elapsed * kBusyShare;
    m_lastLook = at;
    m_lastCpu = now.cpuMicroseconds;
    std::string reason;
    if (now.attached > 0) {
        reason = "somebody is attached";
    } else if (now.isBusy) {
        reason = "something is done with it";
    } else if (now.hasSyncToDo) {
        reason = "its workspace is not in step";
    } else if (now.connections > 0) {
        reason = "it has network connections";
    } else if (works) {
        reason = "its programs work";
    }
    if (!reason.empty()) {
        m_idleSince.reset();
    } else if (!m_idleSince) {
        m_idleSince = at;
    }
    return reason;
}

std::chrono::duration<double> IdleTracker::idleFor(Time at) const
{
    return m_idleSince ? std::chrono::duration<double>(at - *m_idleSince) : std::chrono::duration<double>(0);
}

void IdleTracker::touch(Time)
{
    m_idleSince.reset();
    m_lastLook.reset();
}

} // namespace coldframe::engine
