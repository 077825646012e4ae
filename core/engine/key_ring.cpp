// SPDX-License-Identifier: Apache-2.0
#include "engine/key_ring.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/blocking.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::chrono::seconds kCommandWithin{30};
constexpr std::chrono::seconds kAskAgainAfter{60};
constexpr std::chrono::seconds kMinLifetime{1};
constexpr std::chrono::hours kMaxLifetime{24 * 30};

bool isAccountName(const std::string& name)
{
    return !name.empty() && name.size() <= 64 && name[0] != '@' && name[0] != '-'
           && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@+") == std::string::npos;
}

/// The one line that the program printed.
Result<SecretBuffer> keyIn(ProcessResult& result, const std::string& program)
{
    std::string& text = result.standardOutput;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.back() = '\0';
        text.pop_back();
    }
    const bool good = result.exitCode == 0 && !text.empty() && text.size() <= SecretBuffer::kMaxSize / 4
                      && text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
    Result<SecretBuffer> key = good ? Result<SecretBuffer>(SecretBuffer(text))
                                    : fail(ErrorCode::Unavailable,
                                           result.exitCode != 0
                                               ? "The command " + program + " ended with " + std::to_string(result.exitCode) + " and gave no key."
                                               : "The command " + program + " did not print a key, which is one line.");
    wipe(text);
    wipe(result.standardError); // may hold anything; shown to nobody
    return key;
}

} // namespace

KeyName parseKeyName(const std::string& entry)
{
    const std::size_t slash = entry.find('/');
    KeyName name{entry.substr(0, slash), {}, {}};
    if (slash != std::string::npos) {
        (entry.compare(slash + 1, 1, "@") == 0 ? name.sandbox : name.account) = entry.substr(slash + (entry.compare(slash + 1, 1, "@") == 0 ? 2 : 1));
    }
    return name;
}

Result<std::string> keyEntry(const std::string& service, const std::string& account, const std::string& sandbox)
{
    if (!account.empty() && !sandbox.empty()) {
        return fail(ErrorCode::InvalidArgument, "A key is one of an account or one of a sandbox, not both.");
    }
    if (!account.empty() && !isAccountName(account)) {
        return fail(ErrorCode::InvalidArgument, "An account's name has letters, digits and - _ . @ +, at most 64.");
    }
    return account.empty() && sandbox.empty() ? service : service + "/" + (sandbox.empty() ? account : "@" + sandbox);
}

std::map<std::string, std::string> chooseEntries(const std::vector<std::string>& entries, const std::map<std::string, std::string>& accounts,
                                                 const std::string& sandboxId)
{
    std::map<std::string, std::string> chosen;
    const auto rank = [&](const KeyName& name) {
        const auto account = accounts.find(name.service);
        const std::string wanted = account == accounts.end() ? std::string() : account->second;
        if (!name.sandbox.empty()) {
            return name.sandbox == sandboxId ? 2 : 0;
        }
        return name.account == wanted ? 1 : 0;
    };
    std::map<std::string, int> best;
    for (const std::string& entry : entries) {
        const KeyName name = parseKeyName(entry);
        if (const int found = rank(name); found > best[name.service]) {
            best[name.service] = found;
            chosen[name.service] = entry;
        }
    }
    return chosen;
}

KeyRing::KeyRing(asio::io_context& io, asio::thread_pool& pool, KeySource& keychain, ProcessRunner& runner, std::filesystem::path file)
    : m_io(io), m_pool(pool), m_keychain(keychain), m_runner(runner), m_file(std::move(file)), m_timer(io)
{
}

Result<void> KeyRing::load()
{
    const auto text = readFile(m_file, 1u << 20);
    if (!text) {
        return text.error().code == ErrorCode::NotFound ? Result<void>() : tl::unexpected(text.error());
    }
    try {
        const json document = json::parse(*text);
        for (const json& item : document.at("commands")) {
            KeyCommand command{item.at("arguments").get<std::vector<std::string>>(), std::chrono::seconds(item.at("lifetimeSeconds").get<int>())};
            if (command.arguments.empty()) {
                throw std::invalid_argument("no arguments");
            }
            m_commands[item.at("entry").get<std::string>()] = std::move(command);
        }
    } catch (const std::exception& error) {
        return fail(ErrorCode::Corrupt, "The list of commands that give keys cannot be read; correct it or move it away: " + m_file.string(),
                    error.what());
    }
    return {};
}

