// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "channel/connection.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::engine {

/// The engine's end of one port of a running microVM ("control" or "bulk"): requests as in core/ARCHITECTURE.md.
/// All on the engine's io_context thread.
class GuestLink
{
public:
    /// Connects to the port's socket and says HELLO until the guest echoes, trying again until `within` is over
    /// (the guest may still be booting). `stop` ends the trying early.
    static asio::awaitable<Result<std::unique_ptr<GuestLink>>> connect(asio::io_context& io, std::filesystem::path socket,
                                                                       std::chrono::milliseconds within,
                                                                       std::shared_ptr<bool> stop);

    /// One request with a JSON (or empty) body; any status but 200 is an error with the guest's words, escaped: AlreadyExists for
    /// 409, NotFound for 404, else Protocol.
    asio::awaitable<Result<std::string>> request(std::string method, std::string path, std::string body,
                                                 std::chrono::milliseconds within);

    /// POST to "/exec" or "/attach"; the stream then carries exec frames both ways. `specification` is the JSON of the request.
    asio::awaitable<Result<channel::StreamPtr>> openExec(std::string path, std::string specification);

    /// POST /sync for one workspace; the stream then carries the sync protocol.
    asio::awaitable<Result<channel::StreamPtr>> openSync(std::string encodedPath);

    bool isAlive() const { return m_connection->isAlive(); }
    channel::Connection& connection() { return *m_connection; }

private:
    explicit GuestLink(std::unique_ptr<channel::Connection> connection, asio::io_context& io)
        : m_io(io), m_connection(std::move(connection))
    {
    }
    asio::awaitable<Result<channel::StreamPtr>> openStream(channel::Headers headers);

    asio::io_context& m_io;
    std::unique_ptr<channel::Connection> m_connection;
};

/// Connects a unix socket and gives its descriptor.
asio::awaitable<Result<int>> connectUnixSocket(asio::io_context& io, std::filesystem::path path);

/// Base64 as HTTP headers and JSON carry it (RFC 4648, section 4).
std::string encodeBase64(std::string_view bytes);

} // namespace coldframe::engine
