// SPDX-License-Identifier: Apache-2.0
#include "proxy/http2_codec.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <nghttp2/nghttp2.h>
#include <vector>

namespace coldframe::proxy {

namespace {

/// RST_STREAM frames a client may send at once and each second; more end the connection (a "rapid reset").
constexpr std::uint64_t kResetBurst = 1000;
constexpr std::uint64_t kResetsPerSecond = 100;
/// Frames waiting to be sent; a peer that provokes more while reading nothing is broken.
constexpr std::size_t kMaxOutboundFrames = 2000;
/// RFC 9113, section 6.5.2: 32 bytes for each field beside its name and value.
constexpr std::size_t kFieldOverhead = 32;
constexpr std::size_t kMaxSentHeader = 512 * 1024;

struct Deleter
{
    void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
    void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

// Requests carry keys, and nghttp2 copies header fields: what it frees is wiped.
void* takeMemory(std::size_t size, void*) { return std::malloc(size); }
void* takeZeroed(std::size_t count, std::size_t size, void*) { return std::calloc(count, size); }
void freeWiped(void* memory, void*)
{
    if (memory) {
        ::explicit_bzero(memory, ::malloc_usable_size(memory));
        std::free(memory);
    }
}
void* resizeWiped(void* memory, std::size_t size, void* user)
{
    void* const moved = std::malloc(size);
    if (memory && moved) {
        std::memcpy(moved, memory, std::min(size, ::malloc_usable_size(memory)));
        freeWiped(memory, user);
    }
    return moved;
}

std::uint8_t* bytesOf(const std::string& text)
{
    // nghttp2 copies both and writes to neither; its structure is merely not const.
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
}

/// Holds the lower-case names that an array of nghttp2_nv points to.
class NameValues
{
public:
    void add(std::string_view name, const std::string& value, bool secret)
    {
        m_names.push_back(lowerCase(name));
        const std::uint8_t flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
        m_values.push_back({bytesOf(m_names.back()), bytesOf(value), m_names.back().size(), value.size(), flags});
    }
    const nghttp2_nv* data() const { return m_values.data(); }
    std::size_t size() const { return m_values.size(); }

private:
    std::deque<std::string> m_names;
    std::vector<nghttp2_nv> m_values;
};

bool isUsable(std::string_view name, const std::string& value)
{
    const std::string lower = lowerCase(name);
    return nghttp2_check_header_name(bytesOf(lower), lower.size()) != 0
           && nghttp2_check_header_value(bytesOf(value), value.size()) != 0;
}

} // namespace

struct Http2Codec::Callbacks
{
    static Http2Codec& self(void* user) { return *static_cast<Http2Codec*>(user); }

