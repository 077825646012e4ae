// SPDX-License-Identifier: Apache-2.0
#include "engine/sessions.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/sandbox.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxSessions = 512;
constexpr std::size_t kMaxId = 128;
constexpr std::size_t kMaxLabel = 120;
constexpr double kMaxAge = 100.0 * 366 * 86400;

bool isId(const std::string& text)
{
    return !text.empty() && text.size() <= kMaxId && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

int bounded(const json& value, const char* key, int low, int high)
{
    const auto found = value.find(key);
    if (found == value.end() || !found->is_number()) {
        return low;
    }
    const double number = found->get<double>();
    return number >= low && number <= high ? static_cast<int>(number) : low;
}

bool flag(const json& value, const char* key)
{
    const auto found = value.find(key);
    return found != value.end() && found->is_boolean() && found->get<bool>();
}

std::string text(const json& value, const char* key)
{
    const auto found = value.find(key);
    return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace

Result<std::vector<GuestSession>> parseSessions(std::string_view answer)
{
    const json parsed = json::parse(answer, nullptr, false);
    const auto malformed = [] { return fail(ErrorCode::Protocol, "The sandbox did not say which sessions it has."); };
    if (!parsed.is_object() || !parsed.contains("sessions") || !parsed["sessions"].is_array() || parsed["sessions"].size() > kMaxSessions) {
        return malformed();
    }
    std::vector<GuestSession> sessions;
    for (const json& entry : parsed["sessions"]) {
        GuestSession session;
        if (!entry.is_object() || !isId(session.id = text(entry, "id")) ||
            std::any_of(sessions.begin(), sessions.end(), [&](const GuestSession& other) { return other.id == session.id; })) {
            return malformed();
        }
        session.label = escapeForDisplay(text(entry, "label"), kMaxLabel);
        session.isAgent = flag(entry, "agent");
        session.hasTerminal = flag(entry, "tty");
        const auto number = entry.find("number");
        session.number = number != entry.end() && number->is_number_unsigned() ? number->get<std::uint64_t>() : 0;
        const auto age = entry.find("ageSeconds");
        const double seconds = age != entry.end() && age->is_number() ? age->get<double>() : 0;
        session.ageSeconds = seconds >= 0 && seconds <= kMaxAge ? seconds : 0;
        session.rows = bounded(entry, "rows", 0, 1000);
        session.columns = bounded(entry, "columns", 0, 1000);
        session.viewers = bounded(entry, "viewers", 0, 1000);
        session.hasEnded = flag(entry, "ended");
        session.exitCode = bounded(entry, "exitCode", 0, 255);
        session.signal = bounded(entry, "signal", 0, 64);
        sessions.push_back(std::move(session));
    }
    std::sort(sessions.begin(), sessions.end(), [](const GuestSession& a, const GuestSession& b) { return a.number < b.number; });
    return sessions;
}

asio::awaitable<Result<std::vector<GuestSession>>> sessionsOf(std::shared_ptr<Sandbox> sandbox)
{
    if (sandbox->state() != SandboxState::Running) {
        co_return std::vector<GuestSession>();
    }
    const Result<std::string> answer = co_await sandbox->askGuest("GET", "/sessions", "", 5s);
    if (!answer && answer.error().code == ErrorCode::NotFound) {
        co_return fail(ErrorCode::Unavailable, "The sandbox " + sandbox->record().name +
                                                   " has a guest from before sessions could be listed. A reset gives it the present one.");
    }
    if (!answer) {
        co_return tl::unexpected(answer.error());
    }
    co_return parseSessions(*answer);
}

const GuestSession* runningAgent(const std::vector<GuestSession>& sessions)
{
    const auto found = std::find_if(sessions.rbegin(), sessions.rend(), [](const GuestSession& session) {
        return session.isAgent && session.hasTerminal && !session.hasEnded;
    });
    return found == sessions.rend() ? nullptr : &*found;
}

Result<GuestSession> chooseSession(const std::vector<GuestSession>& sessions, const std::string& wanted, const std::string& sandboxName)
{
    if (wanted.empty()) {
        if (const GuestSession* agent = runningAgent(sessions)) {
            return *agent;
        }
        const auto running = std::find_if(sessions.rbegin(), sessions.rend(), [](const GuestSession& session) { return !session.hasEnded; });
        if (running != sessions.rend()) {
            return *running;
        }
        if (!sessions.empty()) {
            return sessions.back();
        }
        return fail(ErrorCode::NotFound, "No session runs in " + sandboxName + ". To start its agent: coldframe run " + sandboxName);
    }
    const GuestSession* found = nullptr;
    for (const GuestSession& session : sessions) {
        if (session.id == wanted) {
            return session;
        }
        if (session.id.starts_with(wanted)) {
            if (found) {
                return fail(ErrorCode::InvalidArgument, "Several sessions begin with " + escapeForDisplay(wanted, 80) + "; write more of the id.");
            }
            found = &session;
        }
    }
    if (!found) {
        return fail(ErrorCode::NotFound, "There is no session " + escapeForDisplay(wanted, 80) + " in " + sandboxName +
                                             ". For those that are there: coldframe sessions " + sandboxName);
    }
    return *found;
}

json sessionJson(const GuestSession& session, const Sandbox& sandbox)
{
    const auto age = std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::duration<double>(session.ageSeconds));
    return json{{"id", session.id},
                {"sandbox", sandbox.record().id},
                {"sandboxName", sandbox.record().name},
                {"label", session.label},
                {"agent", session.isAgent ? sandbox.record().agent : std::string()},
                {"startedAt", formatUtc(utcNow() - age)},
                {"tty", session.hasTerminal},
                {"rows", session.rows},
                {"columns", session.columns},
                {"viewers", session.viewers},
                {"state", session.hasEnded ? "ended" : "running"},
                {"exitCode", session.exitCode},
                {"signal", session.signal}};
}

std::string sessionLabel(const std::vector<std::string>& argv)
{
    std::string label;
    for (const std::string& word : argv) {
        label += (label.empty() ? "" : " ") + word;
        if (label.size() > kMaxLabel) {
            break;
        }
    }
    return escapeForDisplay(label, kMaxLabel);
}

} // namespace coldframe::engine
