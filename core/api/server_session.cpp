// SPDX-License-Identifier: Apache-2.0
#include "api/server_session.h"

#include "base/log.h"

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace coldframe::api {

using nlohmann::json;

namespace {

constexpr std::string_view kCategory = "api";
constexpr std::size_t kRoomForProgress = 256u << 10;

/// Runs the handler; whatever it throws becomes an error for the caller.
asio::awaitable<Result<json>> callGuarded(Dispatcher& dispatcher, std::string method, json params,
                                          CallContext& context)
{
    std::string thrown;
    ErrorCode code = ErrorCode::Internal;
    try {
        Result<json> result = co_await dispatcher.call(method, std::move(params), context);
        co_return result;
    } catch (const json::exception& error) {
        thrown = error.what();
        code = ErrorCode::InvalidArgument;
    } catch (const std::exception& error) {
        thrown = error.what();
    } catch (...) {
        thrown = "unknown exception";
    }
    if (code == ErrorCode::InvalidArgument) {
        co_return fail(code, "The parameters of the request “" + method + "” are incomplete or of the wrong kind.",
                       thrown);
    }
    logError(kCategory, method + ": " + thrown);
    co_return fail(code, "The engine failed unexpectedly; its log says more.", thrown);
}

asio::awaitable<void> runCall(std::shared_ptr<ServerShared> shared, std::shared_ptr<Call> call, std::string method,
                              json params)
{
    Result<json> result = co_await callGuarded(shared->dispatcher, method, std::move(params), *call);
    --shared->runningCalls;
    std::string line = result ? resultLine(call->id(), *result) : errorLine(call->id(), result.error());
    if (line.size() > kMaxLine + 1) {
        line = errorLine(call->id(), Error{ErrorCode::Internal,
                                           "The answer is longer than a message may be; ask for less.", method});
    }
    call->finish();
    call->answer(std::move(line));
}

/// The handler stays in this frame, since a coroutine lambda's captures live in the function object.
asio::awaitable<void> runAttachment(std::shared_ptr<ServerShared> shared, AttachmentHandler handler,
                                    AttachmentSocket socket)
{
    ++shared->attachments;
    std::error_code error;
    const std::string greeting = "{\"attached\":true}\n";
    co_await asio::async_write(socket, asio::buffer(greeting), asio::redirect_error(asio::use_awaitable, error));
    std::string thrown;
    try {
        // A client that is gone already is the handler's to notice: it has to end what was prepared.
        co_await handler(std::move(socket));
    } catch (const std::exception& failure) {
        thrown = failure.what();
    } catch (...) {
        thrown = "unknown exception";
    }
    if (!thrown.empty()) {
        logError(kCategory, "attachment: " + thrown);
    }
    --shared->attachments;
}

} // namespace

void Call::progress(const Progress& progress)
{
    const std::shared_ptr<Session> session = m_session.lock();
    if (session && m_wantsProgress && !m_finished) {
        session->sendIfRoom(progressLine(m_id, progress));
    }
}

void Call::onCancel(std::function<void()> action)
{
    if (isCancelled()) {
        action();
    } else if (!m_finished) {
        m_cancelActions.push_back(std::move(action));
    }
}

void Call::subscribe()
{
    if (const std::shared_ptr<Session> session = m_session.lock()) {
        session->subscribe();
    }
}

void Call::cancel()
{
    if (m_cancelled.exchange(true)) {
        return;
    }
    const auto actions = std::exchange(m_cancelActions, {});
    for (const auto& action : actions) {
        action();
    }
}

void Call::finish()
{
    m_finished = true;
    m_cancelActions.clear();
}

void Call::answer(std::string line)
{
    if (const std::shared_ptr<Session> session = m_session.lock()) {
        session->forgetCall(m_id);
        session->send(std::move(line));
    }
}

asio::awaitable<void> Session::serve(std::shared_ptr<Session> self)
{
    LineSplitter lines;
    std::array<char, 16384> buffer;
    bool first = true;
    while (!self->m_closed) {
        std::error_code error;
        co_await self->m_socket.async_wait(AttachmentSocket::wait_read,
                                           asio::redirect_error(asio::use_awaitable, error));
        if (error || self->m_closed) {
            break;
        }
        const int fd = self->m_socket.native_handle();
        // The first line may hand the connection over, and what follows it then belongs to the new owner: until
        // its newline is found, look without taking.
        ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT | (first ? MSG_PEEK : 0));
        if (size > 0 && first) {
            const std::string_view seen(buffer.data(), static_cast<std::size_t>(size));
            const std::size_t newline = seen.find('\n');
            const std::size_t take = newline == std::string_view::npos ? seen.size() : newline + 1;
            first = newline == std::string_view::npos;
            size = ::recv(fd, buffer.data(), take, MSG_DONTWAIT);
        }
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
            break;
        }
        if (size < 0) {
            continue;
        }
        lines.feed({buffer.data(), static_cast<std::size_t>(size)});
        for (;;) {
            Result<std::optional<std::string>> line = lines.next();
            if (!line) {
                self->send(errorLine("null", kInvalidRequest, line.error().message));
                self->close();
                break;
            }
            if (!line->has_value() || self->m_closed) {
                break;
            }
            self->handleLine(**line);
        }
    }
    self->close();
}