    static int beginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user)
    {
        Http2Codec& me = self(user);
        me.m_collecting = true;
        if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            auto stream = std::make_shared<Http2Stream>();
            stream->id = frame->hd.stream_id;
            me.m_streams.emplace(stream->id, std::move(stream));
        }
        return 0;
    }

    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t nameSize,
                      const std::uint8_t* value, std::size_t valueSize, std::uint8_t, void* user)
    {
        Http2Codec& me = self(user);
        const Http2StreamPtr stream = me.find(frame->hd.stream_id);
        if (!stream || stream->isClosed) {
            return 0;
        }
        stream->m_headerBytes += nameSize + valueSize + kFieldOverhead;
        if (stream->m_headerBytes > me.m_limits.maxHeaderBytes || ++stream->m_fieldCount > me.m_limits.maxFields) {
            stream->problem = "The header section is too large.";
            stream->problemStatus = 431;
            return 0; // nothing more of it is kept
        }
        std::string key(reinterpret_cast<const char*>(name), nameSize);
        std::string text(reinterpret_cast<const char*>(value), valueSize);
        HeaderList& list = key.starts_with(':') ? stream->m_collecting.pseudo : stream->m_collecting.fields;
        list.add(std::move(key), std::move(text));
        return 0;
    }

    static int invalidHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                             const std::uint8_t*, std::size_t, std::uint8_t, void* user)
    {
        // nghttp2 leaves such a field out. A request is refused for it; a reply does without.
        const Http2StreamPtr stream = self(user).find(frame->hd.stream_id);
        if (stream && self(user).m_role == Role::Server) {
            stream->problem = "A header field has characters that do not belong there.";
            stream->problemStatus = 400;
        }
        return 0;
    }

    static int invalidFrame(nghttp2_session*, const nghttp2_frame* frame, int code, void* user)
    {
        Http2Codec& me = self(user);
        me.m_collecting = false;
        if (me.m_role == Role::Server && frame->hd.type == NGHTTP2_HEADERS && me.m_events.broken) {
            me.m_events.broken(nghttp2_strerror(code));
        }
        return 0;
    }

    static int frameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user)
    {
        Http2Codec& me = self(user);
        if (frame->hd.type == NGHTTP2_GOAWAY) {
            me.m_isShut = true;
        }
        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
            return 0;
        }
        const Http2StreamPtr stream = me.find(frame->hd.stream_id);
        if (frame->hd.type == NGHTTP2_HEADERS) {
            me.m_collecting = false;
        }
        if (!stream || stream->isClosed) {
            return 0;
        }
        stream->peerEnded = stream->peerEnded || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (frame->hd.type == NGHTTP2_HEADERS) {
            me.headersReceived(stream);
        }
        if (stream->changed) {
            stream->changed();
        }
        return 0;
    }

    static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                    void* user)
    {
        Http2Codec& me = self(user);
        const Http2StreamPtr stream = me.find(id);
        if (!stream || stream->isClosed || stream->m_isDropped) {
            nghttp2_session_consume(session, id, size);
            return 0;
        }
        if (stream->m_inboundAt > 64 * 1024) {
            stream->m_inbound.erase(0, stream->m_inboundAt);
            stream->m_inboundAt = 0;
        }
        stream->m_inbound.append(reinterpret_cast<const char*>(bytes), size);
        me.m_buffered += size;
        me.m_windowOwed += size;
        me.openConnectionWindow();
        if (stream->changed) {
            stream->changed();
        }
        return 0;
    }

    static int frameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user)
    {
        const bool carriesEnd = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (!carriesEnd || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
            return 0;
        }
        if (const Http2StreamPtr stream = self(user).find(frame->hd.stream_id)) {
            stream->m_endSent = true;
            if (stream->m_isDropped && !stream->peerEnded) {
                // RFC 9113, section 8.1: after its whole reply a server may stop the request by RST_STREAM with NO_ERROR.
                const std::uint32_t code = self(user).m_role == Role::Server ? kH2NoError : kH2Cancel;
                nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, code);
            }
        }
        return 0;
    }

    static int frameNotSent(nghttp2_session*, const nghttp2_frame* frame, int, void* user)
    {
        // Only a request that never left: its stream is not opened, so nothing else would tell.
        Http2Codec& me = self(user);
        if (frame->hd.type == NGHTTP2_HEADERS && me.m_role == Role::Client) {
            if (const Http2StreamPtr stream = me.find(frame->hd.stream_id)) {
                me.close(stream, kH2RefusedStream);
                me.m_streams.erase(stream->id);
            }
        }
        return 0;
    }

    static int streamClosed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user)
    {
        Http2Codec& me = self(user);
        if (const Http2StreamPtr stream = me.find(id)) {
            me.close(stream, code);
            me.m_streams.erase(id);
        }
        return 0;
    }

    static ssize_t readOutgoing(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                                std::uint32_t* flags, nghttp2_data_source*, void* user)
    {
        const Http2StreamPtr stream = self(user).find(id);
        if (!stream || stream->isClosed) {
            return NGHTTP2_ERR_DEFERRED;
        }
        const std::size_t count = std::min(size, stream->unsent());
        std::memcpy(into, stream->outgoing.data() + stream->outgoingAt, count);
        stream->outgoingAt += count;
        if (stream->unsent() > 0) {
            return static_cast<ssize_t>(count);
        }
        stream->outgoing.clear();
        stream->outgoingAt = 0;
        if (stream->isEnding) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (!stream->endTrailers.fields().empty()) {
                NameValues fields;
                for (const HeaderField& field : stream->endTrailers.fields()) {
                    if (isUsable(field.name, field.value)) {
                        fields.add(field.name, field.value, false);
                    }
                }
                if (fields.size() > 0 && nghttp2_submit_trailer(session, id, fields.data(), fields.size()) == 0) {
                    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                }
            }
        } else if (count == 0) {
            return NGHTTP2_ERR_DEFERRED;
        }
        if (stream->changed) {
            stream->changed();
        }
        return static_cast<ssize_t>(count);
    }
};

