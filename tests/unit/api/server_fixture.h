// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/attachment_io.h"
#include "api/server.h"
#include "api/sync_client.h"
#include "base/log.h"

#include <QTemporaryDir>
#include <array>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace coldframe::tests {

using nlohmann::json;

/// echo, throw, hang (until cancelled), detachedHang, progress, subscribe, attach, big. Counts what it saw.
class TestDispatcher : public api::Dispatcher
{
public:
    explicit TestDispatcher(asio::io_context& io) : m_io(io) {}
    api::Server* server = nullptr;
    std::atomic<int> hanging{0};
    std::atomic<int> cancelled{0};
    std::atomic<int> attached{0};
    std::atomic<int> expired{0};
    std::atomic<int> keyBytes{0};

    bool isDetached(std::string_view method) const override { return method == "detachedHang"; }

    asio::awaitable<Result<json>> call(std::string method, json params, api::CallContext& context) override
    {
        if (method == "hang" || method == "detachedHang") {
            co_return co_await hang(context);
        }
        if (method == "progress") {
            for (int i = 0; i < 3; ++i) {
                context.progress(api::Progress{"stage", "step " + std::to_string(i), i, 3});
            }
            co_return json::object();
        }
        co_return immediate(method, params, context);
    }

private:
    Result<json> immediate(const std::string& method, const json& params, api::CallContext& context)
    {
        if (method == "engine.hello") {
            return json{{"version", 1}, {"engineVersion", "test"}};
        }
        if (method == "echo") {
            return params;
        }
        if (method == "needs") {
            return json{{"n", params.at("n").get<int>()}};
        }
        if (method == "throw") {
            throw std::runtime_error("boom");
        }
        if (method == "refuse") {
            return fail(ErrorCode::NotAllowed, "No.", "why");
        }
        if (method == "big") {
            return json{{"text", std::string(2u << 20, 'x')}};
        }
        if (method == "events.subscribe") {
            context.subscribe();
            return json{{"sandboxes", json::array({"a"})}};
        }
        if (method == "attach") {
            return json{{"token", server->offerAttachment([this](api::AttachmentSocket s) { return echoFrames(std::move(s)); },
                                                          [this] { ++expired; })}};
        }
        if (method == "key") {
            return json{{"token", server->offerAttachment([this](api::AttachmentSocket s) { return takeKey(std::move(s)); })}};
        }
        return tl::unexpected(api::unknownMethod(method));
    }

    asio::awaitable<Result<json>> hang(api::CallContext& context)
    {
        asio::steady_timer timer(m_io, std::chrono::hours(1));
        context.onCancel([&timer] { timer.cancel(); });
        ++hanging;
        std::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        --hanging;
        ++cancelled;
        co_return fail(ErrorCode::Cancelled, "Interrupted.");
    }

    asio::awaitable<void> echoFrames(api::AttachmentSocket socket)
    {
        ++attached;
        std::array<char, 4096> buffer;
        for (;;) {
            std::error_code error;
            const std::size_t size = co_await socket.async_read_some(asio::buffer(buffer),
                                                                     asio::redirect_error(asio::use_awaitable, error));
            if (error) {
                break;
            }
            std::string echoed = encodeExecFrame(ExecFrameType::Stdout, {buffer.data(), size});
            const std::string_view bytes(buffer.data(), size);
            if (bytes.find("bye") != std::string_view::npos) {
                echoed += encodeExit(7, 0);
            }
            [[maybe_unused]] const Result<void> sent = co_await api::writeFrames(socket, std::move(echoed));
        }
        --attached;
    }

    asio::awaitable<void> takeKey(api::AttachmentSocket socket)
    {
        Result<SecretBuffer> key = co_await api::receiveSecret(socket);
        Result<void> outcome;
        if (key) {
            keyBytes = static_cast<int>(key->view().size());
        } else {
            outcome = tl::unexpected(key.error());
        }
        co_await api::answerSecret(socket, std::move(outcome));
    }

    asio::io_context& m_io;
};

/// A server on a thread of its own, in a folder of its own.
class RunningServer
{
public:
    /// Runs f(server) on the server's thread and waits for it.
    template <typename F> auto onThread(F f)
    {
        std::packaged_task<std::invoke_result_t<F, api::Server&>()> task([&] { return f(*m_server); });
        auto done = task.get_future();
        asio::post(m_io, [&task] { task(); });
        return done.get();
    }

    explicit RunningServer(const std::filesystem::path& socketPath, api::ServerOptions options = {}) : dispatcher(m_io)
    {
        options.socketPath = socketPath;
        m_server.emplace(m_io, dispatcher, std::move(options));
        dispatcher.server = &*m_server;
        started = m_server->start();
        m_thread = std::thread([this] { m_io.run(); });
    }
    ~RunningServer()
    {
        onThread([](api::Server& server) { server.stop(); });
        m_work.reset();
        m_io.stop();
        m_thread.join();
    }
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;

    Result<void> started;

private:
    asio::io_context m_io;
    asio::executor_work_guard<asio::io_context::executor_type> m_work = asio::make_work_guard(m_io);

public:
    TestDispatcher dispatcher;

private:
    std::optional<api::Server> m_server;
    std::thread m_thread;
};

/// True as soon as the condition is, false when 5 s have passed.
template <typename F> bool waitUntil(F condition)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        ::poll(nullptr, 0, 2);
    }
    return true;
}

} // namespace coldframe::tests
