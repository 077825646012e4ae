// SPDX-License-Identifier: Apache-2.0
#include "dial/connect.h"

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cstring>

namespace coldframe::dial {

namespace {

using asio::ip::tcp;

tcp::endpoint endpointOf(const Target& target)
{
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), target.address.data(), bytes.size());
    const asio::ip::address_v6 address(bytes);
    if (address.is_v4_mapped()) {
        return {asio::ip::make_address_v4(asio::ip::v4_mapped, address), target.port};
    }
    return {address, target.port};
}

/// Lives as long as an attempt or a timer of it is under way.
class Race : public std::enable_shared_from_this<Race>
{
public:
    Race(asio::io_context& io, std::vector<Target> targets, std::chrono::milliseconds stagger, Connected done)
        : m_io(io), m_deadline(io), m_stagger(io), m_staggerTime(stagger), m_targets(std::move(targets)),
          m_done(std::move(done))
    {
    }

    void start(std::chrono::milliseconds timeout)
    {
        m_deadline.expires_after(timeout);
        m_deadline.async_wait([self = shared_from_this()](const asio::error_code& error) {
            if (!error) {
                self->finish(fail(ErrorCode::Timeout, "The connection was not answered in time."), {});
            }
        });
        startNext();
    }

private:
    void startNext()
    {
        if (!m_done || m_next == m_targets.size()) {
            return;
        }
        const Target target = m_targets[m_next++];
        auto socket = std::make_shared<tcp::socket>(m_io);
        m_sockets.push_back(socket);
        ++m_running;
        socket->async_connect(endpointOf(target), [self = shared_from_this(), socket, target](const asio::error_code& error) {
            self->attempted(*socket, target, error);
        });
        m_stagger.expires_after(m_staggerTime);
        m_stagger.async_wait([self = shared_from_this()](const asio::error_code& error) {
            if (!error) {
                self->startNext();
            }
        });
    }

    void attempted(tcp::socket& socket, const Target& target, const asio::error_code& error)
    {
        --m_running;
        if (!m_done) {
            return;
        }
        if (error) {
            m_lastError = error.message();
            if (m_next < m_targets.size()) {
                startNext();
            } else if (m_running == 0) {
                finish(fail(ErrorCode::Unavailable, "The connection was refused or the host is unreachable.", m_lastError), {});
            }
            return;
        }
        asio::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        socket.non_blocking(true, ignored);
        asio::error_code releaseError;
        const int fd = socket.release(releaseError);
        if (releaseError) {
            finish(fail(ErrorCode::Internal, "The connection could not be handed over.", releaseError.message()), {});
        } else {
            finish(UniqueFd(fd), target);
        }
    }

    void finish(Result<UniqueFd> result, const Target& target)
    {
        if (!m_done) {
            return;
        }
        const Connected done = std::exchange(m_done, nullptr);
        m_deadline.cancel();
        m_stagger.cancel();
        for (const auto& socket : m_sockets) {
            asio::error_code ignored;
            socket->close(ignored);
        }
        m_sockets.clear();
        done(std::move(result), target);
    }

    asio::io_context& m_io;
    asio::steady_timer m_deadline;
    asio::steady_timer m_stagger;
    std::chrono::milliseconds m_staggerTime;
    std::vector<Target> m_targets;
    std::vector<std::shared_ptr<tcp::socket>> m_sockets;
    std::size_t m_next = 0;
    std::size_t m_running = 0;
    std::string m_lastError;
    Connected m_done;
};

} // namespace

std::string formatTarget(const Target& target)
{
    const std::string address = policy::formatIp(target.address);
    const bool isV6 = address.find(':') != std::string::npos;
    return (isV6 ? "[" + address + "]" : address) + ":" + std::to_string(target.port);
}

void connectAny(asio::io_context& io, std::vector<Target> targets, std::chrono::milliseconds timeout,
                std::chrono::milliseconds stagger, Connected done)
{
    const auto race = std::make_shared<Race>(io, std::move(targets), stagger, std::move(done));
    asio::post(io, [race, timeout] { race->start(timeout); });
}

} // namespace coldframe::dial
