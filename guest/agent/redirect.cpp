// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/redirect.h"

#include "base/log.h"
#include "channel/pump.h"
#include "guest/agent/event.h"
#include "guest/agent/listener.h"

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/write.hpp>
#include <sstream>

namespace coldframe::guest {

namespace {

constexpr std::size_t kMaxHead = 32 * 1024;

std::span<const std::uint8_t> bytes(const std::string& text)
{
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string statusOf(const channel::Headers& headers)
{
    const auto found = headers.find(":status");
    return found == headers.end() ? std::string() : found->second;
}

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return out;
}

std::string refusal(const std::string& status, const std::string& body)
{
    return "HTTP/1.1 " + status +
           " Refused\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

class Counted
{
public:
    explicit Counted(std::size_t& number) : m_number(number) { ++m_number; }
    ~Counted() { --m_number; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    std::size_t& m_number;
};

} // namespace

Result<ProxyRequest> parseProxyRequest(std::string_view head)
{
    const auto bad = [] {
        return fail(ErrorCode::InvalidArgument, "This is a proxy: use CONNECT or an http:// address.");
    };
    const std::size_t lineEnd = head.find("\r\n");
    const std::string_view line = head.substr(0, lineEnd);
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (lineEnd == std::string_view::npos || first == std::string_view::npos || last <= first ||
        (line.substr(last + 1) != "HTTP/1.1" && line.substr(last + 1) != "HTTP/1.0")) {
        return bad();
    }
    const std::string_view method = line.substr(0, first);
    std::string_view target = line.substr(first + 1, last - first - 1);
    ProxyRequest request;
    if (method == "CONNECT") {
        request.isTunnel = true;
        request.authority = lower(target);
    } else {
        if (lower(target.substr(0, 7)) != "http://") {
            return bad();
        }
        target.remove_prefix(7);
        const std::size_t slash = target.find_first_of("/?");
        request.authority = lower(target.substr(0, slash));
        std::string path(slash == std::string_view::npos ? "/" : target.substr(slash));
        if (path[0] == '?') {
            path.insert(0, "/");
        }
        request.forwarded = std::string(method) + " " + path + " HTTP/1.1\r\n";
    }
    for (const char c : request.authority) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                           c == '_' || c == ':' || c == '[' || c == ']';
        if (!plain) {
            return bad(); // user information, escapes and worse
        }
    }
    const std::size_t colon = request.authority.rfind(':');
    const std::size_t bracket = request.authority.rfind(']');
    const bool hasPort = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
    if (request.authority.empty() || (request.isTunnel && !hasPort)) {
        return bad();
    }
    if (!hasPort) {
        request.authority += ":80";
    }
    if (!request.isTunnel) {
        // Hop-by-hop fields stay here (RFC 9110, section 7.6.1); one request per connection keeps its
        // identity single.
        std::size_t at = lineEnd + 2;
        while (at < head.size()) {
            std::size_t end = head.find("\r\n", at);
            end = end == std::string_view::npos ? head.size() : end;
            const std::string_view field = head.substr(at, end - at);
            const std::string name = lower(field.substr(0, field.find(':')));
            if (!field.empty() && name != "connection" && name != "proxy-connection" &&
                name != "proxy-authorization" && name != "keep-alive") {
                request.forwarded.append(field).append("\r\n");
            }
            at = end + 2;
        }
        request.forwarded += "connection: close\r\n\r\n";
    }
    return request;
}

Result<Redirect::Target> Redirect::targetOf(const asio::ip::tcp::endpoint& to) const
{
    const std::string port = ":" + std::to_string(to.port());
    if (to.address().is_v4()) {
        const std::uint32_t address = to.address().to_v4().to_uint();
        if (isSynthetic(address)) {
            const auto name = m_names.nameOf(address);
            if (!name) {
                return fail(ErrorCode::NotFound, "No name has the address " + to.address().to_string() + ".");
            }
            return Target{*name + port, true};
        }
        if (to.address().is_loopback() || to.address().is_unspecified()) {
            return fail(ErrorCode::NotAllowed, "The connection was not redirected.");
        }
        return Target{to.address().to_string() + port, false};
    }
    if (to.address().is_loopback() || to.address().is_unspecified()) {
        return fail(ErrorCode::NotAllowed, "The connection was not redirected.");
    }
    return Target{"[" + to.address().to_string() + "]" + port, false};
}

Result<void> Redirect::startTransparent(unsigned short port)
{
    COLDFRAME_TRY(auto acceptor, listenAnyAddress(m_io, port));
    asio::co_spawn(m_io, accept(acceptor, false), asio::detached);
    return {};
}

Result<void> Redirect::startProxy(const asio::ip::tcp::endpoint& at)
{
    auto acceptor = std::make_shared<asio::ip::tcp::acceptor>(m_io);
    asio::error_code error;
    acceptor->open(at.protocol(), error);
    acceptor->set_option(asio::socket_base::reuse_address(true), error);
    acceptor->bind(at, error);
    if (!error) {
        acceptor->listen(256, error);
    }
    if (error) {
        return fail(ErrorCode::Io, "The explicit proxy cannot be started.", error.message());
    }
    asio::co_spawn(m_io, accept(acceptor, true), asio::detached);
    return {};
}

asio::awaitable<void> Redirect::accept(Acceptor acceptor, bool isProxy)
{
    for (;;) {
        asio::ip::tcp::socket socket(m_io);
        asio::error_code error;
        co_await acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            co_await pause(m_io, std::chrono::milliseconds(100)); // out of descriptors: others end first
        } else if (isProxy) {
            asio::co_spawn(m_io, proxy(std::move(socket)), asio::detached);
        } else {
            asio::co_spawn(m_io, carry(std::move(socket)), asio::detached);
        }
    }
}

Result<channel::StreamPtr> Redirect::open(const std::string& authority, const std::string& kind,
                                          const asio::ip::tcp::endpoint& peer)
{
    if (!m_net || !m_net->isAlive()) {
        return fail(ErrorCode::Unavailable, "The sandbox's proxy is not running.");
    }
    channel::Headers headers{{":method", "CONNECT"},
                             {":authority", authority},
                             {"x-coldframe-source", isOwnAddress(peer.address()) ? "process" : "container"},
                             {"x-coldframe-kind", kind}};
    if (const std::string process = m_owners.nameOf(peer); !process.empty()) {
        headers["x-coldframe-process"] = process;
    }
    return m_net->open(headers);
}

asio::awaitable<void> Redirect::carry(asio::ip::tcp::socket socket)
{
    const Counted counted(m_open);
    asio::error_code error;
    const auto peer = socket.remote_endpoint(error);
    const auto to = originalDestination(socket.native_handle());
    if (error || !to) {
        resetAndClose(socket);
        co_return;
    }
    const auto target = targetOf(*to);
    if (!target) {
        resetAndClose(socket);
        co_return;
    }
    const std::string kind = target->isName ? "name" : "literal";
    const auto stream = open(target->authority, kind, peer);
    if (!stream) {
        resetAndClose(socket);
        co_return;
    }
    const auto headers = co_await (*stream)->responseHeaders();
    if (!headers || statusOf(*headers) != "200") {
        resetAndClose(socket);
        co_return;
    }
    asio::posix::stream_descriptor descriptor(m_io, socket.release());
    co_await channel::pump(**stream, descriptor);
}

asio::awaitable<void> Redirect::proxy(asio::ip::tcp::socket socket)
{
    const Counted counted(m_open);
    asio::error_code error;
    const auto peer = socket.remote_endpoint(error);
    std::string received;
    std::size_t headEnd = std::string::npos;
    while ((headEnd = received.find("\r\n\r\n")) == std::string::npos && received.size() < kMaxHead) {
        std::string part(4096, '\0');
        const std::size_t got = co_await socket.async_read_some(
            asio::buffer(part), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
        received.append(part, 0, got);
    }
    std::string refused;
    channel::StreamPtr stream;
    const auto request =
        parseProxyRequest(std::string_view(received).substr(0, std::min(headEnd, received.size())));
    if (!request || headEnd == std::string::npos) {
        refused = refusal("400", "This is a proxy: use CONNECT or an http:// address.\n");
    } else {
        const auto opened = open(request->authority, "proxy", peer);
        if (opened) {
            stream = *opened;
            const auto headers = co_await stream->responseHeaders();
            if (!headers) {
                refused = refusal("502", "The sandbox's proxy ended the connection.\n");
            } else if (statusOf(*headers) != "200") {
                const auto body = co_await channel::readBody(*stream, 64 * 1024);
                refused = refusal(statusOf(*headers), body.value_or(""));
            }
        } else {
            refused = refusal("503", "The sandbox's proxy is not running.\n");
        }
    }
    if (!refused.empty()) {
        co_await asio::async_write(socket, asio::buffer(refused),
                                   asio::redirect_error(asio::use_awaitable, error));
        socket.shutdown(asio::socket_base::shutdown_send, error);
        co_return;
    }
    const std::string rest = received.substr(headEnd + 4);
    const std::string ahead = request->isTunnel ? rest : request->forwarded + rest;
    if (request->isTunnel) {
        const std::string established = "HTTP/1.1 200 Connection established\r\n\r\n";
        co_await asio::async_write(socket, asio::buffer(established),
                                   asio::redirect_error(asio::use_awaitable, error));
    }
    if (!ahead.empty()) {
        const auto written = co_await stream->write(bytes(ahead));
        if (!written) {
            resetAndClose(socket);
            co_return;
        }
    }
    asio::posix::stream_descriptor descriptor(m_io, socket.release());
    co_await channel::pump(*stream, descriptor);
}

} // namespace coldframe::guest