Http2Codec::Http2Codec(Role role, const Http2Limits& limits, Events events)
    : m_role(role), m_limits(limits), m_events(std::move(events))
{
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    const std::unique_ptr<nghttp2_session_callbacks, Deleter> callbacksOwner(callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::beginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &Callbacks::invalidHeader);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &Callbacks::invalidFrame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Callbacks::frameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &Callbacks::frameNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::streamClosed);

    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    const std::unique_ptr<nghttp2_option, Deleter> optionOwner(option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, kMaxSentHeader);
    nghttp2_option_set_peer_max_concurrent_streams(option, 100); // until the peer says otherwise
    std::vector<nghttp2_settings_entry> settings{
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, m_limits.streamWindow},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(m_limits.maxHeaderBytes)}};
    if (m_role == Role::Server) {
        nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetsPerSecond);
        nghttp2_session_server_new2(&m_session, callbacks, this, option);
        settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, m_limits.maxStreams});
    } else {
        nghttp2_mem memory = {nullptr, takeMemory, freeWiped, takeZeroed, resizeWiped};
        nghttp2_session_client_new3(&m_session, callbacks, this, option, &memory); // copies `memory`
        settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
    }
    nghttp2_submit_settings(m_session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(m_session, NGHTTP2_FLAG_NONE, 0,
                                          static_cast<std::int32_t>(m_limits.connectionWindow));
}

Http2Codec::~Http2Codec()
{
    abandon();
    nghttp2_session_del(m_session);
}

Result<void> Http2Codec::feed(std::string_view bytes)
{
    const ssize_t taken =
        nghttp2_session_mem_recv(m_session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken < 0) {
        return fail(ErrorCode::Protocol, "The other end broke HTTP/2.", nghttp2_strerror(static_cast<int>(taken)));
    }
    if (nghttp2_session_get_outbound_queue_size(m_session) > kMaxOutboundFrames) {
        return fail(ErrorCode::Protocol, "The other end broke HTTP/2.", "too many frames to answer");
    }
    return {};
}

Result<void> Http2Codec::produce(std::string& out, std::size_t enough)
{
    while (out.size() < enough) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t count = nghttp2_session_mem_send(m_session, &bytes);
        if (count < 0) {
            return fail(ErrorCode::Internal, "HTTP/2 failed.", nghttp2_strerror(static_cast<int>(count)));
        }
        if (count == 0) {
            break;
        }
        out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    }
    return {};
}

bool Http2Codec::isOver() const
{
    return nghttp2_session_want_read(m_session) == 0 && nghttp2_session_want_write(m_session) == 0;
}

bool Http2Codec::wantsOutput() const { return nghttp2_session_want_write(m_session) != 0; }

Result<Http2StreamPtr> Http2Codec::request(const HeaderList& pseudo, const HeaderList& fields, bool hasBody, bool secret)
{
    NameValues all;
    for (const HeaderList* list : {&pseudo, &fields}) {
        for (const HeaderField& field : list->fields()) {
            const bool isPseudo = list == &pseudo;
            if (!isPseudo && !isUsable(field.name, field.value)) {
                return fail(ErrorCode::InvalidArgument, "A header field cannot be sent by HTTP/2.", field.name);
            }
            all.add(field.name, field.value, secret && !isPseudo);
        }
    }
    nghttp2_data_provider source{};
    source.read_callback = &Callbacks::readOutgoing;
    const std::int32_t id =
        nghttp2_submit_request(m_session, nullptr, all.data(), all.size(), hasBody ? &source : nullptr, nullptr);
    if (id < 0) {
        return fail(ErrorCode::Closed, "The connection takes no more requests.", nghttp2_strerror(id));
    }
    auto stream = std::make_shared<Http2Stream>();
    stream->id = id;
    stream->m_isSending = hasBody;
    stream->isEnding = !hasBody;
    m_streams.emplace(id, stream);
    wantOutput();
    return stream;
}

Result<void> Http2Codec::respond(const Http2StreamPtr& stream, int status, const HeaderList& fields, bool endsHere)
{
    if (stream->isClosed || stream->m_isSending) {
        return fail(ErrorCode::Closed, "The stream takes no reply.");
    }
    NameValues all;
    const std::string code = std::to_string(status);
    all.add(":status", code, false);
    for (const HeaderField& field : fields.fields()) {
        if (isUsable(field.name, field.value)) {
            all.add(field.name, field.value, false);
        }
    }
    int result = 0;
    if (status / 100 == 1) {
        result = nghttp2_submit_headers(m_session, NGHTTP2_FLAG_NONE, stream->id, nullptr, all.data(), all.size(), nullptr);
    } else {
        nghttp2_data_provider source{};
        source.read_callback = &Callbacks::readOutgoing;
        result = nghttp2_submit_response(m_session, stream->id, all.data(), all.size(), endsHere ? nullptr : &source);
        stream->m_isSending = true;
        stream->isEnding = endsHere;
    }
    if (result != 0) {
        return fail(ErrorCode::Internal, "The connection took no reply.", nghttp2_strerror(result));
    }
    wantOutput();
    return {};
}

void Http2Codec::resume(const Http2StreamPtr& stream)
{
    if (!stream->isClosed) {
        nghttp2_session_resume_data(m_session, stream->id); // an error only says that it was not deferred
        wantOutput();
    }
}

