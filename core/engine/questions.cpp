// SPDX-License-Identifier: Apache-2.0
#include "engine/questions.h"

#include "base/clock.h"
#include "base/random.h"

#include <libpsl.h>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kMostRefusals = 1000;

std::string keyOf(const Question& question)
{
    return question.sandbox + ' ' + question.host + ' ' + std::to_string(question.port);
}

bool isAddress(const std::string& host) { return policy::parseIp(host).has_value(); }

} // namespace

struct Questions::Waiting
{
    Waiting(asio::io_context& io, Question asked, Reply answer, std::chrono::milliseconds within)
        : question(std::move(asked)), reply(std::move(answer)), end(Clock::now() + within), timer(io, within)
    {
    }
    Question question;
    Reply reply;
    Clock::time_point end;
    asio::steady_timer timer;

    json shown(const std::string& id) const
    {
        const auto left = std::chrono::duration_cast<std::chrono::seconds>(end - Clock::now()).count();
        return {{"id", id},
                {"sandbox", question.sandbox},
                {"host", question.host},
                {"port", question.port},
                {"domain", registrableDomain(question.host)},
                {"protocol", question.protocol},
                {"method", question.method},
                {"path", question.path},
                {"source", question.source},
                {"secondsLeft", std::max<std::int64_t>(left, 0)}};
    }
};

Result<Answer> answerFrom(const json& params)
{
    Answer answer;
    const std::string verdict = params.at("verdict").get<std::string>();
    if (verdict != "allow" && verdict != "deny") {
        return fail(ErrorCode::InvalidArgument, "An answer's verdict must be allow or deny.");
    }
    answer.allow = verdict == "allow";
    const std::string span = params.value("for", "once");
    if (span == "once") {
        answer.span = Answer::For::Once;
    } else if (span == "session") {
        answer.span = Answer::For::Session;
    } else if (span == "sandbox") {
        answer.span = Answer::For::Sandbox;
    } else if (span == "always") {
        answer.span = Answer::For::Always;
    } else {
        return fail(ErrorCode::InvalidArgument, "An answer holds for: once, session, sandbox or always.");
    }
    const std::string what = params.value("what", "host");
    if (what != "host" && what != "domain") {
        return fail(ErrorCode::InvalidArgument, "An answer is about the host or its whole domain.");
    }
    answer.wholeDomain = what == "domain";
    return answer;
}

std::string registrableDomain(const std::string& host)
{
    if (isAddress(host)) {
        return {};
    }
    const char* domain = psl_registrable_domain(psl_builtin(), host.c_str());
    return domain != nullptr ? domain : std::string();
}

std::vector<std::string> patternsOf(const Question& question, const Answer& answer)
{
    const std::string domain = answer.wholeDomain ? registrableDomain(question.host) : std::string();
    if (!domain.empty()) {
        return {domain, "*." + domain};
    }
    const bool isV6 = question.host.find(':') != std::string::npos;
    return {(isV6 ? '[' + question.host + ']' : question.host) + ':' + std::to_string(question.port)};
}

Questions::Questions(asio::io_context& io, Tell tell, std::function<void()> presence)
    : m_io(io), m_tell(std::move(tell)), m_presence(std::move(presence))
{
}

Questions::~Questions()
{
    *m_lives = false;
}

std::shared_ptr<void> Questions::attend()
{
    if (++m_present == 1) {
        m_presence();
    }
    return std::shared_ptr<void>(this, [this, lives = m_lives](void*) {
        if (*lives) {
            leave();
        }
    });
}

void Questions::leave()
{
    if (--m_present > 0) {
        return;
    }
    while (!m_waiting.empty()) {
        end(m_waiting.begin()->first, false, "absent");
    }
    m_presence();
}

bool Questions::ask(Question question, std::chrono::milliseconds within, Reply reply)
{
    const auto now = Clock::now();
    std::erase_if(m_refused, [now](const auto& entry) { return entry.second <= now; });
    std::size_t ofSandbox = 0;
    for (const auto& [id, waiting] : m_waiting) {
        ofSandbox += waiting->question.sandbox == question.sandbox ? 1 : 0;
    }
    if (m_present == 0 || m_waiting.size() >= kMost || ofSandbox >= kMostPerSandbox || m_refused.contains(keyOf(question))) {
        reply(false);
        return false;
    }
    const std::string id = randomHex(8);
    const auto waiting = std::make_shared<Waiting>(m_io, std::move(question), std::move(reply), within);
    m_waiting.emplace(id, waiting);
    waiting->timer.async_wait([this, lives = m_lives, id](std::error_code error) {
        if (!error && *lives) {
            end(id, false, "timeout");
        }
    });
    m_tell({{"type", "ask"}, {"question", waiting->shown(id)}});
    return true;
}

Result<std::pair<Question, Questions::Reply>> Questions::take(const std::string& id, bool allow)
{
    const auto found = m_waiting.find(id);
    if (found == m_waiting.end()) {
        return fail(ErrorCode::NotFound, "This question waits no longer: it was answered, or nobody answered in time.");
    }
    const std::shared_ptr<Waiting> waiting = found->second;
    m_waiting.erase(found);
    waiting->timer.cancel();
    if (!allow && m_refused.size() < kMostRefusals) {
        m_refused[keyOf(waiting->question)] = Clock::now() + kQuietAfterNo;
    }
    m_tell({{"type", "ask.done"}, {"id", id}, {"sandbox", waiting->question.sandbox}, {"verdict", allow ? "allow" : "deny"}, {"by", "user"}});
    return std::pair(waiting->question, std::move(waiting->reply));
}

void Questions::end(const std::string& id, bool allow, const char* why)
{
    const auto found = m_waiting.find(id);
    if (found == m_waiting.end()) {
        return;
    }
    const std::shared_ptr<Waiting> waiting = found->second;
    m_waiting.erase(found);
    waiting->timer.cancel();
    // Nobody was there for this one: the same again and again would only be shown again and again.
    if (std::string_view(why) == "timeout" && m_refused.size() < kMostRefusals) {
        m_refused[keyOf(waiting->question)] = Clock::now() + kQuietAfterNo;
    }
    m_tell({{"type", "ask.done"}, {"id", id}, {"sandbox", waiting->question.sandbox}, {"verdict", allow ? "allow" : "deny"}, {"by", why}});
    waiting->reply(allow);
}

void Questions::reconsider(const std::string& sandbox, const std::function<std::optional<bool>(const Question&)>& decide)
{
    std::vector<std::pair<std::string, bool>> decided;
    for (const auto& [id, waiting] : m_waiting) {
        const std::optional<bool> verdict = waiting->question.sandbox == sandbox ? decide(waiting->question) : std::nullopt;
        if (verdict) {
            decided.emplace_back(id, *verdict);
        }
    }
    for (const auto& [id, allow] : decided) {
        end(id, allow, "rule");
    }
}

void Questions::forget(const std::string& sandbox)
{
    std::vector<std::string> gone;
    for (const auto& [id, waiting] : m_waiting) {
        if (waiting->question.sandbox == sandbox) {
            gone.push_back(id);
        }
    }
    for (const std::string& id : gone) {
        end(id, false, "gone");
    }
}

json Questions::list() const
{
    json all = json::array();
    for (const auto& [id, waiting] : m_waiting) {
        all.push_back(waiting->shown(id));
    }
    return all;
}

} // namespace coldframe::engine
