// SPDX-License-Identifier: Apache-2.0
#include "channel/http2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nghttp2/nghttp2.h>
#include <vector>

namespace coldframe::channel {

namespace {

/// RST_STREAM frames from the peer before nghttp2 ends the session. Each costs us one closed stream, no more.
constexpr std::uint64_t kResetBurst = 1'000'000;
constexpr std::uint64_t kResetsPerSecond = 100'000;
/// Frames waiting to be sent; a peer that provokes more while reading nothing is broken.
constexpr std::size_t kMaxOutboundFrames = 20'000;
/// RFC 9113, 6.5.2: "the sum of the sizes of all fields plus 32 bytes for each".
constexpr std::size_t kHeaderOverhead = 32;

const std::uint8_t* asBytes(const std::string& text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

/// Pseudo-header fields first (RFC 9113, 8.3).
Result<std::vector<nghttp2_nv>> toNameValues(const Headers& headers)
{
    std::vector<nghttp2_nv> result;
    result.reserve(headers.size());
    for (const bool pseudo : {true, false}) {
        for (const auto& [name, value] : headers) {
            if ((!name.empty() && name.front() == ':') != pseudo) {
                continue;
            }
            if (nghttp2_check_header_name(asBytes(name), name.size()) == 0 ||
                nghttp2_check_header_value(asBytes(value), value.size()) == 0) {
                return fail(ErrorCode::InvalidArgument, "A header field has characters that HTTP/2 does not allow.", name);
            }
            // nghttp2 copies both and writes to neither; its structure is merely not const.
            result.push_back({const_cast<std::uint8_t*>(asBytes(name)), const_cast<std::uint8_t*>(asBytes(value)),
                              name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
        }
    }
    return result;
}

struct OptionDeleter
{
    void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
struct CallbacksDeleter
{
    void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

} // namespace

std::size_t Http2Stream::take(std::span<std::uint8_t> into)
{
    const std::size_t count = std::min(into.size(), buffered());
    std::memcpy(into.data(), m_inbound.data() + m_inboundBegin, count);
    m_inboundBegin += count;
    if (m_inboundBegin == m_inbound.size()) {
        m_inbound.clear();
        m_inboundBegin = 0;
    }
    return count;
}

struct Http2Session::Callbacks
{
    static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }

    static int beginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user)
    {
        auto& me = self(user);
        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
            return 0;
        }
        // Closed streams whose owners have not looked yet count too; hence twice the number.
        const bool tooMany = me.m_owned >= std::size_t{me.m_options.maxStreams} * 2;
        if (tooMany || me.m_buffered >= me.m_options.maxBufferedBytes) {
            return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
        }
        auto stream = std::make_shared<Http2Stream>();
        stream->id = frame->hd.stream_id;
        me.m_streams.emplace(stream->id, std::move(stream));
        return 0;
    }

    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t nameSize,
                      const std::uint8_t* value, std::size_t valueSize, std::uint8_t, void* user)
    {
        auto& me = self(user);
        const auto stream = me.find(frame->hd.stream_id);
        if (frame->hd.type != NGHTTP2_HEADERS || !stream || stream->isClosed) {
            return 0;
        }
        stream->m_headerBytes += nameSize + valueSize + kHeaderOverhead;
        if (stream->m_headerBytes > me.m_options.maxHeaderBytes) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        if (stream->headersComplete) {
            return 0; // trailers: nothing of ours has any
        }
        std::string key(reinterpret_cast<const char*>(name), nameSize);
        std::string text(reinterpret_cast<const char*>(value), valueSize);
        auto [entry, isNew] = stream->peerHeaders.try_emplace(std::move(key), text);
        if (!isNew) {
            entry->second += ", " + text; // RFC 9110, 5.3
        }
        return 0;
    }

    static int frameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user)
    {
        auto& me = self(user);
        const auto stream = me.find(frame->hd.stream_id);
        const bool carriesEnd = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (!stream || stream->isClosed || !carriesEnd) {
            return 0;
        }
        stream->peerEnded = stream->peerEnded || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (frame->hd.type == NGHTTP2_HEADERS && !stream->headersComplete) {
            const auto status = stream->peerHeaders.find(":status");
            if (status != stream->peerHeaders.end() && status->second.starts_with('1')) {
                stream->peerHeaders.clear(); // RFC 9110, 15.2: interim
            } else {
                stream->headersComplete = true;
                if (me.m_role == Role::Server) {
                    ++me.m_owned;
                    me.m_events.incoming(stream);
                }
            }
        }
        if (stream->changed) {
            stream->changed();
        }
        return 0;
    }