void Http2Codec::reset(const Http2StreamPtr& stream, std::uint32_t code)
{
    if (stream->isClosed || !find(stream->id)) {
        return;
    }
    nghttp2_submit_rst_stream(m_session, NGHTTP2_FLAG_NONE, stream->id, code);
    stream->wasReset = true;
    close(stream, code); // stays in the map until nghttp2 has sent it
    wantOutput();
}

void Http2Codec::consume(const Http2StreamPtr& stream, std::size_t count)
{
    count = std::min(count, stream->inbound().size());
    stream->m_inboundAt += count;
    if (stream->m_inboundAt == stream->m_inbound.size()) {
        stream->m_inbound.clear();
        stream->m_inboundAt = 0;
    }
    m_buffered -= count;
    if (count > 0 && !stream->isClosed && !stream->peerEnded) {
        nghttp2_session_consume_stream(m_session, stream->id, count);
    }
    openConnectionWindow();
    if (count > 0 && wantsOutput()) {
        wantOutput();
    }
}

void Http2Codec::drop(const Http2StreamPtr& stream)
{
    stream->changed = nullptr;
    discard(*stream);
    if (stream->isClosed) {
        return;
    }
    if (stream->m_isSending && stream->isEnding && !stream->m_endSent) {
        stream->m_isDropped = true; // frameSent() goes on from here
        return;
    }
    if (stream->m_endSent && stream->peerEnded) {
        return;
    }
    reset(stream, m_role == Role::Server && stream->m_endSent ? kH2NoError : kH2Cancel);
}

void Http2Codec::shutDown(std::uint32_t code)
{
    m_isShut = true;
    nghttp2_submit_goaway(m_session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(m_session), code, nullptr, 0);
    wantOutput();
}

void Http2Codec::abandon()
{
    m_isShut = true;
    m_events.outputWanted = nullptr;
    const auto streams = std::move(m_streams);
    m_streams.clear();
    for (const auto& [id, stream] : streams) {
        if (!stream->isClosed) {
            stream->wasReset = true;
            close(stream, kH2Cancel);
        }
    }
}

bool Http2Codec::hasRoom() const
{
    const std::uint32_t most = nghttp2_session_get_remote_settings(m_session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return !m_isShut && nghttp2_session_check_request_allowed(m_session) != 0 && m_streams.size() < std::min(most, 1000u);
}

Http2StreamPtr Http2Codec::find(std::int32_t id) const
{
    const auto entry = m_streams.find(id);
    return entry == m_streams.end() ? nullptr : entry->second;
}

void Http2Codec::headersReceived(const Http2StreamPtr& stream)
{
    Http2Head head = std::move(stream->m_collecting);
    stream->m_collecting = {};
    if (stream->isHeadComplete) {
        stream->trailers = std::move(head.fields);
        return;
    }
    const std::string* status = head.pseudo.find(":status");
    const bool interim = status && status->starts_with('1');
    stream->heads.push_back(std::move(head));
    if (stream->heads.size() > m_limits.maxHeads) {
        stream->problem = "There were too many interim replies.";
    }
    if (interim) {
        return;
    }
    stream->isHeadComplete = true;
    if (m_role == Role::Server && m_events.request) {
        m_events.request(stream);
    }
}

void Http2Codec::close(const Http2StreamPtr& stream, std::uint32_t code)
{
    if (stream->isClosed) {
        return;
    }
    stream->isClosed = true;
    stream->errorCode = code;
    stream->wasReset = stream->wasReset || code != kH2NoError || !stream->peerEnded;
    stream->outgoing = std::string();
    stream->outgoingAt = 0;
    if (!stream->peerEnded || stream->m_isDropped) {
        discard(*stream); // half a message is none; a whole one can still be read
    }
    if (stream->changed) {
        stream->changed();
    }
}

void Http2Codec::discard(Http2Stream& stream)
{
    const std::size_t count = stream.inbound().size();
    stream.m_inbound = std::string();
    stream.m_inboundAt = 0;
    m_buffered -= count;
    if (count > 0 && !stream.isClosed && !stream.peerEnded) {
        nghttp2_session_consume_stream(m_session, stream.id, count);
    }
    openConnectionWindow();
}

void Http2Codec::openConnectionWindow()
{
    // While readers keep up the connection's window never holds anyone up; when they do not, it bounds what is held here.
    if (m_windowOwed > 0 && m_buffered <= m_limits.maxBuffered) {
        nghttp2_session_consume_connection(m_session, m_windowOwed);
        m_windowOwed = 0;
    }
}

void Http2Codec::wantOutput()
{
    if (m_events.outputWanted) {
        m_events.outputWanted();
    }
}

} // namespace coldframe::proxy
