// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_message.h"

#include <optional>

namespace coldframe::proxy {

/// Strict HTTP/1.x parsing, sans-I/O. Whatever two servers could read in two ways is refused (RFC 9112, section 11.2):
/// bare LF, obs-fold, space before a colon, control characters, Content-Length beside Transfer-Encoding or repeated, any
/// transfer coding but one "chunked", signs and prefixes in sizes. Messages go on re-serialised, never as received.
struct HeadLimits
{
    std::size_t maxBytes = 64 * 1024;
    std::size_t maxFields = 128;
    std::size_t maxTargetBytes = 32 * 1024;
};

/// Finds the end of a head in a growing buffer without looking at a byte twice.
class HeadScanner
{
public:
    explicit HeadScanner(HeadLimits limits = {}) : m_limits(limits) {}
    /// The length of the head including its empty line; nullopt = more bytes are needed. 431 when too long.
    HttpResult<std::optional<std::size_t>> scan(std::string_view buffer);
    const HeadLimits& limits() const { return m_limits; }

private:
    HeadLimits m_limits;
    std::size_t m_scanned = 0;
    std::size_t m_lineStart = 0;
};

/// `head` ends with its empty line, as HeadScanner measured it.
HttpResult<RequestHead> parseRequestHead(std::string_view head, const HeadLimits& limits = {});
/// The method of the request decides whether a body follows. Errors carry 502.
HttpResult<ResponseHead> parseResponseHead(std::string_view head, std::string_view requestMethod,
                                           const HeadLimits& limits = {});

/// Takes a body apart, step by step.
class BodyDecoder
{
public:
    BodyDecoder(Framing framing, std::uint64_t length);

    struct Step
    {
        std::size_t consumed = 0;
        std::string_view data; ///< a view into the input
        bool done = false;
    };
    /// Consumes a prefix of `input`. consumed == 0 and not done = more bytes are needed; the caller keeps what is left.
    HttpResult<Step> next(std::string_view input);
    /// The peer ended its side: fine for UntilClose (then done), truncation for the others.
    HttpResult<void> endOfInput();
    bool isDone() const { return m_state == State::Done; }
    /// Trailer fields of a chunked body, once done; those that must not be there (framing, routing, credentials) are left out.
    const HeaderList& trailers() const { return m_trailers; }

private:
    enum class State { Data, ChunkSize, ChunkData, ChunkEnd, Trailers, Done };
    HttpResult<Step> chunkSize(std::string_view input);
    HttpResult<Step> chunkEnd(std::string_view input);
    HttpResult<Step> trailerSection(std::string_view input);

    Framing m_framing;
    State m_state;
    std::uint64_t m_left = 0;
    HeadScanner m_trailerScanner;
    HeaderList m_trailers;
};

} // namespace coldframe::proxy
