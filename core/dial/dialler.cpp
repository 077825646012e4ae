// SPDX-License-Identifier: Apache-2.0
#include "dial/dialler.h"

#include "base/log.h"
#include "base/secret.h"
#include "dial/connect.h"
#include "dial/messages.h"
#include "dial/own_address.h"
#include "dial/router.h"
#include "policy/address_class.h"
#include "policy/pattern.h"
#include "policy/policy_index.h"

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <fcntl.h>
#include <sys/socket.h>

namespace coldframe::dial {

namespace {

using policy::Decision;
using policy::Destination;
using policy::IpAddress;
using policy::Verdict;

constexpr std::size_t kMaxLine = 16u << 20;
constexpr std::size_t kMaxQueuedReplies = 1024;
constexpr std::size_t kMaxTargets = 8;

void setNonBlocking(int fd)
{
    (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// Families alternate, the resolver's first family first (RFC 8305 4).
std::vector<IpAddress> interleaved(const std::vector<IpAddress>& addresses)
{
    const auto isV4 = [](const IpAddress& address) { return address[10] == 0xff && address[11] == 0xff && address[0] == 0; };
    std::vector<IpAddress> first;
    std::vector<IpAddress> second;
    for (const IpAddress& address : addresses) {
        (isV4(address) == isV4(addresses.front()) ? first : second).push_back(address);
    }
    std::vector<IpAddress> result;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) {
            result.push_back(first[i]);
        }
        if (i < second.size()) {
            result.push_back(second[i]);
        }
    }
    return result;
}

/// A token bucket; time from the steady clock.
class RateCap
{
public:
    RateCap(unsigned perSecond, unsigned burst) : m_perSecond(perSecond), m_burst(burst), m_tokens(burst) {}

    bool take()
    {
        const auto now = std::chrono::steady_clock::now();
        m_tokens = std::min(m_burst, m_tokens + std::chrono::duration<double>(now - m_last).count() * m_perSecond);
        m_last = now;
        if (m_tokens < 1) {
            return false;
        }
        m_tokens -= 1;
        return true;
    }

private:
    double m_perSecond;
    double m_burst;
    double m_tokens;
    std::chrono::steady_clock::time_point m_last = std::chrono::steady_clock::now();
};

} // namespace

class Dialler::Impl : public std::enable_shared_from_this<Impl>
{
public:
    Impl(asio::io_context& io, UniqueFd engineFd, UniqueFd proxyFd, std::unique_ptr<Resolver> resolver, DialLimits limits,
         std::function<void()> finished, UniqueFd scripts)
        : m_io(io), m_engine(io), m_proxy(io), m_resolver(std::move(resolver)), m_limits(limits),
          m_rate(limits.perSecond, limits.burst), m_finished(std::move(finished)),
          m_router(std::make_shared<Router>(io, *m_resolver, std::move(scripts), limits))
    {
        setNonBlocking(engineFd.get());
        setNonBlocking(proxyFd.get());
        m_engine.assign(engineFd.release());
        m_proxy.assign(proxyFd.release());
    }

    void start()
    {
        waitForEngine();
        waitForProxy();
    }

    void stop()
    {
        asio::error_code ignored;
        m_engine.close(ignored);
        m_proxy.close(ignored);
        m_finished = nullptr;
    }

private:
    // --- the engine's side

    void waitForEngine()
    {
        m_engine.async_wait(asio::posix::stream_descriptor::wait_read,
                            [self = shared_from_this()](const asio::error_code& error) {
                                if (!error) {
                                    self->readEngine();
                                    if (self->m_engine.is_open()) {
                                        self->waitForEngine();
                                    }
                                }
                            });
    }

    /// Takes everything that has arrived; never waits.
    void readEngine()
    {
        char buffer[65536];
        while (m_engine.is_open()) {
            const ssize_t count = ::read(m_engine.native_handle(), buffer, sizeof buffer);
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                return;
            }
            if (count <= 0) {
                loseEngine("the engine has gone; the last policy stays");
                return;
            }
            m_engineText.append(buffer, static_cast<std::size_t>(count));
            if (m_passwordLength) {
                ::explicit_bzero(buffer, sizeof buffer);
            }
            takeEngineText();
            if (m_engineText.size() > kMaxLine) {
                loseEngine("the engine sent a line that is too long");
                return;
            }
        }
    }

    void takeEngineText()
    {
        std::size_t start = 0;
        while (true) {
            if (m_passwordLength) {
                if (m_engineText.size() - start < *m_passwordLength) {
                    break;
                }
                m_router->setPassword(SecretBuffer(std::string_view(m_engineText).substr(start, *m_passwordLength)));
                ::explicit_bzero(m_engineText.data() + start, *m_passwordLength);
                start += *std::exchange(m_passwordLength, std::nullopt);
                continue;
            }
            const std::size_t end = m_engineText.find('\n', start);
            if (end == std::string::npos) {
                break;
            }
            onEngineLine(std::string_view(m_engineText).substr(start, end - start));
            start = end + 1;
        }
        m_engineText.erase(0, start);
    }

