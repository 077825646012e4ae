// SPDX-License-Identifier: Apache-2.0
#include "proxy/content_decoder.h"

#include "proxy/http1_message.h"

#include <array>
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr int kZstdWindowLog = 23; // RFC 9659: no content on the web needs more than 8 MiB

class Inflater : public ContentDecoder
{
public:
    /// `windowBits` as inflateInit2() takes them; `mayBeRaw`: "deflate" without its wrapper, which some servers send.
    Inflater(int windowBits, bool mayBeRaw) : m_mayBeRaw(mayBeRaw) { m_good = inflateInit2(&m_stream, windowBits) == Z_OK; }
    ~Inflater() override { inflateEnd(&m_stream); }

protected:
    State decode(std::string_view data, const Sink& sink) override
    {
        if (m_mayBeRaw && !data.empty()) {
            m_mayBeRaw = false;
            const auto first = static_cast<unsigned char>(data[0]);
            if ((first & 15) != 8 || (first >> 4) > 7) { // RFC 1950: no such method or window
                m_good = inflateReset2(&m_stream, -15) == Z_OK;
            }
        }
        m_stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
        m_stream.avail_in = static_cast<uInt>(data.size());
        while (m_good) {
            m_stream.next_out = m_piece.data();
            m_stream.avail_out = static_cast<uInt>(m_piece.size());
            const int result = inflate(&m_stream, Z_NO_FLUSH);
            const std::size_t made = m_piece.size() - m_stream.avail_out;
            const State given = give({reinterpret_cast<const char*>(m_piece.data()), made}, sink);
            if (given != State::More) {
                return given;
            }
            if (result == Z_STREAM_END) {
                return m_stream.avail_in == 0 ? State::Done : State::Bad;
            }
            if (result == Z_BUF_ERROR || (result == Z_OK && m_stream.avail_in == 0 && m_stream.avail_out > 0)) {
                return State::More;
            }
            m_good = result == Z_OK;
        }
        return State::Bad;
    }

private:
    z_stream m_stream{};
    bool m_good = false;
    bool m_mayBeRaw;
    std::array<Bytef, kPiece> m_piece{};
};

class BrotliReader : public ContentDecoder
{
public:
    BrotliReader() : m_state(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
    ~BrotliReader() override { BrotliDecoderDestroyInstance(m_state); }

protected:
    State decode(std::string_view data, const Sink& sink) override
    {
        std::size_t left = data.size();
        const auto* next = reinterpret_cast<const std::uint8_t*>(data.data());
        while (m_state) {
            std::size_t room = m_piece.size();
            std::uint8_t* out = m_piece.data();
            const BrotliDecoderResult result = BrotliDecoderDecompressStream(m_state, &left, &next, &room, &out, nullptr);
            const State given = give({reinterpret_cast<const char*>(m_piece.data()), m_piece.size() - room}, sink);
            if (given != State::More) {
                return given;
            }
            if (result == BROTLI_DECODER_RESULT_SUCCESS) {
                return left == 0 ? State::Done : State::Bad;
            }
            if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) {
                return State::More;
            }
            if (result == BROTLI_DECODER_RESULT_ERROR) {
                break;
            }
        }
        return State::Bad;
    }

private:
    BrotliDecoderState* m_state;
    std::array<std::uint8_t, kPiece> m_piece{};
};

class ZstdReader : public ContentDecoder
{
public:
    ZstdReader() : m_stream(ZSTD_createDStream())
    {
        if (m_stream) {
            ZSTD_DCtx_setParameter(m_stream, ZSTD_d_windowLogMax, kZstdWindowLog);
        }
    }
    ~ZstdReader() override { ZSTD_freeDStream(m_stream); }

protected:
    State decode(std::string_view data, const Sink& sink) override
    {
        ZSTD_inBuffer in{data.data(), data.size(), 0};
        while (m_stream) {
            ZSTD_outBuffer out{m_piece.data(), m_piece.size(), 0};
            const std::size_t result = ZSTD_decompressStream(m_stream, &out, &in);
            if (ZSTD_isError(result)) {
                break;
            }
            const State given = give({m_piece.data(), out.pos}, sink);
            if (given != State::More) {
                return given;
            }
            if (in.pos == in.size && out.pos < out.size) {
                return State::More; // several frames may follow one another
            }
        }
        return State::Bad;
    }

private:
    ZSTD_DStream* m_stream;
    std::array<char, kPiece> m_piece{};
};

} // namespace

ContentDecoder::State ContentDecoder::feed(std::string_view data, const Sink& sink)
{
    if (m_state == State::Done && !data.empty()) {
        m_state = State::Bad;
    }
    if (m_state == State::More) {
        m_in += data.size();
        m_state = decode(data, sink);
    }
    return m_state;
}

ContentDecoder::State ContentDecoder::give(std::string_view piece, const Sink& sink)
{
    m_out += piece.size();
    if (m_out > maxOutput(m_in)) {
        return State::TooMuch;
    }
    return piece.empty() || sink(piece) ? State::More : State::Done;
}

std::unique_ptr<ContentDecoder> makeContentDecoder(std::string_view coding)
{
    if (equalsIgnoringCase(coding, "gzip") || equalsIgnoringCase(coding, "x-gzip")) {
        return std::make_unique<Inflater>(15 + 16, false);
    }
    if (equalsIgnoringCase(coding, "deflate")) {
        return std::make_unique<Inflater>(15, true);
    }
    if (equalsIgnoringCase(coding, "br")) {
        return std::make_unique<BrotliReader>();
    }
    if (equalsIgnoringCase(coding, "zstd")) {
        return std::make_unique<ZstdReader>();
    }
    return nullptr;
}

} // namespace coldframe::proxy
