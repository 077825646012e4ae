// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/exec_table.h"

#include "guest/agent/encoding.h"

#include <nlohmann/json.hpp>

namespace coldframe::guest {

namespace {

std::string failureFrame(const Error& error)
{
    const nlohmann::json body{
        {"code", errorCodeName(error.code)}, {"message", error.message}, {"detail", error.detail}};
    return encodeExecFrame(ExecFrameType::Failure,
                           body.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

} // namespace

asio::awaitable<void> ExecTable::serve(channel::StreamPtr stream)
{
    const auto& headers = stream->peerHeaders();
    const auto header = headers.find("x-coldframe-exec");
    auto session = findOrStart(header == headers.end() ? std::string() : header->second);
    const auto answered = stream->respond({{":status", "200"}});
    if (!answered) {
        co_return;
    }
    if (!session) {
        const std::string frame = failureFrame(session.error());
        const auto written = co_await stream->write(
            std::span(reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()));
        if (written) {
            stream->finish();
        }
        co_return;
    }
    const std::shared_ptr<ExecSession> running = *session;
    co_await running->attach(stream);
}

Result<std::shared_ptr<ExecSession>> ExecTable::findOrStart(const std::string& header)
{
    COLDFRAME_TRY(const std::string json, decodeBase64(header));
    COLDFRAME_TRY(const ExecRequest request, parseExecRequest(json));
    if (const auto found = m_entries.find(request.id); found != m_entries.end()) {
        return found->second.session;
    }
    COLDFRAME_CHECK(makeRoom());
    COLDFRAME_TRY(SpawnSpec spec, m_prepare(request));
    COLDFRAME_TRY(auto session, ExecSession::start(m_io, m_reaper, request, std::move(spec)));
    m_entries[request.id] = {session, ++m_started};
    return session;
}

Result<void> ExecTable::makeRoom()
{
    if (m_entries.size() < kMaxSessions) {
        return {};
    }
    auto victim = m_entries.end();
    for (auto entry = m_entries.begin(); entry != m_entries.end(); ++entry) {
        if (!entry->second.session->hasEnded()) {
            continue;
        }
        const auto rank = [](const Entry& e) { return std::pair(!e.session->isDelivered(), e.number); };
        if (victim == m_entries.end() || rank(entry->second) < rank(victim->second)) {
            victim = entry;
        }
    }
    if (victim == m_entries.end()) {
        return fail(ErrorCode::Busy, "256 programs run in this sandbox already; end one of them first.");
    }
    m_entries.erase(victim);
    return {};
}

std::size_t ExecTable::runningCount() const
{
    std::size_t count = 0;
    for (const auto& [id, entry] : m_entries) {
        count += entry.session->hasEnded() ? 0 : 1;
    }
    return count;
}

} // namespace coldframe::guest
