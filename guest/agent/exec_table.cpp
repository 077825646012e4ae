// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/exec_table.h"

#include "guest/agent/encoding.h"

#include <algorithm>
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

std::string requestOf(const channel::Stream& stream)
{
    const auto& headers = stream.peerHeaders();
    const auto header = headers.find("x-coldframe-exec");
    return header == headers.end() ? std::string() : header->second;
}

} // namespace

asio::awaitable<void> ExecTable::serve(channel::StreamPtr stream)
{
    Result<Found> found = findOrStart(requestOf(*stream));
    co_await serve(stream, std::move(found));
}

asio::awaitable<void> ExecTable::serveAttach(channel::StreamPtr stream)
{
    Result<Found> found = find(requestOf(*stream));
    co_await serve(stream, std::move(found));
}

asio::awaitable<void> ExecTable::serve(channel::StreamPtr stream, Result<Found> found)
{
    const auto answered = stream->respond({{":status", "200"}});
    if (!answered) {
        co_return;
    }
    if (!found) {
        const std::string frame = failureFrame(found.error());
        const auto written = co_await stream->write(
            std::span(reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()));
        if (written) {
            stream->finish();
        }
        co_return;
    }
    const std::shared_ptr<ExecSession> session = found->session;
    co_await session->attach(stream, found->how);
}

Result<ExecTable::Found> ExecTable::findOrStart(const std::string& header)
{
    COLDFRAME_TRY(const std::string json, decodeBase64(header));
    COLDFRAME_TRY(const ExecRequest request, parseExecRequest(json));
    const AttachRequest how{request.id, false, request.rows, request.columns};
    if (const auto found = m_entries.find(request.id); found != m_entries.end()) {
        return Found{found->second.session, how};
    }
    COLDFRAME_CHECK(makeRoom());
    COLDFRAME_TRY(SpawnSpec spec, m_prepare(request));
    const UniqueFd group = m_entrance ? m_entrance() : UniqueFd();
    spec.controlGroup = group.get();
    COLDFRAME_TRY(auto session, ExecSession::start(m_io, m_reaper, request, std::move(spec)));
    session->explainFailureBy(m_reason);
    m_entries[request.id] = {session, ++m_started, request.label, request.isAgent, std::chrono::steady_clock::now()};
    return Found{session, how};
}

Result<ExecTable::Found> ExecTable::find(const std::string& header) const
{
    COLDFRAME_TRY(const std::string json, decodeBase64(header));
    COLDFRAME_TRY(const AttachRequest request, parseAttachRequest(json));
    const auto found = m_entries.find(request.id);
    if (found == m_entries.end()) {
        return fail(ErrorCode::NotFound, "This session is not there any more.");
    }
    return Found{found->second.session, request};
}

std::string ExecTable::listJson() const
{
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [id, entry] : m_entries) {
        const ExecSession& session = *entry.session;
        if (!session.isKept() || (session.hasEnded() && session.isDelivered())) {
            continue;
        }
        const std::chrono::duration<double> age = std::chrono::steady_clock::now() - entry.started;
        const ExecExit exit = session.exit();
        list.push_back({{"id", id},
                        {"label", entry.label},
                        {"agent", entry.isAgent},
                        {"number", entry.number},
                        {"ageSeconds", age.count()},
                        {"tty", session.hasTerminal()},
                        {"rows", session.rows()},
                        {"columns", session.columns()},
                        {"viewers", session.viewerCount()},
                        {"ended", session.hasEnded()},
                        {"exitCode", session.hasEnded() ? exit.exitCode : 0},
                        {"signal", session.hasEnded() ? exit.signal : 0}});
    }
    return nlohmann::json{{"sessions", list}}.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::size_t ExecTable::runningCount() const
{
    return static_cast<std::size_t>(
        std::count_if(m_entries.begin(), m_entries.end(), [](const auto& entry) { return !entry.second.session->hasEnded(); }));
}

void ExecTable::say(const std::string& text)
{
    for (const auto& [id, entry] : m_entries) {
        entry.session->say(text);
    }
}

asio::awaitable<Result<void>> ExecTable::end(std::string id)
{
    const auto found = m_entries.find(id);
    if (found == m_entries.end()) {
        co_return fail(ErrorCode::NotFound, "This session is not there any more.");
    }
    const std::shared_ptr<ExecSession> session = found->second.session;
    co_await session->end();
    co_return Result<void>();
}

Result<void> ExecTable::makeRoom()
{
    const auto ended = std::count_if(m_entries.begin(), m_entries.end(), [](const auto& entry) { return entry.second.session->hasEnded(); });
    if (m_entries.size() < kMaxSessions && static_cast<std::size_t>(ended) < kMaxEnded) {
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

} // namespace coldframe::guest