    static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                    void* user)
    {
        auto& me = self(user);
        const auto stream = me.find(id);
        if (!stream || stream->isClosed || stream->m_isDropped) {
            nghttp2_session_consume(session, id, size);
            return 0;
        }
        // The connection's window never holds anyone up: one stalled stream must not stop the others.
        nghttp2_session_consume_connection(session, size);
        if (stream->m_inboundBegin > me.m_options.streamWindow) {
            stream->m_inbound.erase(0, stream->m_inboundBegin);
            stream->m_inboundBegin = 0;
        }
        stream->m_inbound.append(reinterpret_cast<const char*>(bytes), size);
        me.m_buffered += size;
        if (stream->changed) {
            stream->changed();
        }
        if (me.m_buffered > me.m_options.maxBufferedBytes * 2) {
            me.resetFullest();
        }
        return 0;
    }

    static int frameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user)
    {
        const bool carriesEnd = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (!carriesEnd || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
            return 0;
        }
        auto& me = self(user);
        if (const auto stream = me.find(frame->hd.stream_id)) {
            stream->m_endSent = true;
            if (stream->m_isDropped && !stream->peerEnded) {
                // RFC 9113, 8.1: a server may "request that the client abort transmission of a request without
                // error by sending a RST_STREAM with an error code of NO_ERROR" after its complete response.
                const auto code = me.m_role == Role::Server ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL;
                nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, code);
            }
        }
        return 0;
    }

    static int frameNotSent(nghttp2_session*, const nghttp2_frame* frame, int, void* user)
    {
        // Only a request that never left: its stream is not opened, so nothing else would tell.
        auto& me = self(user);
        if (frame->hd.type == NGHTTP2_HEADERS && me.m_role == Role::Client) {
            if (const auto stream = me.find(frame->hd.stream_id)) {
                me.close(stream, kHttp2RefusedStream);
                me.m_streams.erase(stream->id);
            }
        }
        return 0;
    }

    static int streamClosed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user)
    {
        auto& me = self(user);
        if (const auto stream = me.find(id)) {
            me.close(stream, code);
            me.m_streams.erase(id);
        }
        return 0;
    }

    static ssize_t readOutgoing(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t size,
                                std::uint32_t* flags, nghttp2_data_source*, void* user)
    {
        const auto stream = self(user).find(id);
        if (!stream || stream->isClosed) {
            return NGHTTP2_ERR_DEFERRED;
        }
        const std::size_t count = std::min(size, stream->outgoing.size());
        if (count > 0) {
            std::memcpy(into, stream->outgoing.data(), count);
            stream->outgoing = stream->outgoing.subspan(count);
        }
        const bool isDrained = stream->outgoing.empty();
        if (isDrained && stream->isFinishing) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        } else if (count == 0) {
            return NGHTTP2_ERR_DEFERRED;
        }
        if (isDrained && stream->changed) {
            stream->changed();
        }
        return static_cast<ssize_t>(count);
    }
};

