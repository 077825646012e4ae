// SPDX-License-Identifier: Apache-2.0
#include "proxy/upstream_pool.h"

#include "proxy/streams.h"
#include "proxy/tls_stream.h"

namespace coldframe::proxy {

namespace {

bool isQuiet(const Upstream& upstream)
{
    if (!upstream.reader->view().empty()) {
        return false;
    }
    const ByteStream& stream = *upstream.reader->stream();
    if (const auto* tls = dynamic_cast<const TlsStream*>(&stream)) {
        return isSocketQuiet(tls->under());
    }
    return isSocketQuiet(stream);
}

} // namespace

UpstreamPool::UpstreamPool(asio::io_context& io, Limits limits)
    : m_io(io), m_limits(limits), m_timer(std::make_shared<Watchdog>(io))
{
}

UpstreamPool::~UpstreamPool() { clear(); }

std::string UpstreamPool::keyFor(bool secure, const std::string& host, std::uint16_t port, const std::string& service)
{
    return (secure ? "https " : "http ") + host + " " + std::to_string(port) + " " + service;
}

std::optional<Upstream> UpstreamPool::take(const std::string& key)
{
    for (auto it = m_idle.end(); it != m_idle.begin();) {
        --it;
        if (it->key != key) {
            continue;
        }
        Upstream upstream = std::move(it->upstream);
        it = m_idle.erase(it);
        // Bytes nobody asked for, or an end: not to be trusted with another request.
        if (isQuiet(upstream)) {
            upstream.reused = true;
            return upstream;
        }
        upstream.reader->stream()->abort();
    }
    return std::nullopt;
}

void UpstreamPool::give(const std::string& key, Upstream upstream)
{
    while (m_idle.size() >= m_limits.maxIdleUpstreams) {
        m_idle.front().upstream.reader->stream()->abort();
        m_idle.pop_front();
    }
    const bool wasEmpty = m_idle.empty();
    m_idle.push_back({key, std::move(upstream), std::chrono::steady_clock::now()});
    if (wasEmpty) {
        schedule();
    }
}

void UpstreamPool::schedule()
{
    m_timer->arm(m_limits.upstreamIdle, [this] { expire(); });
}

void UpstreamPool::expire()
{
    const auto now = std::chrono::steady_clock::now();
    while (!m_idle.empty() && now - m_idle.front().since >= m_limits.upstreamIdle) {
        m_idle.front().upstream.reader->stream()->abort();
        m_idle.pop_front();
    }
    if (!m_idle.empty()) {
        schedule();
    }
}

void UpstreamPool::clear()
{
    m_timer->disarm();
    for (Idle& idle : m_idle) {
        idle.upstream.reader->stream()->abort();
    }
    m_idle.clear();
}

} // namespace coldframe::proxy
