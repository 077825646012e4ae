// SPDX-License-Identifier: Apache-2.0
#include "api/sync_client.h"

#include "api/engine_start.h"
#include "base/paths.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coldframe::api {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kCancelGrace{10};

tl::unexpected<Error> engineGone()
{
    return fail(ErrorCode::Closed, "The Coldframe engine went away; try again, and run “coldframe diagnose” if it repeats.");
}

Result<void> sendAll(int fd, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t size = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return engineGone();
        }
        data.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
}

int millisecondsUntil(std::optional<Clock::time_point> deadline)
{
    if (!deadline) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

} // namespace

struct SyncClient::State
{
    UniqueFd socket;
    std::filesystem::path socketPath;
    LineSplitter lines;
    std::deque<json> events;
    std::int64_t nextId = 1;

    enum class Wake { Line, Cancelled, TimedOut };

    /// Waits for the next line, the cancel descriptor or the deadline, whichever is first.
    Result<Wake> wait(std::string& line, int cancelFd, std::optional<Clock::time_point> deadline);
};

Result<SyncClient::State::Wake> SyncClient::State::wait(std::string& line, int cancelFd,
                                                        std::optional<Clock::time_point> deadline)
{
    for (;;) {
        COLDFRAME_TRY(std::optional<std::string> next, lines.next());
        if (next) {
            line = std::move(*next);
            return Wake::Line;
        }
        std::array<pollfd, 2> watched{pollfd{socket.get(), POLLIN, 0}, pollfd{cancelFd, POLLIN, 0}};
        const int ready = ::poll(watched.data(), watched.size(), millisecondsUntil(deadline));
        if (ready < 0 && errno != EINTR) {
            return failErrno("Waiting for the engine failed.", errno);
        }
        if (ready < 0) {
            continue;
        }
        if (ready == 0 && deadline && Clock::now() >= *deadline) {
            return Wake::TimedOut;
        }
        std::array<char, 65536> buffer;
        if (watched[1].revents != 0) {
            (void)!::read(cancelFd, buffer.data(), buffer.size());
            return Wake::Cancelled;
        }
        if (watched[0].revents != 0) {
            const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
            if (size == 0 || (size < 0 && errno != EINTR)) {
                return engineGone();
            }
            lines.feed({buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))});
        }
    }
}

SyncClient::SyncClient(std::unique_ptr<State> state) : m_state(std::move(state)) {}
SyncClient::SyncClient(SyncClient&&) noexcept = default;
SyncClient& SyncClient::operator=(SyncClient&&) noexcept = default;
SyncClient::~SyncClient() = default;

Result<SyncClient> SyncClient::connect(Options options)
{
    auto state = std::make_unique<State>();
    state->socketPath = options.socketPath.empty() ? paths::engineSocket() : options.socketPath;
    Result<UniqueFd> socket = options.startEngine ? connectOrStartEngine(state->socketPath, options.startTimeout)
                                                  : connectEngine(state->socketPath);
    if (!socket) {
        return tl::unexpected(socket.error());
    }
    state->socket = std::move(*socket);
    return SyncClient(std::move(state));
}

Result<json> SyncClient::call(std::string_view method, const json& params) { return call(method, params, CallOptions{}); }

Result<json> SyncClient::call(std::string_view method, const json& params, CallOptions options)
{
    State& state = *m_state;
    const std::int64_t id = state.nextId++;
    json sent = params;
    if (options.onProgress) {
        sent["progress"] = true;
    }
    const std::string request = requestLine(id, method, sent);
    if (request.size() > kMaxLine) {
        return fail(ErrorCode::InvalidArgument, "The request is longer than 1 MiB.");
    }
    COLDFRAME_CHECK(sendAll(state.socket.get(), request));
    std::optional<Clock::time_point> deadline;
    if (options.timeout.count() > 0) {
        deadline = Clock::now() + options.timeout;
    }
    bool cancelled = false;
    for (;;) {
        std::string line;
        COLDFRAME_TRY(const State::Wake wake, state.wait(line, options.cancelFd, deadline));
        if (wake != State::Wake::Line) {
            const bool byUser = wake == State::Wake::Cancelled || cancelled;
            if (!cancelled) {
                COLDFRAME_CHECK(sendAll(state.socket.get(), notificationLine("cancel", {{"id", id}})));
                if (byUser) {
                    // The engine undoes what was begun and then answers.
                    cancelled = true;
                    deadline = Clock::now() + kCancelGrace;
                    continue;
                }
                return fail(ErrorCode::Timeout, "The engine did not answer in time.");
            }
            return fail(ErrorCode::Cancelled, "Interrupted.");
        }
        const ParsedMessage message = parseMessage(line);
        if (message.kind == ParsedMessage::Kind::Malformed) {
            return fail(ErrorCode::Protocol, "The engine's answer could not be understood; update Coldframe.");
        }
        if (message.kind == ParsedMessage::Kind::Answer) {
            if (message.id && *message.id != id) {
                continue; // of an earlier call that was given up
            }
            if (!message.body) {
                return tl::unexpected(message.body.error());
            }
            return json::parse(*message.body, nullptr, false);
        }
        json body = json::parse(*message.body, nullptr, false);
        if (message.method == "event") {
            state.events.push_back(std::move(body));
        } else if (message.method == "progress" && options.onProgress && body.value("id", std::int64_t{0}) == id) {
            options.onProgress(Progress{body.value("stage", ""), body.value("text", ""),
                                        body.value("done", std::int64_t{0}), body.value("total", std::int64_t{0})});
        }
    }
}

Result<json> SyncClient::nextEvent(int cancelFd, std::chrono::milliseconds timeout)
{
    State& state = *m_state;
    std::optional<Clock::time_point> deadline;
    if (timeout.count() > 0) {
        deadline = Clock::now() + timeout;
    }
    while (state.events.empty()) {
        std::string line;
        COLDFRAME_TRY(const State::Wake wake, state.wait(line, cancelFd, deadline));
        if (wake == State::Wake::Cancelled) {
            return fail(ErrorCode::Cancelled, "Interrupted.");
        }
        if (wake == State::Wake::TimedOut) {
            return fail(ErrorCode::Timeout, "No event came in time.");
        }
        const ParsedMessage message = parseMessage(line);
        if (message.kind == ParsedMessage::Kind::Notification && message.method == "event") {
            state.events.push_back(json::parse(*message.body, nullptr, false));
        }
    }
    json event = std::move(state.events.front());
    state.events.pop_front();
    return event;
}

Result<UniqueFd> SyncClient::attach(const std::string& token) const
{
    COLDFRAME_TRY(UniqueFd socket, connectEngine(m_state->socketPath));
    COLDFRAME_CHECK(sendAll(socket.get(), toJsonText({{"attach", token}}) + "\n"));
    // Byte by byte up to the newline: what follows it are frames, and belongs to the caller.
    std::string line;
    for (char byte = 0; byte != '\n' && line.size() < 4096;) {
        const ssize_t size = ::recv(socket.get(), &byte, 1, 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return engineGone();
        }
        line.push_back(byte);
    }
    const json answer = json::parse(line, nullptr, false);
    if (answer.is_object() && answer.value("attached", false)) {
        return socket;
    }
    if (answer.is_object() && answer.contains("error")) {
        return tl::unexpected(decodeFailure(toJsonText(answer["error"])));
    }
    return fail(ErrorCode::Protocol, "The engine did not open the terminal stream.");
}

} // namespace coldframe::api
