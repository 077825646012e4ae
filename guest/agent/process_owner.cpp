// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/process_owner.h"

#include "base/unique_fd.h"
#include "guest/agent/listener.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <unistd.h>
#include <vector>

namespace coldframe::guest {

namespace {

constexpr std::chrono::seconds kWindow{1};
constexpr std::chrono::milliseconds kMostInWindow{100};
constexpr std::size_t kMostTable = 2u << 20;
constexpr std::size_t kMostDescriptors = 4096; ///< of one process
constexpr std::size_t kMostNetworks = 32;
constexpr std::size_t kMostName = 48;

/// Programs that say little by themselves: the script they run is named too.
constexpr std::array kInterpreters{"python", "node", "ruby", "perl", "bash", "sh", "dash", "java", "deno", "bun", "php"};

std::string linkAt(const std::filesystem::path& path)
{
    std::array<char, 256> target{};
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    return size > 0 ? std::string(target.data(), static_cast<std::size_t>(size)) : std::string();
}

std::vector<std::string> numbersIn(const std::filesystem::path& folder, std::size_t most)
{
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), &::closedir);
    while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) {
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && names.size() < most) {
            names.emplace_back(entry->d_name);
        }
    }
    return names;
}

/// What the file holds, as far as it may; /proc's files have no size to go by.
std::string contentOf(const std::filesystem::path& path, std::size_t most)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string all;
    std::array<char, 16384> part{};
    while (fd && all.size() < most) {
        const ssize_t got = ::read(fd.get(), part.data(), part.size());
        if (got <= 0) {
            break;
        }
        all.append(part.data(), static_cast<std::size_t>(got));
    }
    return all;
}

/// An address as proc_net_tcp(5) writes it: 32-bit words in the machine's own order, "0100007F:1F90".
std::string tableForm(const asio::ip::tcp::endpoint& at, bool mapped)
{
    std::string text;
    std::array<char, 16> part{};
    const auto word = [&](const unsigned char* bytes) {
        std::snprintf(part.data(), part.size(), "%02X%02X%02X%02X", bytes[3], bytes[2], bytes[1], bytes[0]);
        text += part.data();
    };
    const asio::ip::address address = unmapped(at.address());
    if (address.is_v4()) {
        text = mapped ? "0000000000000000FFFF0000" : "";
        word(address.to_v4().to_bytes().data());
    } else {
        const auto bytes = address.to_v6().to_bytes();
        for (std::size_t i = 0; i < bytes.size(); i += 4) {
            word(bytes.data() + i);
        }
    }
    std::snprintf(part.data(), part.size(), ":%04X", at.port());
    return text + part.data();
}

/// The inode of the socket whose own end is `local`, in a table of proc_net_tcp(5): "sl local remote st queues timers retransmits uid timeout inode".
std::string inodeIn(const std::string& table, const std::string& local)
{
    const std::size_t found = table.find(": " + local + " ");
    if (found == std::string::npos) {
        return {};
    }
    std::size_t at = found + 2;
    for (int field = 0; field < 8; ++field) {
        at = table.find(' ', at);
        at = at == std::string::npos ? at : table.find_first_not_of(' ', at);
        if (at == std::string::npos) {
            return {};
        }
    }
    const std::string inode = table.substr(at, table.find_first_of(" \n", at) - at);
    return inode == "0" ? std::string() : inode;
}

std::string inodeOf(const std::filesystem::path& network, const asio::ip::tcp::endpoint& peer)
{
    if (unmapped(peer.address()).is_v4()) {
        if (std::string inode = inodeIn(contentOf(network / "tcp", kMostTable), tableForm(peer, false)); !inode.empty()) {
            return inode;
        }
    }
    return inodeIn(contentOf(network / "tcp6", kMostTable), tableForm(peer, true));
}

/// Nothing but what a file's name may be expected to hold; the rest is cut off.
std::string plainName(std::string_view name)
{
    std::string plain;
    for (const char c : name.substr(0, kMostName)) {
        const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '+';
        if (!fits) {
            break;
        }
        plain += c;
    }
    return plain;
}

