// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace coldframe::proxy {

/// A connection in both directions, whatever carries it: a stream of the net port, a socket, TLS on either. One read and
/// one write may be under way at a time. Single-threaded. Owned by shared_ptr, which running operations hold.
class ByteStream
{
public:
    virtual ~ByteStream() = default;
    /// At least one byte; 0 = the peer ended its side cleanly.
    virtual asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) = 0;
    /// Returns when everything is handed on.
    virtual asio::awaitable<Result<void>> write(std::string_view data) = 0;
    /// Ends our side; reading goes on. After the last write.
    virtual asio::awaitable<void> finish() = 0;
    /// Drops the connection now; operations under way end with Closed. May be called at any time, repeatedly.
    virtual void abort() = 0;
};
using ByteStreamPtr = std::shared_ptr<ByteStream>;

} // namespace coldframe::proxy
