// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace coldframe::proxy {

/// Undoes a content coding, piece by piece, for looking at what is inside. Memory is bounded by the coding's window (8 MiB for zstd,
/// 16 MiB for Brotli); the amount by `maxOutput()`.
class ContentDecoder
{
public:
    enum class State { More, Done, Bad, TooMuch };
    /// Called with each decoded piece; false stops.
    using Sink = std::function<bool(std::string_view)>;

    virtual ~ContentDecoder() = default;
    ContentDecoder() = default;
    ContentDecoder(const ContentDecoder&) = delete;
    ContentDecoder& operator=(const ContentDecoder&) = delete;

    /// Done: the coding has ended; bytes behind its end are Bad. Sticks at everything but More.
    State feed(std::string_view data, const Sink& sink);

    /// More than this from `input` bytes is taken for a decompression bomb.
    static std::uint64_t maxOutput(std::uint64_t input) { return (64u << 20) + input * 64; }

protected:
    virtual State decode(std::string_view data, const Sink& sink) = 0;
    /// Counts and passes on; TooMuch or More. A sink that stops makes it Done.
    State give(std::string_view piece, const Sink& sink);

private:
    State m_state = State::More;
    std::uint64_t m_in = 0;
    std::uint64_t m_out = 0;
};

/// "gzip", "x-gzip", "deflate" (with or without zlib's wrapper), "br", "zstd"; null for anything else.
std::unique_ptr<ContentDecoder> makeContentDecoder(std::string_view coding);

} // namespace coldframe::proxy