Http2Session::Http2Session(Role role, const Options& options, Events events)
    : m_role(role), m_options(options), m_events(std::move(events))
{
    nghttp2_session_callbacks* rawCallbacks = nullptr;
    nghttp2_session_callbacks_new(&rawCallbacks);
    const std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter> callbacks(rawCallbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(rawCallbacks, &Callbacks::beginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(rawCallbacks, &Callbacks::header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(rawCallbacks, &Callbacks::frameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(rawCallbacks, &Callbacks::data);
    nghttp2_session_callbacks_set_on_frame_send_callback(rawCallbacks, &Callbacks::frameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(rawCallbacks, &Callbacks::frameNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(rawCallbacks, &Callbacks::streamClosed);

    nghttp2_option* rawOption = nullptr;
    nghttp2_option_new(&rawOption);
    const std::unique_ptr<nghttp2_option, OptionDeleter> option(rawOption);
    nghttp2_option_set_no_auto_window_update(rawOption, 1);
    nghttp2_option_set_no_closed_streams(rawOption, 1);
    nghttp2_option_set_stream_reset_rate_limit(rawOption, kResetBurst, kResetsPerSecond);
    nghttp2_option_set_max_send_header_block_length(rawOption, m_options.maxHeaderBytes);

    std::vector<nghttp2_settings_entry> settings{
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, m_options.streamWindow},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(m_options.maxHeaderBytes)}};
    if (m_role == Role::Server) {
        nghttp2_session_server_new2(&m_session, rawCallbacks, this, rawOption);
        settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, m_options.maxStreams});
    } else {
        nghttp2_session_client_new2(&m_session, rawCallbacks, this, rawOption);
        settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
    }
    nghttp2_submit_settings(m_session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(m_session, NGHTTP2_FLAG_NONE, 0,
                                          static_cast<std::int32_t>(m_options.connectionWindow));
}

Http2Session::~Http2Session()
{
    abandon();
    nghttp2_session_del(m_session);
}

Result<void> Http2Session::feed(std::span<const std::uint8_t> bytes)
{
    const ssize_t taken = nghttp2_session_mem_recv(m_session, bytes.data(), bytes.size());
    if (taken < 0) {
        return fail(ErrorCode::Protocol, "The other end of the channel broke the protocol.",
                    nghttp2_strerror(static_cast<int>(taken)));
    }
    if (nghttp2_session_get_outbound_queue_size(m_session) > kMaxOutboundFrames) {
        return fail(ErrorCode::Protocol, "The other end of the channel broke the protocol.", "too many frames to answer");
    }
    return {};
}

Result<void> Http2Session::produce(std::string& out, std::size_t enough)
{
    while (out.size() < enough) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t count = nghttp2_session_mem_send(m_session, &bytes);
        if (count < 0) {
            return fail(ErrorCode::Internal, "The channel failed.", nghttp2_strerror(static_cast<int>(count)));
        }
        if (count == 0) {
            break;
        }
        out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    }
    return {};
}

bool Http2Session::isOver() const
{
    return nghttp2_session_want_read(m_session) == 0 && nghttp2_session_want_write(m_session) == 0;
}

Result<Http2StreamPtr> Http2Session::request(const Headers& headers, bool endStream)
{
    if (m_owned >= m_options.maxStreams) {
        return fail(ErrorCode::Busy, "Too many streams are open on this channel.");
    }
    COLDFRAME_TRY(const auto nameValues, toNameValues(headers));
    nghttp2_data_provider source{};
    source.read_callback = &Callbacks::readOutgoing;
    const std::int32_t id = nghttp2_submit_request(m_session, nullptr, nameValues.data(), nameValues.size(),
                                                   endStream ? nullptr : &source, nullptr);
    if (id < 0) {
        return fail(ErrorCode::Closed, "The channel takes no more requests.", nghttp2_strerror(id));
    }
    auto stream = std::make_shared<Http2Stream>();
    stream->id = id;
    stream->canSend = !endStream;
    stream->isFinishing = endStream;
    m_streams.emplace(id, stream);
    ++m_owned;
    wantOutput();
    return stream;
}

Result<void> Http2Session::respond(Http2Stream& stream, const Headers& headers, bool endStream)
{
    if (stream.isClosed) {
        return fail(ErrorCode::Closed, "The stream is closed.");
    }
    if (stream.canSend || stream.isFinishing || m_role != Role::Server) {
        return fail(ErrorCode::InvalidArgument, "The response was sent already.");
    }
    COLDFRAME_TRY(const auto nameValues, toNameValues(headers));
    nghttp2_data_provider source{};
    source.read_callback = &Callbacks::readOutgoing;
    const int status = nghttp2_submit_response(m_session, stream.id, nameValues.data(), nameValues.size(),
                                               endStream ? nullptr : &source);
    if (status != 0) {
        return fail(ErrorCode::Internal, "The channel took no response.", nghttp2_strerror(status));
    }
    stream.canSend = !endStream;
    stream.isFinishing = endStream;
    wantOutput();
    return {};
}

void Http2Session::send(Http2Stream& stream, std::span<const std::uint8_t> data)
{
    stream.outgoing = stream.isClosed ? std::span<const std::uint8_t>{} : data;
    if (!stream.outgoing.empty()) {
        nghttp2_session_resume_data(m_session, stream.id); // an error only says that it was not deferred
        wantOutput();
    }
}

void Http2Session::finish(Http2Stream& stream)
{
    if (stream.isClosed || stream.isFinishing || !stream.canSend) {
        return;
    }
    stream.isFinishing = true;
    nghttp2_session_resume_data(m_session, stream.id);
    wantOutput();
}

void Http2Session::reset(Http2Stream& stream, std::uint32_t code)
{
    const auto held = find(stream.id);
    if (stream.isClosed || !held) {
        return;
    }
    nghttp2_submit_rst_stream(m_session, NGHTTP2_FLAG_NONE, stream.id, code);
    close(held, code); // stays in the map until nghttp2 has sent it
    wantOutput();
}

void Http2Session::consumed(Http2Stream& stream, std::size_t count)
{
    m_buffered -= std::min(count, m_buffered);
    if (count > 0 && !stream.isClosed && !stream.peerEnded) {
        nghttp2_session_consume_stream(m_session, stream.id, count);
        wantOutput();
    }
}

void Http2Session::drop(const Http2StreamPtr& stream)
{
    m_owned -= std::min<std::size_t>(1, m_owned);
    stream->changed = nullptr;
    discardInbound(*stream);
    if (stream->isClosed) {
        return;
    }
    if (stream->isFinishing && !stream->m_endSent) {
        stream->m_isDropped = true; // frameSent() goes on from here
        return;
    }
    reset(*stream, m_role == Role::Server && stream->m_endSent ? kHttp2NoError : kHttp2Cancel);
}

void Http2Session::abandon()
{
    auto streams = std::move(m_streams);
    m_streams.clear();
    m_events.closed = nullptr;
    for (auto& [id, stream] : streams) {
        if (!stream->isClosed) {
            stream->sessionGone = true;
            close(stream, kHttp2NoError);
        }
    }
}

Http2StreamPtr Http2Session::find(std::int32_t id) const
{
    const auto entry = m_streams.find(id);
    return entry == m_streams.end() ? nullptr : entry->second;
}

void Http2Session::close(const Http2StreamPtr& stream, std::uint32_t code)
{
    if (stream->isClosed) {
        return;
    }
    stream->isClosed = true;
    stream->errorCode = code;
    stream->outgoing = {};
    if (code != kHttp2NoError || stream->m_isDropped) {
        discardInbound(*stream);
    }
    if (stream->changed) {
        stream->changed();
    }
    if (m_events.closed) {
        m_events.closed(stream);
    }
}

void Http2Session::discardInbound(Http2Stream& stream)
{
    const std::size_t count = stream.buffered();
    m_buffered -= std::min(count, m_buffered);
    if (!stream.isClosed && !stream.peerEnded && count > 0) {
        nghttp2_session_consume_stream(m_session, stream.id, count);
    }
    std::string().swap(stream.m_inbound);
    stream.m_inboundBegin = 0;
}

void Http2Session::resetFullest()
{
    const auto fullest = std::max_element(m_streams.begin(), m_streams.end(), [](const auto& a, const auto& b) {
        return a.second->buffered() < b.second->buffered();
    });
    if (fullest != m_streams.end()) {
        const auto stream = fullest->second;
        reset(*stream, kHttp2EnhanceYourCalm);
    }
}

void Http2Session::wantOutput()
{
    if (m_events.outputWanted) {
        m_events.outputWanted();
    }
}

} // namespace coldframe::channel
