// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "policy/policy.h"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::engine {

/// What a sandbox wants to reach and no rule speaks of, as its proxy tells. Host and the rest are the guest's choice: shown, never believed.
struct Question
{
    std::string sandbox; ///< id
    std::string host;    ///< as normaliseHost() makes it
    std::uint16_t port = 0;
    std::string protocol; ///< "http", "https", "tcp"
    std::string method;
    std::string path;
    std::string source; ///< what asked inside, where that is known
};

/// How somebody answered.
struct Answer
{
    enum class For { Once, Session, Sandbox, Always };
    bool allow = false;
    For span = For::Once;
    bool wholeDomain = false; ///< the registrable domain and all below it, not this host and port alone
};

/// network.answer's parameters. InvalidArgument names what is wrong.
Result<Answer> answerFrom(const nlohmann::json& params);

/// The registrable domain of a host ("example.co.uk" of "api.example.co.uk", by the public suffix list); empty for addresses, for single
/// labels and for public suffixes themselves.
std::string registrableDomain(const std::string& host);

/// The patterns of an answer's rules.
std::vector<std::string> patternsOf(const Question& question, const Answer& answer);

/// Questions of running sandboxes to the user, while somebody is there to answer. Nobody, too many, no answer in time, or a no just
/// now: no. On the io_context's thread.
class Questions
{
public:
    static constexpr std::size_t kMostPerSandbox = 8;
    static constexpr std::size_t kMost = 32;
    static constexpr std::chrono::seconds kQuietAfterNo{60}; ///< the same is not asked again for so long

    using Reply = std::function<void(bool allow)>;
    using Tell = std::function<void(const nlohmann::json& event)>;

    /// `presence` is called when the first comes who can answer, or the last one goes.
    Questions(asio::io_context& io, Tell tell, std::function<void()> presence);
    ~Questions();
    Questions(const Questions&) = delete;
    Questions& operator=(const Questions&) = delete;

    bool isSomebodyThere() const { return m_present > 0; }
    /// While what it answers lives somebody is there.
    std::shared_ptr<void> attend();

    /// `reply` is called exactly once, at the latest after `within`, unless this object ends before. False: it was at once, with a no.
    bool ask(Question question, std::chrono::milliseconds within, Reply reply);
    /// The question, which waits no longer; its reply is the caller's to give (after the rules were made). NotFound: answered, or too late.
    Result<std::pair<Question, Reply>> take(const std::string& id, bool allow);
    /// Ends those of a sandbox that `decide` has a yes or a no for: rules may have come about meanwhile.
    void reconsider(const std::string& sandbox, const std::function<std::optional<bool>(const Question&)>& decide);
    /// Its microVM or its proxy is gone.
    void forget(const std::string& sandbox);
    nlohmann::json list() const;

private:
    struct Waiting;
    void end(const std::string& id, bool allow, const char* why);
    void leave();

    asio::io_context& m_io;
    Tell m_tell;
    std::function<void()> m_presence;
    std::map<std::string, std::shared_ptr<Waiting>> m_waiting; ///< by id
    std::map<std::string, std::chrono::steady_clock::time_point> m_refused; ///< until when, by sandbox, host and port
    std::shared_ptr<bool> m_lives = std::make_shared<bool>(true);
    int m_present = 0;
};

} // namespace coldframe::engine