Result<void> KeyRing::save() const
{
    json list = json::array();
    for (const auto& [entry, command] : m_commands) {
        list.push_back({{"entry", entry}, {"arguments", command.arguments}, {"lifetimeSeconds", command.lifetime.count()}});
    }
    return writeFileAtomic(m_file, json{{"version", 1}, {"commands", list}}.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

asio::awaitable<Result<std::vector<std::string>>> KeyRing::storedServices()
{
    Result<std::vector<std::string>> entries = co_await m_keychain.storedServices();
    if (!entries && m_commands.empty()) {
        co_return entries;
    }
    std::vector<std::string> all = entries ? std::move(*entries) : std::vector<std::string>();
    for (const auto& [entry, command] : m_commands) {
        if (std::find(all.begin(), all.end(), entry) == all.end()) {
            all.push_back(entry);
        }
    }
    co_return all;
}

asio::awaitable<Result<SecretBuffer>> KeyRing::ask(std::string entry, KeyCommand command)
{
    const std::string program = command.arguments[0];
    ProcessSpec spec;
    spec.arguments = std::move(command.arguments);
    spec.timeout = kCommandWithin;
    spec.maxOutputBytes = SecretBuffer::kMaxSize;
    auto work = [this, spec = std::move(spec)]() mutable { return m_runner.run(spec); };
    Result<ProcessResult> result = co_await onPool(m_pool, std::move(work));
    if (!result) {
        co_return fail(ErrorCode::Unavailable, "The command " + program + " for the key " + entry + " did not run: " + result.error().message);
    }
    co_return keyIn(*result, program);
}

asio::awaitable<Result<SecretBuffer>> KeyRing::key(std::string entry)
{
    const auto found = m_commands.find(entry);
    if (found == m_commands.end()) {
        co_return co_await m_keychain.key(std::move(entry));
    }
    const auto now = std::chrono::steady_clock::now();
    if (const auto value = m_values.find(entry); value != m_values.end() && now < value->second.until) {
        co_return value->second.key.clone();
    }
    if (const auto failed = m_failed.find(entry); failed != m_failed.end() && now < failed->second) {
        co_return fail(ErrorCode::NotFound, "The command for the key " + entry + " failed a moment ago.");
    }
    const KeyCommand command = found->second;
    Result<SecretBuffer> key = co_await ask(entry, command);
    const auto current = m_commands.find(entry);
    if (current == m_commands.end() || current->second.arguments != command.arguments) {
        co_return fail(ErrorCode::NotFound, "The command for the key " + entry + " was removed."); // while it ran
    }
    if (!key) {
        logWarning("engine", key.error().message);
        m_values.erase(entry);
        m_failed[entry] = std::chrono::steady_clock::now() + kAskAgainAfter;
        wake();
        co_return fail(ErrorCode::NotFound, key.error().message);
    }
    m_failed.erase(entry);
    m_values[entry] = {key->clone(), std::chrono::steady_clock::now() + command.lifetime};
    wake();
    co_return key;
}

asio::awaitable<Result<void>> KeyRing::setCommand(std::string entry, KeyCommand command)
{
    if (command.arguments.empty() || command.arguments[0].empty() || command.arguments.size() > 64) {
        co_return fail(ErrorCode::InvalidArgument, "No command was given.");
    }
    if (command.lifetime < kMinLifetime || command.lifetime > kMaxLifetime) {
        co_return fail(ErrorCode::InvalidArgument, "A key of a command lives for a second at least and 30 days at most.");
    }
    Result<SecretBuffer> key = co_await ask(entry, command);
    if (!key) {
        co_return tl::unexpected(key.error());
    }
    const auto before = m_commands;
    m_commands[entry] = command;
    if (auto saved = save(); !saved) {
        m_commands = before;
        co_return saved;
    }
    m_failed.erase(entry);
    m_values[entry] = {std::move(*key), std::chrono::steady_clock::now() + command.lifetime};
    wake();
    co_return Result<void>();
}

Result<bool> KeyRing::removeCommand(const std::string& entry)
{
    const auto before = m_commands;
    if (m_commands.erase(entry) == 0) {
        return false;
    }
    if (auto saved = save(); !saved) {
        m_commands = before;
        return tl::unexpected(saved.error());
    }
    m_values.erase(entry);
    m_failed.erase(entry);
    return true;
}

void KeyRing::wake()
{
    auto next = std::chrono::steady_clock::time_point::max();
    for (const auto& [entry, value] : m_values) {
        next = std::min(next, value.until);
    }
    for (const auto& [entry, until] : m_failed) {
        next = std::min(next, until);
    }
    if (next == std::chrono::steady_clock::time_point::max()) {
        return;
    }
    m_timer.expires_at(next);
    m_timer.async_wait([this](std::error_code error) {
        if (error) {
            return; // set anew
        }
        const auto now = std::chrono::steady_clock::now();
        std::erase_if(m_values, [now](const auto& value) { return now >= value.second.until; });
        std::erase_if(m_failed, [now](const auto& failed) { return now >= failed.second; });
        wake();
        if (m_changed) {
            m_changed();
        }
    });
}

} // namespace coldframe::engine
