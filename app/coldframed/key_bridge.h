// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"
#include "secrets/key_store.h"

#include <QObject>
#include <asio/io_context.hpp>
#include <memory>

/// The keychain, which lives on the Qt thread, for the engine's coroutines. Answers come within some ten seconds.
class KeyBridge : public coldframe::engine::KeySource
{
public:
    /// Both outlive the bridge; `context` and `store` belong to the Qt thread.
    KeyBridge(asio::io_context& io, QObject& context, coldframe::secrets::KeyStore& store)
        : m_io(io), m_context(context), m_store(store)
    {
    }

    asio::awaitable<coldframe::Result<std::vector<std::string>>> storedServices() override;
    asio::awaitable<coldframe::Result<coldframe::SecretBuffer>> key(std::string service) override;
    asio::awaitable<coldframe::Result<void>> store(std::string service, coldframe::SecretBuffer key);
    asio::awaitable<coldframe::Result<void>> remove(std::string service);
    /// {"backend","available","locked","message","keys":[…]} for keys.list.
    asio::awaitable<coldframe::Result<nlohmann::json>> status();

private:
    using List = coldframe::Result<std::vector<coldframe::secrets::StoredKey>>;
    asio::awaitable<List> listed();

    asio::io_context& m_io;
    QObject& m_context;
    coldframe::secrets::KeyStore& m_store;
};