void Session::handleLine(const std::string& line)
{
    if (line.empty()) {
        return;
    }
    if (line.starts_with("{\"attach\"") && tryAttach(line)) {
        return;
    }
    ParsedRequest request = parseRequest(line);
    switch (request.kind) {
    case ParsedRequest::Kind::Malformed: send(std::move(request.answer)); return;
    case ParsedRequest::Kind::Notification:
        if (request.method == "cancel") {
            cancelCall(request.params);
        }
        return;
    case ParsedRequest::Kind::Request: break;
    }
    if (request.method == "cancel") {
        cancelCall(request.params);
        send(resultLine(request.id, json::object()));
        return;
    }
    if (m_calls.contains(request.id)) {
        send(errorLine("null", kInvalidRequest, "A request with this id is still running."));
        return;
    }
    if (m_calls.size() >= m_shared->options.maxCallsPerClient) {
        send(errorLine(request.id, Error{ErrorCode::Busy, "Too many requests are running; wait for one to end.", {}}));
        return;
    }
    startCall(std::move(request.id), std::move(request.method), request.params);
}

void Session::startCall(std::string id, std::string method, const std::string& paramsText)
{
    json params = json::parse(paramsText);
    const auto flag = params.find("progress");
    const bool wantsProgress = flag != params.end() && flag->is_boolean() && flag->get<bool>();
    auto call = std::make_shared<Call>(weak_from_this(), m_clientId, id, wantsProgress);
    if (m_shared->dispatcher.isDetached(method)) {
        call->detach();
    }
    m_calls.emplace(std::move(id), call);
    ++m_shared->runningCalls;
    asio::co_spawn(m_shared->io, runCall(m_shared, call, std::move(method), std::move(params)), asio::detached);
}

void Session::cancelCall(const std::string& paramsText)
{
    const json params = json::parse(paramsText);
    const auto id = params.find("id");
    if (id == params.end()) {
        return;
    }
    const auto found = m_calls.find(toJsonText(*id));
    if (found != m_calls.end()) {
        // Kept here: an action may end the call and take it out of the map.
        const std::shared_ptr<Call> call = found->second;
        call->cancel();
    }
}

bool Session::tryAttach(const std::string& line)
{
    const json message = json::parse(line, nullptr, false);
    if (!message.is_object() || !message.contains("attach") || !message["attach"].is_string()) {
        return false;
    }
    const auto offer = m_shared->offers.find(message["attach"].get<std::string>());
    if (offer == m_shared->offers.end() || !m_calls.empty() || m_writing) {
        const Error error{ErrorCode::NotAllowed, "The token was used already, has run out or was never given.", {}};
        send("{\"attached\":false,\"error\":" + encodeFailure(error) + "}\n");
        close();
        return true;
    }
    AttachmentHandler handler = std::move(offer->second.handler);
    m_shared->offers.erase(offer);
    AttachmentSocket socket = std::move(m_socket);
    m_closed = true;
    m_shared->sessions.erase(m_clientId);
    asio::co_spawn(m_shared->io, runAttachment(m_shared, std::move(handler), std::move(socket)), asio::detached);
    return true;
}

void Session::sendIfRoom(std::string line)
{
    if (m_queuedBytes < kRoomForProgress) {
        send(std::move(line));
    }
}

void Session::send(std::string line)
{
    if (m_closed) {
        return;
    }
    if (m_queuedBytes + line.size() > m_shared->options.maxQueuedBytes) {
        logWarning(kCategory, "client " + std::to_string(m_clientId) + " does not read; dropped");
        m_queue.resize(m_writing ? 1 : 0);
        close();
        return;
    }
    m_queuedBytes += line.size();
    m_queue.push_back(std::move(line));
    if (!m_writing) {
        m_writing = true;
        writeNext();
    }
}

void Session::writeNext()
{
    asio::async_write(m_socket, asio::buffer(m_queue.front()),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                          self->m_queuedBytes -= self->m_queue.front().size();
                          self->m_queue.pop_front();
                          self->m_writing = false;
                          if (error) {
                              self->close();
                          } else if (!self->m_queue.empty()) {
                              self->m_writing = true;
                              self->writeNext();
                          } else if (self->m_closed) {
                              std::error_code ignored;
                              self->m_socket.close(ignored);
                          }
                      });
}

void Session::close()
{
    if (m_closed) {
        return;
    }
    m_closed = true;
    std::error_code ignored;
    // A last line may still be on its way out; reading is over at once, and so is writing to one who does not read.
    const bool farewell = m_writing && m_queuedBytes <= 64u << 10;
    m_socket.shutdown(farewell ? asio::socket_base::shutdown_receive : asio::socket_base::shutdown_both, ignored);
    if (!farewell) {
        m_socket.close(ignored);
    }
    const auto calls = std::exchange(m_calls, {});
    for (const auto& [id, call] : calls) {
        if (!call->isDetached()) {
            call->cancel();
        }
    }
    m_shared->sessions.erase(m_clientId);
}

} // namespace coldframe::api
