// SPDX-License-Identifier: Apache-2.0
#include "key_bridge.h"

#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <optional>

using namespace coldframe;
using nlohmann::json;

namespace {

/// Calls `start(done)` on the Qt thread and waits on the engine's for what `done` is given.
template <typename T, typename Start>
asio::awaitable<T> onQtThread(asio::io_context& io, QObject& context, Start start)
{
    const auto value = std::make_shared<std::optional<T>>();
    const auto arrived = std::make_shared<asio::steady_timer>(io, asio::steady_timer::time_point::max());
    QMetaObject::invokeMethod(
        &context,
        [&io, value, arrived, start]() mutable {
            start([&io, value, arrived](T answer) {
                const auto carried = std::make_shared<T>(std::move(answer));
                asio::post(io, [value, arrived, carried] {
                    value->emplace(std::move(*carried));
                    arrived->cancel();
                });
            });
        },
        Qt::QueuedConnection);
    while (!*value) {
        std::error_code ignored;
        arrived->expires_at(asio::steady_timer::time_point::max());
        co_await arrived->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_return std::move(**value);
}

} // namespace

asio::awaitable<Result<std::vector<std::string>>> KeyBridge::storedServices()
{
    const List keys = co_await listed();
    if (!keys) {
        co_return tl::unexpected(keys.error());
    }
    std::vector<std::string> names;
    for (const secrets::StoredKey& key : *keys) {
        names.push_back(key.service);
    }
    co_return names;
}

// GCC 12 destroys a capturing lambda twice that is written inside a co_await expression: each has a name here.

asio::awaitable<KeyBridge::List> KeyBridge::listed()
{
    auto start = [this](auto done) { m_store.list(done); };
    co_return co_await onQtThread<List>(m_io, m_context, std::move(start));
}

asio::awaitable<Result<SecretBuffer>> KeyBridge::key(std::string service)
{
    auto start = [this, service](auto done) { m_store.get(service, done); };
    co_return co_await onQtThread<Result<SecretBuffer>>(m_io, m_context, std::move(start));
}

asio::awaitable<Result<void>> KeyBridge::store(std::string service, SecretBuffer key)
{
    const auto carried = std::make_shared<SecretBuffer>(std::move(key));
    auto start = [this, service, carried](auto done) { m_store.set(service, std::move(*carried), done); };
    co_return co_await onQtThread<Result<void>>(m_io, m_context, std::move(start));
}

asio::awaitable<Result<void>> KeyBridge::remove(std::string service)
{
    auto start = [this, service](auto done) { m_store.remove(service, done); };
    co_return co_await onQtThread<Result<void>>(m_io, m_context, std::move(start));
}

asio::awaitable<Result<json>> KeyBridge::status()
{
    using Status = secrets::KeyStoreStatus;
    auto start = [this](auto done) { m_store.status(done); };
    const Status status = co_await onQtThread<Status>(m_io, m_context, std::move(start));
    const List keys = co_await listed();
    json list = json::array();
    if (keys) {
        for (const secrets::StoredKey& key : *keys) {
            list.push_back({{"service", key.service}, {"account", key.account}, {"storedAt", key.storedAt}});
        }
    }
    co_return json{{"backend", status.backend},
                   {"available", status.available},
                   {"locked", status.locked},
                   {"message", status.message},
                   {"keys", list}};
}
