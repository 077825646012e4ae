// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/key_ring.h"

#include <map>
#include <string>

/// A keychain in memory.
class FakeKeychain : public coldframe::engine::KeySource
{
public:
    std::map<std::string, std::string> keys;
    bool isLocked = false;
    int writes = 0;

    asio::awaitable<coldframe::Result<std::vector<std::string>>> storedServices() override
    {
        std::vector<std::string> names;
        for (const auto& [name, key] : keys) {
            names.push_back(name);
        }
        co_return names;
    }
    asio::awaitable<coldframe::Result<coldframe::SecretBuffer>> key(std::string entry) override
    {
        if (isLocked) {
            co_return coldframe::fail(coldframe::ErrorCode::Unavailable, "locked");
        }
        co_return keys.contains(entry) ? coldframe::Result<coldframe::SecretBuffer>(coldframe::SecretBuffer(keys[entry])) : coldframe::fail(coldframe::ErrorCode::NotFound, "none");
    }
    asio::awaitable<coldframe::Result<void>> store(std::string entry, coldframe::SecretBuffer key)
    {
        if (isLocked) {
            co_return coldframe::fail(coldframe::ErrorCode::Unavailable, "locked");
        }
        keys[entry] = key.view();
        ++writes;
        co_return coldframe::Result<void>();
    }
    asio::awaitable<coldframe::Result<void>> remove(std::string entry)
    {
        co_return keys.erase(entry) > 0 ? coldframe::Result<void>() : coldframe::fail(coldframe::ErrorCode::NotFound, "none");
    }
};