std::string_view baseName(std::string_view path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string programOf(const std::filesystem::path& process)
{
    const std::string executable = linkAt(process / "exe");
    std::string name = plainName(baseName(executable));
    if (name.empty()) {
        name = plainName(contentOf(process / "comm", 64));
    }
    const bool isInterpreter = std::any_of(kInterpreters.begin(), kInterpreters.end(), [&name](std::string_view one) { return name.starts_with(one); });
    if (isInterpreter) {
        // Only the second word, and only a path: what follows an option may be anything, a secret too.
        const std::string line = contentOf(process / "cmdline", 4096);
        const std::size_t first = line.find('\0');
        const std::string_view second = first == std::string::npos ? std::string_view() : std::string_view(line).substr(first + 1, line.find('\0', first + 1) - first - 1);
        const std::string script = second.starts_with("-") ? std::string() : plainName(baseName(second));
        name += script.empty() ? "" : " " + script;
    }
    return name;
}

/// The beginning of a Docker container's id, from the name of its control group.
std::string containerOf(const std::filesystem::path& process)
{
    const std::string groups = contentOf(process / "cgroup", 4096);
    std::size_t run = 0;
    for (std::size_t i = 0; i <= groups.size(); ++i) {
        const char c = i < groups.size() ? groups[i] : '\n';
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
            ++run;
            continue;
        }
        if (run == 64) {
            return groups.substr(i - 64, 12);
        }
        run = 0;
    }
    return {};
}

} // namespace

bool ProcessOwner::mayLook()
{
    const auto now = std::chrono::steady_clock::now();
    if (now - m_windowBegan > kWindow) {
        m_windowBegan = now;
        m_spent = {};
    }
    m_deadline = now + m_mostEach;
    return m_spent < kMostInWindow;
}

std::string ProcessOwner::nameOf(const asio::ip::tcp::endpoint& peer)
{
    if (!mayLook()) {
        return {};
    }
    const auto began = std::chrono::steady_clock::now();
    std::string name = search(peer);
    m_spent += std::chrono::steady_clock::now() - began;
    return name;
}

std::string ProcessOwner::search(const asio::ip::tcp::endpoint& peer)
{
    std::string inode = inodeOf(m_proc / "thread-self/net", peer);
    std::string network = linkAt(m_proc / "thread-self/ns/net");
    const bool isOwnNetwork = !inode.empty();
    std::vector<std::string> processes = numbersIn(m_proc, 4096);
    // The youngest first: what connects has often just begun.
    std::sort(processes.begin(), processes.end(), [](const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() > b.size() : a > b; });
    if (const auto recent = std::find(processes.begin(), processes.end(), m_recent); recent != processes.end()) {
        std::rotate(processes.begin(), recent, recent + 1);
    }
    std::set<std::string> seen{network};
    if (!isOwnNetwork) {
        for (const std::string& process : processes) {
            const std::string other = linkAt(m_proc / process / "ns/net");
            if (std::chrono::steady_clock::now() > m_deadline || seen.size() > kMostNetworks) {
                return {};
            }
            if (other.empty() || !seen.insert(other).second) {
                continue;
            }
            inode = inodeOf(m_proc / process / "net", peer);
            if (!inode.empty()) {
                network = other;
                break;
            }
        }
        if (inode.empty()) {
            return {};
        }
    }
    const std::string wanted = "socket:[" + inode + "]";
    for (const std::string& process : processes) {
        const std::filesystem::path folder = m_proc / process;
        if (!isOwnNetwork && linkAt(folder / "ns/net") != network) {
            continue;
        }
        const std::vector<std::string> descriptors = numbersIn(folder / "fd", kMostDescriptors);
        for (auto descriptor = descriptors.rbegin(); descriptor != descriptors.rend(); ++descriptor) {
            if (linkAt(folder / "fd" / *descriptor) == wanted) {
                m_recent = process;
                const std::string container = isOwnNetwork ? std::string() : containerOf(folder);
                return programOf(folder) + (container.empty() ? "" : " in container " + container);
            }
        }
        if (std::chrono::steady_clock::now() > m_deadline) {
            return {};
        }
    }
    return {};
}

} // namespace coldframe::guest
