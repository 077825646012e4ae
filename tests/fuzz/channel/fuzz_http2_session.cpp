// SPDX-License-Identifier: Apache-2.0
#include "channel/http2_session.h"

#include <cstdlib>
#include <vector>

using namespace coldframe::channel;

namespace {

/// What the proxy and the guest agent do with a session, in small.
class Owner
{
public:
    explicit Owner(Role role)
    {
        Options options;
        options.role = role;
        options.maxStreams = 32;
        options.maxBufferedBytes = 64 * 1024;
        options.maxHeaderBytes = 8 * 1024;
        m_limit = options.maxBufferedBytes * 2 + 2 * options.streamWindow;
        Http2Session::Events events;
        events.incoming = [this](const Http2StreamPtr& stream) { m_streams.push_back(stream); };
        m_session = std::make_unique<Http2Session>(role, options, std::move(events));
        if (role == Role::Client) {
            for (int i = 0; i < 3; ++i) {
                const Headers headers{{":method", "CONNECT"}, {":authority", "example.org:443"}};
                if (auto stream = m_session->request(headers, false)) {
                    m_streams.push_back(*stream);
                }
            }
        }
    }

    bool take(std::span<const std::uint8_t> bytes, std::uint8_t mood)
    {
        m_out.clear();
        if (!m_session->feed(bytes) || !m_session->produce(m_out, 32 * 1024) || m_session->isOver()) {
            return false;
        }
        if (m_session->bufferedBytes() > m_limit || m_session->streamCount() > 64) {
            std::abort();
        }
        for (std::size_t i = 0; i < m_streams.size(); ++i) {
            treat(i, static_cast<std::uint8_t>(mood >> (i % 4)));
        }
        return true;
    }

private:
    void treat(std::size_t index, std::uint8_t mood)
    {
        const auto stream = m_streams[index];
        std::vector<std::uint8_t> buffer(1000);
        const std::size_t count = stream->take(buffer);
        m_session->consumed(*stream, count);
        if ((mood & 1) != 0) {
            (void)m_session->respond(*stream, {{":status", "200"}}, (mood & 8) != 0);
            if (stream->outgoing.empty() && stream->canSend) {
                m_session->send(*stream, m_answer);
            }
        }
        if ((mood & 2) != 0) {
            m_session->finish(*stream);
        }
        if ((mood & 4) != 0) {
            m_session->reset(*stream, kHttp2ConnectError);
        }
        if ((mood & 16) != 0 || stream->isClosed) {
            m_session->drop(stream);
            m_streams.erase(m_streams.begin() + static_cast<std::ptrdiff_t>(index));
        }
    }

    std::vector<std::uint8_t> m_answer = std::vector<std::uint8_t>(3000, 'a');
    std::vector<Http2StreamPtr> m_streams;
    std::unique_ptr<Http2Session> m_session;
    std::string m_out;
    std::size_t m_limit = 0;
};

} // namespace

/// Byte 0 picks the role and whether a server's peer said its preface, byte 1 what the owner does; the rest arrives.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2) {
        return 0;
    }
    const Role role = (data[0] & 1) != 0 ? Role::Server : Role::Client;
    Owner owner(role);
    if (role == Role::Server && (data[0] & 2) != 0) {
        static constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);
        owner.take({reinterpret_cast<const std::uint8_t*>(kPreface.data()), kPreface.size()}, 0);
    }
    std::span<const std::uint8_t> rest(data + 2, size - 2);
    std::uint8_t mood = data[1];
    while (!rest.empty()) {
        const auto part = rest.first(std::min<std::size_t>(rest.size(), 200));
        rest = rest.subspan(part.size());
        if (!owner.take(part, mood)) {
            break;
        }
        mood = static_cast<std::uint8_t>(mood * 7 + 3);
    }
    return 0;
}
