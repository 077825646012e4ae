// SPDX-License-Identifier: Apache-2.0
#include "dial/resolver.h"

#include "base/log.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <thread>

namespace coldframe::dial {

namespace {

constexpr std::size_t kThreads = 6;
constexpr std::size_t kMaxWaiting = 256;
constexpr std::size_t kMaxAddresses = 16;

Result<std::vector<policy::IpAddress>> lookUp(const std::string& host)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (error != 0) {
        return fail(error == EAI_NONAME ? ErrorCode::NotFound : ErrorCode::Unavailable,
                    "The name " + host + " could not be found.", ::gai_strerror(error));
    }
    std::vector<policy::IpAddress> addresses;
    for (const addrinfo* entry = list; entry && addresses.size() < kMaxAddresses; entry = entry->ai_next) {
        policy::IpAddress address{};
        if (entry->ai_family == AF_INET) {
            sockaddr_in in{};
            std::memcpy(&in, entry->ai_addr, sizeof in);
            address[10] = address[11] = 0xff;
            std::memcpy(address.data() + 12, &in.sin_addr, 4);
        } else if (entry->ai_family == AF_INET6) {
            sockaddr_in6 in6{};
            std::memcpy(&in6, entry->ai_addr, sizeof in6);
            std::memcpy(address.data(), &in6.sin6_addr, 16);
        } else {
            continue;
        }
        addresses.push_back(address);
    }
    ::freeaddrinfo(list);
    if (addresses.empty()) {
        return fail(ErrorCode::NotFound, "The name " + host + " has no address.");
    }
    return addresses;
}

class SystemResolver : public Resolver
{
public:
    explicit SystemResolver(std::function<void(std::function<void()>)> post) : m_post(std::move(post))
    {
        for (std::size_t i = 0; i < kThreads; ++i) {
            m_threads.emplace_back([this] { topCatchAll("dial", [this] { work(); }); });
        }
    }

    ~SystemResolver() override
    {
        {
            const std::lock_guard lock(m_mutex);
            m_stopping = true;
        }
        m_changed.notify_all();
        for (std::thread& thread : m_threads) {
            thread.join();
        }
    }

    void resolve(const std::string& host, Done done) override
    {
        {
            const std::lock_guard lock(m_mutex);
            if (m_waiting.size() < kMaxWaiting) {
                m_waiting.emplace_back(host, std::move(done));
                m_changed.notify_one();
                return;
            }
        }
        m_post([done = std::move(done)] { done(fail(ErrorCode::Busy, "Too many names are being looked up.")); });
    }

private:
    void work()
    {
        for (;;) {
            std::pair<std::string, Done> job;
            {
                std::unique_lock lock(m_mutex);
                m_changed.wait(lock, [this] { return m_stopping || !m_waiting.empty(); });
                if (m_stopping) {
                    return;
                }
                job = std::move(m_waiting.front());
                m_waiting.pop_front();
            }
            auto result = lookUp(job.first);
            m_post([done = std::move(job.second), result = std::move(result)] { done(result); });
        }
    }

    std::function<void(std::function<void()>)> m_post;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::deque<std::pair<std::string, Done>> m_waiting;
    bool m_stopping = false;
    std::vector<std::thread> m_threads;
};

} // namespace

std::unique_ptr<Resolver> makeSystemResolver(std::function<void(std::function<void()>)> post)
{
    return std::make_unique<SystemResolver>(std::move(post));
}

} // namespace coldframe::dial
