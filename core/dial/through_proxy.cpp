// SPDX-License-Identifier: Apache-2.0
#include "dial/through_proxy.h"

#include "base/log.h"

#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/ssl/host_name_verification.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cstring>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

namespace coldframe::dial {

namespace {

using Socket = asio::generic::stream_protocol::socket;
using TlsSocket = asio::ssl::stream<Socket>;

constexpr std::size_t kMaxHead = 16 * 1024;
constexpr std::size_t kRelayPiece = 32 * 1024;

tl::unexpected<Error> refused(const UpstreamProxy& proxy, const std::string& what)
{
    return fail(ErrorCode::Unavailable, "The network's proxy " + proxy.text() + " " + what);
}

std::string base64(std::string_view bytes)
{
    std::string result((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    result.resize(static_cast<std::size_t>(std::max(length, 0)));
    return result;
}

/// Whole or not at all.
template <typename Stream> asio::awaitable<bool> send(Stream& stream, const std::string& bytes)
{
    std::error_code error;
    co_await asio::async_write(stream, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
}

// No co_await below stands in a conditional expression: GCC 12 destroys what comes of it twice.
template <typename Stream> asio::awaitable<std::string> receive(Stream& stream, std::size_t count)
{
    std::string bytes(count, '\0');
    std::error_code error;
    co_await asio::async_read(stream, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        bytes.clear();
    }
    co_return bytes;
}

template <typename Stream>
asio::awaitable<Result<void>> connectByHttp(Stream& stream, const UpstreamProxy& proxy, const ProxyLogin& login,
                                            const std::string& authority)
{
    std::string request = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
    if (!login.user.empty()) {
        std::string plain = login.user + ":";
        plain.reserve(plain.size() + SecretBuffer::kMaxSize);
        plain.append(login.password ? login.password->view() : std::string_view());
        std::string coded = base64(plain);
        request.reserve(request.size() + coded.size() + 64); // one allocation, so that no copy is left behind
        request.append("Proxy-Authorization: Basic ").append(coded).append("\r\n");
        wipe(plain);
        wipe(coded);
    }
    request += "\r\n";
    const bool sent = co_await send(stream, request);
    wipe(request);
    // By single bytes: what follows the head is the target's already.
    std::string head;
    while (sent && head.size() < kMaxHead && !head.ends_with("\r\n\r\n")) {
        const std::string byte = co_await receive(stream, 1);
        if (byte.empty()) {
            break;
        }
        head += byte;
    }
    if (!head.ends_with("\r\n\r\n") || !head.starts_with("HTTP/1.") || head.size() < 12) {
        co_return refused(proxy, "gave no usable answer.");
    }
    const std::string status = head.substr(9, 3);
    if (status.starts_with('2')) {
        co_return Result<void>();
    }
    if (status == "407") {
        co_return refused(proxy, login.user.empty() ? "wants a user name and a password; the user can set them in the settings."
                                                    : "did not take the user name and the password from the settings.");
    }
    co_return refused(proxy, "refused it: " + escapeForDisplay(head.substr(9, head.find('\r') - 9), 100) + ".");
}

template <typename Stream>
asio::awaitable<Result<void>> connectBySocks(Stream& stream, const UpstreamProxy& proxy, const ProxyLogin& login,
                                             const std::string& host, std::uint16_t port)
{
    const std::string hello = login.user.empty() ? std::string("\x05\x01\x00", 3) : std::string("\x05\x02\x00\x02", 4);
    const bool greeted = co_await send(stream, hello);
    std::string choice;
    if (greeted) {
        choice = co_await receive(stream, 2);
    }
    if (choice.size() != 2 || choice[0] != 5) {
        co_return refused(proxy, "does not speak SOCKS 5.");
    }
    if (choice[1] == 2 && !login.user.empty()) {
        const std::string_view password = login.password ? login.password->view() : std::string_view();
        if (login.user.size() > 255 || password.size() > 255) {
            co_return refused(proxy, "takes no user name or password of more than 255 bytes.");
        }
        std::string account;
        account.reserve(3 + 255 + 255);
        account.append(1, '\x01').append(1, static_cast<char>(login.user.size())).append(login.user);
        account.append(1, static_cast<char>(password.size())).append(password);
        const bool told = co_await send(stream, account);
        wipe(account);
        std::string verdict;
    if (told) {
        verdict = co_await receive(stream, 2);
    }
        if (verdict.size() != 2 || verdict[1] != 0) {
            co_return refused(proxy, "did not take the user name and the password from the settings.");
        }
    } else if (choice[1] != 0) {
        co_return refused(proxy, "wants a user name and a password; the user can set them in the settings.");
    }
    std::string request("\x05\x01\x00", 3);
    if (const auto literal = policy::parseIp(host)) {
        const bool isV4 = host.find(':') == std::string::npos;
        const char* const bytes = reinterpret_cast<const char*>(literal->data());
        request.append(1, isV4 ? '\x01' : '\x04').append(isV4 ? bytes + 12 : bytes, isV4 ? 4 : 16);
    } else {
        request.append(1, '\x03').append(1, static_cast<char>(host.size())).append(host);
    }
    request.append(1, static_cast<char>(port >> 8)).append(1, static_cast<char>(port & 255));
    const bool asked = co_await send(stream, request);
    std::string reply;
    if (asked) {
        reply = co_await receive(stream, 4);
    }
    if (reply.size() != 4 || reply[0] != 5) {
        co_return refused(proxy, "gave no usable answer.");
    }
    if (reply[1] != 0) {
        static constexpr std::array<const char*, 9> kReasons = {"", "general failure", "not allowed by its rules", "network unreachable",
                                                               "host unreachable", "connection refused", "time to live expired",
                                                               "command not supported", "address type not supported"};
        const auto code = static_cast<std::size_t>(static_cast<unsigned char>(reply[1]));
        co_return refused(proxy, std::string("refused it: ") + (code < kReasons.size() ? kReasons[code] : "unknown reason") + ".");
    }
    std::size_t rest = reply[3] == 1 ? 4 : reply[3] == 4 ? 16 : 0;
    if (reply[3] == 3) {
        const std::string length = co_await receive(stream, 1);
        rest = length.empty() ? 0 : static_cast<unsigned char>(length[0]);
    }
    const std::string bound = co_await receive(stream, rest + 2);
    if (bound.size() != rest + 2) {
        co_return refused(proxy, "gave no usable answer.");
    }
    co_return Result<void>();
}

template <typename Stream>
asio::awaitable<Result<void>> ask(Stream& stream, const UpstreamProxy& proxy, const ProxyLogin& login, const std::string& host,
                                  std::uint16_t port)
{
    if (proxy.scheme == ProxyScheme::Socks5) {
        co_return co_await connectBySocks(stream, proxy, login, host, port);
    }
    const std::string authority = (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
    co_return co_await connectByHttp(stream, proxy, login, authority);
}

/// Both ends of a relayed connection; lives as long as one of its two directions does.
struct Relay
{
    Relay(TlsSocket stream, Socket local) : outside(std::move(stream)), inside(std::move(local)) {}
    TlsSocket outside;
    Socket inside;
};

asio::awaitable<void> outward(std::shared_ptr<Relay> relay)
{
    std::array<char, kRelayPiece> buffer;
    std::error_code error;
    while (!error) {
        const std::size_t count = co_await relay->inside.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            co_await asio::async_write(relay->outside, asio::buffer(buffer.data(), count), asio::redirect_error(asio::use_awaitable, error));
        }
    }
    // A half-close inside is told outside, and the other direction goes on.
    std::error_code ignored;
    if (error == asio::error::eof) {
        co_await relay->outside.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
    } else {
        relay->outside.lowest_layer().close(ignored);
    }
}

asio::awaitable<void> inward(std::shared_ptr<Relay> relay)
{
    std::array<char, kRelayPiece> buffer;
    std::error_code error;
    while (!error) {
        const std::size_t count = co_await relay->outside.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            co_await asio::async_write(relay->inside, asio::buffer(buffer.data(), count), asio::redirect_error(asio::use_awaitable, error));
        }
    }
    std::error_code ignored;
    relay->inside.shutdown(Socket::shutdown_both, ignored);
    relay->outside.lowest_layer().close(ignored);
}

asio::awaitable<Result<UniqueFd>> askByTls(asio::io_context& io, Socket socket, const UpstreamProxy& proxy, const ProxyLogin& login,
                                           const std::string& host, std::uint16_t port, asio::ssl::context& context)
{
    TlsSocket stream(std::move(socket), context);
    SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(proxy.host.c_str()));
    stream.set_verify_mode(asio::ssl::verify_peer);
    stream.set_verify_callback(asio::ssl::host_name_verification(proxy.host));
    std::error_code error;
    co_await stream.async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        const long verdict = SSL_get_verify_result(stream.native_handle());
        co_return refused(proxy, verdict != X509_V_OK ? std::string("has no valid certificate: ") + X509_verify_cert_error_string(verdict) + "."
                                                      : "cannot be spoken to by TLS: " + error.message() + ".");
    }
    auto asked = co_await ask(stream, proxy, login, host, port);
    if (!asked) {
        co_return tl::unexpected(asked.error());
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        co_return failErrno("The connection through the proxy could not be handed over", errno);
    }
    UniqueFd out(ends[1]);
    Socket inside(io, asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
    const auto relay = std::make_shared<Relay>(std::move(stream), std::move(inside));
    asio::co_spawn(io, outward(relay), asio::detached);
    asio::co_spawn(io, inward(relay), asio::detached);
    co_return std::move(out);
}

} // namespace

Result<std::shared_ptr<asio::ssl::context>> makeProxyTls(const std::vector<std::string>& trustedPems)
{
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    for (const std::string& pem : trustedPems) {
        std::error_code error;
        context->add_certificate_authority(asio::buffer(pem), error);
        if (error) {
            return fail(ErrorCode::InvalidArgument, "A trusted certificate cannot be read.", error.message());
        }
    }
    return context;
}

asio::awaitable<Result<UniqueFd>> askProxy(asio::io_context& io, UniqueFd socket, UpstreamProxy proxy, ProxyLogin login,
                                           std::string host, std::uint16_t port, std::shared_ptr<asio::ssl::context> tls,
                                           std::chrono::milliseconds limit)
{
    const int fd = socket.get();
    asio::steady_timer timer(io, limit);
    const auto isLate = std::make_shared<bool>(false);
    const auto isOver = std::make_shared<bool>(false);
    timer.async_wait([fd, isLate, isOver](const std::error_code& error) {
        if (!error && !*isOver) {
            *isLate = true;
            ::shutdown(fd, SHUT_RDWR); // what waits for it wakes with an end
        }
    });
    Socket stream(io, asio::generic::stream_protocol(AF_INET, IPPROTO_TCP), socket.release());
    Result<UniqueFd> result = refused(proxy, "cannot be spoken to by TLS.");
    if (proxy.scheme != ProxyScheme::Https) {
        auto asked = co_await ask(stream, proxy, login, host, port);
        if (asked) {
            std::error_code error;
            UniqueFd out(stream.release(error));
            result = std::move(out);
        } else {
            result = tl::unexpected(asked.error());
        }
    } else if (tls) {
        result = co_await askByTls(io, std::move(stream), proxy, login, host, port, *tls);
    }
    *isOver = true;
    timer.cancel();
    if (!result && *isLate) {
        co_return fail(ErrorCode::Timeout, "The network's proxy " + proxy.text() + " did not answer in time.");
    }
    co_return result;
}

} // namespace coldframe::dial