    void loseEngine(std::string_view why)
    {
        logWarning("dial", why);
        asio::error_code ignored;
        m_engine.close(ignored);
        if (m_policy) {
            policy::PolicySet alone = m_policy->set();
            alone.canAsk = false;
            m_policy = std::make_unique<policy::PolicyIndex>(std::move(alone));
        }
    }

    void onEngineLine(std::string_view line)
    {
        auto message = parseEngineLine(line);
        if (!message) {
            // A policy that cannot be read must not leave an older, perhaps wider one in force.
            logError("dial", message.error().message);
            m_policy.reset();
            return;
        }
        switch (message->type) {
        case EngineLine::Type::Policy:
            m_policy = std::make_unique<policy::PolicyIndex>(std::move(message->policy));
            if (!std::exchange(m_saidReady, true)) {
                constexpr std::string_view kReady = "{\"type\":\"ready\"}\n";
                (void)::send(m_engine.native_handle(), kReady.data(), kReady.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            }
            break;
        case EngineLine::Type::Route:
            m_router->setRoute(std::move(message->route));
            break;
        case EngineLine::Type::RoutePassword:
            m_passwordLength = message->length;
            m_engineText.reserve(m_engineText.size() + message->length + 65536); // no copy of it is left by a reallocation
            break;
        case EngineLine::Type::Shutdown:
            finish();
            break;
        }
    }

    // --- the proxy's side

    void waitForProxy()
    {
        m_proxy.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const asio::error_code& error) {
                               if (!error && self->readProxy()) {
                                   self->waitForProxy();
                               }
                           });
    }

    /// False when the proxy has gone.
    bool readProxy()
    {
        for (;;) {
            char packet[kMaxPacket + 1];
            const ssize_t count = ::recv(m_proxy.native_handle(), packet, sizeof packet, MSG_DONTWAIT);
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                return true;
            }
            if (count <= 0) {
                finish();
                return false;
            }
            onPacket({packet, static_cast<std::size_t>(count)});
            if (!m_proxy.is_open()) {
                return false;
            }
        }
    }

    void finish()
    {
        asio::error_code ignored;
        m_proxy.close(ignored);
        if (const auto finished = std::exchange(m_finished, nullptr)) {
            finished();
        }
    }

    void onPacket(std::string_view packet)
    {
        const auto request = parseRequest(packet);
        if (!request) {
            logWarning("dial", request.error().message);
            return;
        }
        if (!m_rate.take() || m_pending >= m_limits.maxPending) {
            refuse(*request, "Too many connections are being opened at once; open fewer and try again later.", "connection limit");
            return;
        }
        // An approval that the engine wrote before it answered the proxy is already in the socket.
        readEngine();
        const auto destination = allowed(*request);
        if (!destination) {
            return;
        }
        ++m_pending;
        if (const policy::HostMapping* mapping = m_policy->mappingFor(*destination)) {
            const auto address = policy::parseIp(mapping->address);
            connectChecked(*request, *destination, address ? std::vector{*address} : std::vector<IpAddress>());
        } else if (policy::isLoopbackName(destination->host)) {
            connectChecked(*request, *destination, {*policy::parseIp("127.0.0.1"), *policy::parseIp("::1")});
        } else if (m_router->mayUseProxy(destination->host, destination->port)) {
            goThroughProxy(*request, *destination);
        } else {
            connectDirectly(*request, *destination);
        }
    }

    void connectDirectly(const Request& request, const Destination& destination)
    {
        if (const auto literal = policy::parseIp(destination.host)) {
            connectChecked(request, destination, {*literal});
        } else {
            resolve(request, destination);
        }
    }

    // --- by a proxy of the user's network

    /// Where addresses cannot be checked, somebody must have named the host.
    bool isNamed(const Destination& destination) const
    {
        const Decision decision = m_policy->decide(destination, utcNow());
        const auto rule = std::find_if(m_policy->set().rules.begin(), m_policy->set().rules.end(), [&](const policy::Rule& candidate) {
            return !decision.ruleId.empty() && candidate.id == decision.ruleId && candidate.action == policy::Action::Allow;
        });
        if (rule == m_policy->set().rules.end()) {
            return false;
        }
        const auto pattern = policy::parse(rule->pattern);
        return pattern && pattern->kind != policy::Pattern::Kind::All;
    }

    /// Empty when it may go on; else why not. An address that is known is checked here as always.
    Decision checkForProxy(const Destination& destination) const
    {
        Decision decision;
        decision.verdict = Verdict::Allow;
        if (const auto literal = policy::parseIp(destination.host)) {
            decision = m_policy->checkAddress(destination, *literal, utcNow());
            if (decision.verdict == Verdict::Allow) {
                checkOwnAddress(decision, destination, *literal);
            }
        }
        if (decision.verdict == Verdict::Allow && !isNamed(destination)) {
            decision.verdict = Verdict::Deny;
            decision.ruleText = "network's proxy";
            decision.reason = destination.host + ":" + std::to_string(destination.port)
                              + " is blocked: connections go through the network's proxy, where addresses cannot be checked, so only"
                                " hosts that a rule names can be reached; ask the user to allow it; retrying does not help.";
        }
        return decision;
    }

    void goThroughProxy(const Request& request, const Destination& destination)
    {
        if (const Decision decision = checkForProxy(destination); decision.verdict != Verdict::Allow) {
            --m_pending;
            refuse(request, decision.reason, decision.ruleText);
            return;
        }
        m_router->open(destination.host, destination.port, [self = shared_from_this(), request, destination](Router::Outcome outcome) {
            // The policy may have changed meanwhile.
            self->readEngine();
            if (!self->allowed(request)) {
                --self->m_pending;
            } else if (outcome.isDirect) {
                self->connectDirectly(request, destination);
            } else if (const Decision decision = self->checkForProxy(destination); decision.verdict != Verdict::Allow) {
                --self->m_pending;
                self->refuse(request, decision.reason, decision.ruleText);
            } else if (!outcome.socket) {
                --self->m_pending;
                self->refuse(request, outcome.problem, "");
            } else {
                --self->m_pending;
                self->reply(makeReply(request, true, "via " + outcome.through, "", ""), std::move(outcome.socket));
            }
        });
    }

    /// Decides by name; refuses by itself when the answer is not a plain yes.
    std::optional<Destination> allowed(const Request& request)
    {
        if (!m_policy) {
            refuse(request, "The sandbox's network is not set up yet; try again later.", "no policy");
            return std::nullopt;
        }
        Destination destination;
        destination.host = policy::normaliseHost(request.host).value_or(request.host);
        destination.port = request.port;
        destination.isLiteral = policy::parseIp(destination.host).has_value();
        const Decision decision = m_policy->decide(destination, utcNow());
        if (decision.verdict != Verdict::Allow) {
            refuse(request, decision.reason, decision.ruleText);
            return std::nullopt;
        }
        return destination;
    }

    void resolve(const Request& request, const Destination& destination)
    {
        // Whichever comes first, the answer or the time limit, empties the shared slot.
        const auto timer = std::make_shared<asio::steady_timer>(m_io, m_limits.resolveTimeout);
        const auto isOpen = std::make_shared<bool>(true);
        // The timer holds itself: a resolver may drop its callback.
        timer->async_wait([self = shared_from_this(), timer, request, isOpen, destination](const asio::error_code& error) {
            if (!error && std::exchange(*isOpen, false)) {
                --self->m_pending;
                self->refuse(request, "The name " + destination.host + " was not resolved in time; try again later.", "");
            }
        });
        m_resolver->resolve(destination.host, [self = shared_from_this(), request, isOpen, timer,
                                               destination](Result<std::vector<IpAddress>> addresses) {
            if (!std::exchange(*isOpen, false)) {
                return;
            }
            timer->cancel();
            if (!addresses) {
                --self->m_pending;
                self->refuse(request, addresses.error().message, "");
                return;
            }
            // The policy may have changed while the name was looked up.
            self->readEngine();
            if (!self->allowed(request)) {
                --self->m_pending;
                return;
            }
            self->connectChecked(request, destination, interleaved(*addresses));
        });
    }

    /// What listens on this computer is the user's, whatever address leads there. (Loopback has had its own check.)
    void checkOwnAddress(Decision& decision, const Destination& destination, const IpAddress& address) const
    {
        if (policy::isLoopback(address) || !isOwnAddress(address)
            || isNamedByRule(m_policy->set(), address, destination.port, utcNow())) {
            return;
        }
        decision.verdict = Verdict::Deny;
        decision.ruleText = "address check";
        decision.reason = destination.host + ":" + std::to_string(destination.port)
                          + " is blocked because it leads to an address of the user's own computer, which only a rule for \""
                          + formatTarget({address, destination.port})
                          + "\" opens; ask the user to add it; retrying does not help.";
    }

    void connectChecked(const Request& request, const Destination& destination, const std::vector<IpAddress>& addresses)
    {
        const policy::HostMapping* mapping = m_policy->mappingFor(destination);
        std::vector<Target> targets;
        Decision denial;
        denial.reason = "The name " + destination.host + " has no usable address.";
        for (const IpAddress& address : addresses) {
            Decision decision = m_policy->checkAddress(destination, address, utcNow());
            if (decision.verdict == Verdict::Allow && !mapping) {
                checkOwnAddress(decision, destination, address);
            }
            if (decision.verdict != Verdict::Allow) {
                denial = std::move(decision);
            } else if (targets.size() < kMaxTargets) {
                const std::uint16_t port = mapping && mapping->targetPort ? mapping->targetPort : destination.port;
                targets.push_back({address, port});
            }
        }
        if (targets.empty()) {
            --m_pending;
            refuse(request, denial.reason, denial.ruleText);
            return;
        }
        connectAny(m_io, std::move(targets), m_limits.connectTimeout, m_limits.nextAddressAfter,
                   [self = shared_from_this(), request, destination](Result<UniqueFd> socket, const Target& target) {
                       --self->m_pending;
                       if (socket && !self->isStillAllowed(request, destination, target)) {
                           return;
                       }
                       if (!socket) {
                           self->refuse(request, destination.host + ":" + std::to_string(destination.port) + ": "
                                                     + socket.error().message, "");
                           return;
                       }
                       self->reply(makeReply(request, true, formatTarget(target), "", ""), std::move(*socket));
                   });
    }

    /// Rules may have changed while it was being connected to; refuses by itself then.
    bool isStillAllowed(const Request& request, const Destination& destination, const Target& target)
    {
        readEngine();
        if (!allowed(request)) {
            return false;
        }
        const Decision decision = m_policy->checkAddress(destination, target.address, utcNow());
        if (decision.verdict != Verdict::Allow) {
            refuse(request, decision.reason, decision.ruleText);
        }
        return decision.verdict == Verdict::Allow;
    }

    // --- answers

    void refuse(const Request& request, const std::string& reason, const std::string& rule)
    {
        reply(makeReply(request, false, "", reason, rule), UniqueFd());
    }

    void reply(std::string text, UniqueFd socket)
    {
        if (!m_proxy.is_open()) {
            return;
        }
        if (m_replies.size() >= kMaxQueuedReplies) {
            logWarning("dial", "the proxy does not take its answers; one is dropped");
            return;
        }
        m_replies.emplace_back(std::move(text), std::move(socket));
        sendReplies();
    }

    void sendReplies()
    {
        while (!m_replies.empty() && m_proxy.is_open()) {
            const auto& [text, socket] = m_replies.front();
            iovec data{const_cast<char*>(text.data()), text.size()};
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
            msghdr message{};
            message.msg_iov = &data;
            message.msg_iovlen = 1;
            if (socket.isValid()) {
                message.msg_control = control;
                message.msg_controllen = sizeof control;
                cmsghdr* header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                const int fd = socket.get();
                std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
            }
            if (::sendmsg(m_proxy.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                if (errno == EINTR) {
                    continue;
                }
                if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    waitToSend();
                    return;
                }
                finish();
                return;
            }
            m_replies.pop_front();
        }
    }

    void waitToSend()
    {
        if (std::exchange(m_isWaitingToSend, true)) {
            return;
        }
        m_proxy.async_wait(asio::posix::stream_descriptor::wait_write,
                           [self = shared_from_this()](const asio::error_code& error) {
                               self->m_isWaitingToSend = false;
                               if (!error) {
                                   self->sendReplies();
                               }
                           });
    }

    asio::io_context& m_io;
    asio::posix::stream_descriptor m_engine;
    asio::posix::stream_descriptor m_proxy;
    std::unique_ptr<Resolver> m_resolver;
    DialLimits m_limits;
    RateCap m_rate;
    std::function<void()> m_finished;
    std::unique_ptr<const policy::PolicyIndex> m_policy;
    std::string m_engineText;
    std::deque<std::pair<std::string, UniqueFd>> m_replies;
    std::size_t m_pending = 0;
    std::shared_ptr<Router> m_router;
    std::optional<std::size_t> m_passwordLength; ///< these bytes of the engine come next
    bool m_saidReady = false;
    bool m_isWaitingToSend = false;
};

Dialler::Dialler(asio::io_context& io, UniqueFd engineFd, UniqueFd proxyFd, std::unique_ptr<Resolver> resolver,
                 DialLimits limits, std::function<void()> finished, UniqueFd scripts)
    : m_impl(std::make_shared<Impl>(io, std::move(engineFd), std::move(proxyFd), std::move(resolver), limits, std::move(finished),
                                    std::move(scripts)))
{
}

Dialler::~Dialler()
{
    m_impl->stop();
}

void Dialler::start()
{
    m_impl->start();
}

} // namespace coldframe::dial
