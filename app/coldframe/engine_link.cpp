// SPDX-License-Identifier: Apache-2.0
#include "engine_link.h"

#include "base/exec_frames.h"
#include "base/log.h"
#include "interrupts.h"

#include <array>
#include <cstdio>
#include <sys/socket.h>
#include <unistd.h>

namespace coldframe::cli {

using nlohmann::json;

namespace {

/// One line, rewritten; gone when the call ends.
class ProgressLine
{
public:
    ProgressLine() : m_shown(::isatty(STDERR_FILENO) != 0) {}
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine()
    {
        if (m_written) {
            (void)!::write(STDERR_FILENO, "\r\033[K", 4);
        }
    }
    void show(const api::Progress& progress)
    {
        if (!m_shown) {
            return;
        }
        std::string line = "\r\033[K" + escapeForDisplay(progress.text.empty() ? progress.stage : progress.text, 120);
        if (progress.total > 0) {
            line += " " + std::to_string(progress.done * 100 / progress.total) + " %";
        }
        (void)!::write(STDERR_FILENO, line.data(), line.size());
        m_written = true;
    }

private:
    bool m_shown;
    bool m_written = false;
};

Result<void> sendAll(int fd, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t size = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR && !Interrupts::shouldEnd()) {
            continue;
        }
        if (size <= 0) {
            return fail(ErrorCode::Closed, "The key could not be handed over.");
        }
        data.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
}

} // namespace

Result<void> EngineLink::connect(bool start)
{
    if (!m_client) {
        api::SyncClient::Options options;
        options.startEngine = start;
        Result<api::SyncClient> client = api::SyncClient::connect(options);
        if (!client) {
            return tl::unexpected(client.error());
        }
        m_client.emplace(std::move(*client));
    }
    return {};
}

bool EngineLink::connectRunning() { return connect(false).has_value(); }

Result<json> EngineLink::call(std::string_view method, const json& params)
{
    COLDFRAME_CHECK(connect(true));
    api::SyncClient::CallOptions options;
    options.cancelFd = Interrupts::fd();
    return m_client->call(method, params, options);
}

Result<json> EngineLink::callWithProgress(std::string_view method, const json& params)
{
    COLDFRAME_CHECK(connect(true));
    ProgressLine line;
    api::SyncClient::CallOptions options;
    options.cancelFd = Interrupts::fd();
    options.onProgress = [&line](const api::Progress& progress) { line.show(progress); };
    return m_client->call(method, params, options);
}

Result<json> EngineLink::hello()
{
    if (m_hello.is_null()) {
        COLDFRAME_TRY(m_hello, call("engine.hello", {{"version", api::kProtocolVersion}, {"client", "command line"}}));
    }
    return m_hello;
}

Result<json> EngineLink::nextEvent()
{
    COLDFRAME_CHECK(connect(true));
    return m_client->nextEvent(Interrupts::fd(), std::chrono::milliseconds(0));
}

Result<UniqueFd> EngineLink::attach(std::string_view method, const json& params)
{
    COLDFRAME_TRY(const json answer, callWithProgress(method, params));
    return take(answer);
}

Result<UniqueFd> EngineLink::take(const json& answer)
{
    COLDFRAME_CHECK(connect(true));
    if (!answer.is_object() || !answer.contains("token") || !answer["token"].is_string()) {
        return fail(ErrorCode::Protocol, "The engine gave no token.");
    }
    return m_client->attach(answer["token"].get<std::string>());
}

Result<void> EngineLink::sendKey(std::string_view method, const json& params, const SecretBuffer& key)
{
    COLDFRAME_TRY(const UniqueFd socket, attach(method, params));
    // Only the frame's header is made here; the bytes go from locked memory into the socket.
    const std::size_t size = key.view().size();
    const std::array<char, kExecHeaderSize> header{static_cast<char>(ExecFrameType::Stdin), 0,
                                                   static_cast<char>((size >> 16) & 0xFFu),
                                                   static_cast<char>((size >> 8) & 0xFFu),
                                                   static_cast<char>(size & 0xFFu)};
    COLDFRAME_CHECK(sendAll(socket.get(), {header.data(), header.size()}));
    COLDFRAME_CHECK(sendAll(socket.get(), key.view()));
    ExecFrameDecoder decoder;
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            return fail(ErrorCode::Closed, "The engine did not say whether it took the key.");
        }
        decoder.feed({buffer.data(), static_cast<std::size_t>(got)});
        COLDFRAME_TRY(const std::optional<ExecFrame> frame, decoder.next());
        if (frame && frame->type == ExecFrameType::Exit) {
            return {};
        }
        if (frame && frame->type == ExecFrameType::Failure) {
            return tl::unexpected(api::decodeFailure(frame->payload));
        }
    }
}

bool canAsk() { return ::isatty(STDIN_FILENO) && ::isatty(STDERR_FILENO); }

bool confirm(const std::string& question, bool fallback)
{
    if (!canAsk()) {
        return fallback;
    }
    const std::string prompt = escapeForDisplay(question, 2000) + " [y/N] ";
    (void)!::write(STDERR_FILENO, prompt.data(), prompt.size());
    std::array<char, 64> answer{};
    const ssize_t size = ::read(STDIN_FILENO, answer.data(), answer.size());
    return size > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

} // namespace coldframe::cli
