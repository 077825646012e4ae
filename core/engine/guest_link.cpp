// SPDX-License-Identifier: Apache-2.0
#include "engine/guest_link.h"

#include "base/log.h"
#include "base/percent_coding.h"
#include "engine/deadline.h"

#include <asio/local/stream_protocol.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMaxReply = 1u << 20;

} // namespace

std::string encodeBase64(std::string_view bytes)
{
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto at = [&](std::size_t n) {
            return i + n < bytes.size() ? static_cast<unsigned char>(bytes[i + n]) : 0u;
        };
        const unsigned bits = at(0) << 16 | at(1) << 8 | at(2);
        text += kAlphabet[bits >> 18 & 63];
        text += kAlphabet[bits >> 12 & 63];
        text += i + 1 < bytes.size() ? kAlphabet[bits >> 6 & 63] : '=';
        text += i + 2 < bytes.size() ? kAlphabet[bits & 63] : '=';
    }
    return text;
}

asio::awaitable<Result<int>> connectUnixSocket(asio::io_context& io, std::filesystem::path path)
{
    asio::local::stream_protocol::socket socket(io);
    std::error_code error;
    co_await socket.async_connect(asio::local::stream_protocol::endpoint(path.native()),
                                  asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        co_return fail(ErrorCode::Unavailable, "The sandbox's port " + path.string() + " cannot be reached.",
                       error.message());
    }
    std::error_code released;
    const int fd = socket.release(released);
    if (released) {
        co_return fail(ErrorCode::Io, "The sandbox's port cannot be taken over.", released.message());
    }
    co_return fd;
}

asio::awaitable<Result<std::unique_ptr<GuestLink>>> GuestLink::connect(asio::io_context& io, std::filesystem::path socket,
                                                                       std::chrono::milliseconds within,
                                                                       std::shared_ptr<bool> stop)
{
    const auto end = std::chrono::steady_clock::now() + within;
    Error last{ErrorCode::Timeout, "The sandbox did not answer in time.", {}};
    while (!*stop && std::chrono::steady_clock::now() < end) {
        Result<int> fd = co_await connectUnixSocket(io, socket);
        if (!fd) {
            last = fd.error();
            co_await pause(100ms);
            continue;
        }
        channel::Options options;
        options.side = channel::Side::Host;
        options.role = channel::Role::Client;
        std::unique_ptr<channel::Connection> connection = channel::makeConnection(io, *fd, options);
        // While the guest boots nobody echoes: the same connection goes on asking.
        while (!*stop && std::chrono::steady_clock::now() < end) {
            Result<void> established = co_await connection->establish();
            if (established) {
                co_return std::unique_ptr<GuestLink>(new GuestLink(std::move(connection), io));
            }
            last = established.error();
            if (last.code != ErrorCode::Timeout) {
                break;
            }
        }
        co_await pause(100ms);
    }
    if (*stop) {
        co_return fail(ErrorCode::Cancelled, "Starting was stopped.");
    }
    co_return fail(ErrorCode::Timeout,
                   "The sandbox did not answer in time. Look at its console log, or reset it to start afresh.",
                   last.message + " " + last.detail);
}

asio::awaitable<Result<channel::StreamPtr>> GuestLink::openStream(channel::Headers headers)
{
    Result<channel::StreamPtr> stream = m_connection->open(headers, false);
    if (!stream) {
        co_return stream;
    }
    Result<channel::Headers> reply = co_await (*stream)->responseHeaders();
    if (!reply) {
        co_return tl::unexpected(reply.error());
    }
    const auto status = reply->find(":status");
    if (status == reply->end() || status->second != "200") {
        Result<std::string> words = co_await channel::readBody(**stream, 4096);
        co_return fail(ErrorCode::Protocol, "The sandbox refused: " + escapeForDisplay(words.value_or(std::string()), 300));
    }
    co_return *stream;
}

asio::awaitable<Result<channel::StreamPtr>> GuestLink::openExec(std::string path, std::string specification)
{
    channel::Headers headers{{":method", "POST"}, {":scheme", "http"}, {":path", std::move(path)}, {":authority", "guest"},
                             {"x-coldframe-exec", encodeBase64(specification)}};
    co_return co_await openStream(std::move(headers));
}

asio::awaitable<Result<channel::StreamPtr>> GuestLink::openSync(std::string encodedPath)
{
    // A header field takes no control characters (RFC 9113, section 8.2.1), which a JSON text may hold.
    std::string field;
    for (const char byte : encodedPath) {
        if (byte > ' ' && byte < '\x7f') {
            field += byte;
        } else {
            appendPercentEscape(field, static_cast<unsigned char>(byte));
        }
    }
    channel::Headers headers{{":method", "POST"}, {":scheme", "http"}, {":path", "/sync"}, {":authority", "guest"},
                             {"x-coldframe-workspace", std::move(field)}};
    co_return co_await openStream(std::move(headers));
}

asio::awaitable<Result<std::string>> GuestLink::request(std::string method, std::string path, std::string body,
                                                        std::chrono::milliseconds within)
{
    const channel::Headers headers{{":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "guest"}};
    Result<channel::StreamPtr> opened = m_connection->open(headers, body.empty());
    if (!opened) {
        co_return tl::unexpected(opened.error());
    }
    const channel::StreamPtr stream = *opened;
    const Deadline deadline(m_io.get_executor(), within, [stream] { stream->reset(8); });
    const auto timedOut = [&] { return fail(ErrorCode::Timeout, "The sandbox did not answer " + path + " in time."); };
    if (!body.empty()) {
        const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
        Result<void> written = co_await stream->write(bytes);
        if (!written) {
            co_return deadline.hasExpired() ? Result<std::string>(timedOut()) : tl::unexpected(written.error());
        }
        stream->finish();
    }
    Result<channel::Headers> reply = co_await stream->responseHeaders();
    if (!reply) {
        co_return deadline.hasExpired() ? Result<std::string>(timedOut()) : tl::unexpected(reply.error());
    }
    Result<std::string> text = co_await channel::readBody(*stream, kMaxReply);
    if (!text) {
        co_return deadline.hasExpired() ? Result<std::string>(timedOut()) : text;
    }
    const auto status = reply->find(":status");
    if (status == reply->end() || status->second != "200") {
        const std::string said = status == reply->end() ? std::string() : status->second;
        co_return fail(said == "409" ? ErrorCode::AlreadyExists : said == "404" ? ErrorCode::NotFound : ErrorCode::Protocol,
                       "The sandbox refused " + path + ": " + escapeForDisplay(*text, 300));
    }
    co_return text;
}

} // namespace coldframe::engine
