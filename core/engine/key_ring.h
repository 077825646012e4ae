// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process.h"
#include "base/secret.h"
#include "engine/engine_parts.h"

#include <asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace coldframe::engine {

/// An entry's name says whose key it is: "openai", "openai/work" (an account), "openai/@<sandbox id>" (for that sandbox alone).
struct KeyName
{
    std::string service;
    std::string account; ///< empty: the one that is used where nothing else is said
    std::string sandbox; ///< id; then account is empty
};
KeyName parseKeyName(const std::string& entry);
/// InvalidArgument for an account name that cannot be.
Result<std::string> keyEntry(const std::string& service, const std::string& account, const std::string& sandbox);
/// For each service the entry that a sandbox uses: its own, else that of the account chosen for it, else the one without a name.
/// An account that was chosen and has no key means no key: another one must not take its place.
std::map<std::string, std::string> chooseEntries(const std::vector<std::string>& entries, const std::map<std::string, std::string>& accounts,
                                                 const std::string& sandboxId);

/// A program that prints a key: asked when a sandbox needs it, and anew when the lifetime is over.
struct KeyCommand
{
    std::vector<std::string> arguments; ///< no shell; arguments[0] is found through PATH
    std::chrono::seconds lifetime{3600};
};

/// Keys of the keychain and of commands (key-commands.json, which holds no key). The value of a command is kept in locked memory for its
/// lifetime. Engine's thread; the programs run on the pool.
class KeyRing : public KeySource
{
public:
    KeyRing(asio::io_context& io, asio::thread_pool& pool, KeySource& keychain, ProcessRunner& runner, std::filesystem::path file);

    /// A damaged file is an error that names it.
    Result<void> load();
    asio::awaitable<Result<std::vector<std::string>>> storedServices() override;
    /// NotFound: the program failed and the lifetime of what it gave before is over.
    asio::awaitable<Result<SecretBuffer>> key(std::string entry) override;

    /// Replaces another command of that name. Asks the program once: a command that does not work is not kept.
    asio::awaitable<Result<void>> setCommand(std::string entry, KeyCommand command);
    /// False: there was none.
    Result<bool> removeCommand(const std::string& entry);
    const std::map<std::string, KeyCommand>& commands() const { return m_commands; }
    /// Called when the lifetime of a value is over that a sandbox was given.
    void onExpiry(std::function<void()> changed) { m_changed = std::move(changed); }

private:
    struct Value
    {
        SecretBuffer key;
        std::chrono::steady_clock::time_point until;
    };
    asio::awaitable<Result<SecretBuffer>> ask(std::string entry, KeyCommand command);
    Result<void> save() const;
    void wake();

    asio::io_context& m_io;
    asio::thread_pool& m_pool;
    KeySource& m_keychain;
    ProcessRunner& m_runner;
    std::filesystem::path m_file;
    std::map<std::string, KeyCommand> m_commands;
    std::map<std::string, Value> m_values;
    std::map<std::string, std::chrono::steady_clock::time_point> m_failed; ///< not asked again at once
    asio::steady_timer m_timer;
    std::function<void()> m_changed;
};

} // namespace coldframe::engine
