// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/java_trust.h"

#include "base/file.h"
#include "guest/agent/encoding.h"
#include "guest/agent/environment.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coldframe::guest {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kMagic = 0xfeedfeed;
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kDigestSize = 20;
constexpr std::size_t kMaxStore = 8u << 20;
constexpr std::size_t kMaxStores = 64;
constexpr std::string_view kOurs = "coldframe-";

/// FIPS 180-4, section 6.1. The format wants it; nothing here relies on it.
std::string sha1(std::string_view data)
{
    std::array<std::uint32_t, 5> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::string padded(data);
    padded.push_back('\x80');
    padded.append((120 - padded.size() % 64) % 64, '\0');
    for (int shift = 56; shift >= 0; shift -= 8) {
        padded.push_back(static_cast<char>(static_cast<std::uint64_t>(data.size()) * 8 >> shift & 255));
    }
    for (std::size_t block = 0; block < padded.size(); block += 64) {
        std::array<std::uint32_t, 80> words{};
        for (std::size_t i = 0; i < 64; ++i) {
            words[i / 4] = words[i / 4] << 8 | static_cast<unsigned char>(padded[block + i]);
        }
        for (std::size_t i = 16; i < 80; ++i) {
            words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        }
        auto [a, b, c, d, e] = state;
        for (std::size_t i = 0; i < 80; ++i) {
            const std::uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                                        : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                                        : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                                 : (b ^ c ^ d) + 0xca62c1d6;
            const std::uint32_t next = std::rotl(a, 5) + mixed + e + words[i];
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
    }
    std::string digest;
    for (const std::uint32_t word : state) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            digest.push_back(static_cast<char>(word >> shift & 255));
        }
    }
    return digest;
}

/// Java's own: over the password that every `cacerts` has, as UTF-16, a phrase, and the store.
std::string storeDigest(std::string_view store)
{
    std::string text;
    for (const char letter : std::string_view("changeit")) {
        text.push_back('\0');
        text.push_back(letter);
    }
    text += "Mighty Aphrodite";
    return sha1(text.append(store));
}

void putNumber(std::string& out, std::uint64_t value, int bytes)
{
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(value >> shift & 255));
    }
}

/// A view of bytes of no trust: past the end it fails for good.
struct Reader
{
    std::string_view rest;
    bool isGood = true;

    std::string_view bytes(std::size_t count)
    {
        isGood = isGood && count <= rest.size();
        if (!isGood) {
            return {};
        }
        const std::string_view taken = rest.substr(0, count);
        rest.remove_prefix(count);
        return taken;
    }
    std::uint32_t number(std::size_t count)
    {
        std::uint32_t value = 0;
        for (const char byte : bytes(count)) {
            value = value << 8 | static_cast<unsigned char>(byte);
        }
        return value;
    }
    std::string_view text() { return bytes(number(2)); }
    std::string_view certificate()
    {
        (void)text(); // its type
        return bytes(number(4));
    }
};

struct Entry
{
    std::string_view alias;
    std::string_view certificate; ///< empty: a private key
    std::string_view whole;
};

/// None when it is no whole store of this format.
std::optional<std::vector<Entry>> entriesOf(std::string_view store)
{
    if (store.size() < 12 + kDigestSize) {
        return std::nullopt;
    }
    Reader reader{store.substr(0, store.size() - kDigestSize)};
    if (reader.number(4) != kMagic || reader.number(4) != kVersion) {
        return std::nullopt;
    }
    std::vector<Entry> entries;
    for (std::uint32_t left = reader.number(4); left > 0 && reader.isGood; --left) {
        const std::string_view begin = reader.rest;
        const std::uint32_t tag = reader.number(4);
        Entry entry;
        entry.alias = reader.text();
        (void)reader.bytes(8); // its time
        if (tag == 2) {
            entry.certificate = reader.certificate();
        } else if (tag == 1) {
            (void)reader.bytes(reader.number(4));
            for (std::uint32_t chain = reader.number(4); chain > 0 && reader.isGood; --chain) {
                (void)reader.certificate();
            }
        } else {
            return std::nullopt;
        }
        entry.whole = begin.substr(0, begin.size() - reader.rest.size());
        entries.push_back(entry);
    }
    return reader.isGood && reader.rest.empty() ? std::optional(std::move(entries)) : std::nullopt;
}

std::vector<std::string> certificatesOf(std::string_view pem)
{
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    std::vector<std::string> certificates;
    std::set<std::string> known;
    for (std::size_t at = 0; (at = pem.find(kBegin, at)) != std::string_view::npos;) {
        at += kBegin.size();
        const std::size_t end = pem.find(kEnd, at);
        if (end == std::string_view::npos) {
            break;
        }
        std::string text(pem.substr(at, end - at));
        std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
        const auto decoded = decodeBase64(text);
        if (decoded && !decoded->empty() && known.insert(*decoded).second) {
            certificates.push_back(*decoded);
        }
        at = end;
    }
    return certificates;
}

/// Links on the way stay beneath `root`.
UniqueFd openIn(int root, const std::string& path, int flags)
{
    struct open_how how
    {
    };
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

/// Debian and Alpine, Fedora and RHEL, SUSE.
constexpr std::array kSystemStores = {"etc/ssl/certs/java/cacerts", "etc/pki/ca-trust/extracted/java/cacerts", "etc/pki/java/cacerts",
                                      "var/lib/ca-certificates/java-cacerts"};
/// Where runtimes lie side by side: distributions, container images, and the usual installers, for the agent and for root.
constexpr std::array kHomes = {"usr/lib/jvm", "usr/lib64/jvm", "usr/java", "usr/local", "opt", "opt/java", "opt/ibm", "opt/graalvm",
                               "root/.sdkman/candidates/java", "root/.jdks", "root/.gradle/jdks", "root/.local/share/mise/installs/java",
                               "home/agent/.sdkman/candidates/java", "home/agent/.jdks", "home/agent/.gradle/jdks",
                               "home/agent/.local/share/mise/installs/java"};
constexpr std::array kInHome = {"/lib/security/cacerts", "/jre/lib/security/cacerts"};

std::vector<std::string> foldersIn(int root, const std::string& path)
{
    std::vector<std::string> names;
    UniqueFd folder = openIn(root, path, O_RDONLY | O_DIRECTORY);
    if (!folder) {
        return names;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(folder.release()), ::closedir);
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
        const std::string name = entry->d_name;
        if (entry->d_type != DT_REG && !name.starts_with('.') && names.size() < 256) {
            names.push_back(name);
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string realPath(int fd)
{
    std::array<char, 4096> path{};
    const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
    return std::string(path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
}

/// Other for each file and each change of it.
std::string stampOf(const fs::path& path)
{
    struct stat info
    {
    };
    if (::stat(path.c_str(), &info) != 0) {
        return {};
    }
    return std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) + "."
           + std::to_string(info.st_mtim.tv_nsec) + ";";
}

bool isOursAlready(const std::string& content, const std::vector<std::string>& certificates)
{
    const auto entries = entriesOf(content);
    if (!entries) {
        return false;
    }
    std::set<std::string_view> trusted;
    for (const Entry& entry : *entries) {
        trusted.insert(entry.certificate);
    }
    return std::all_of(certificates.begin(), certificates.end(), [&](const std::string& one) { return trusted.contains(one); });
}

} // namespace

std::string javaStore(std::string_view pem, std::string_view previous, std::int64_t milliseconds)
{
    const std::vector<std::string> certificates = certificatesOf(pem);
    const std::set<std::string_view> ours(certificates.begin(), certificates.end());
    std::string body;
    std::uint32_t count = 0;
    const auto before = entriesOf(previous);
    for (const Entry& entry : before.value_or(std::vector<Entry>{})) {
        if (!entry.alias.starts_with(kOurs) && !ours.contains(entry.certificate)) {
            body += entry.whole;
            ++count;
        }
    }
    for (std::size_t i = 0; i < certificates.size(); ++i, ++count) {
        const std::string alias = std::string(kOurs) + std::to_string(i);
        putNumber(body, 2, 4);
        putNumber(body, alias.size(), 2);
        body += alias;
        putNumber(body, static_cast<std::uint64_t>(milliseconds), 8);
        putNumber(body, 5, 2);
        body += "X.509";
        putNumber(body, certificates[i].size(), 4);
        body += certificates[i];
    }
    std::string store;
    putNumber(store, kMagic, 4);
    putNumber(store, kVersion, 4);
    putNumber(store, count, 4);
    store += body;
    return store + storeDigest(store);
}

std::vector<std::string> findJavaStores(const fs::path& root)
{
    std::vector<std::string> found;
    const UniqueFd folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) {
        return found;
    }
    const std::string top = realPath(folder.get()) == "/" ? "/" : realPath(folder.get()) + "/";
    const auto look = [&](const std::string& path) {
        struct stat info
        {
        };
        const UniqueFd file = openIn(folder.get(), path, O_PATH);
        if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || found.size() >= kMaxStores) {
            return;
        }
        // Without links: Debian's runtimes have one to the system's store there.
        const std::string real = realPath(file.get());
        if (real.starts_with(top) && std::find(found.begin(), found.end(), real.substr(top.size())) == found.end()) {
            found.push_back(real.substr(top.size()));
        }
    };
    for (const char* path : kSystemStores) {
        look(path);
    }
    for (const char* home : kHomes) {
        for (const std::string& name : foldersIn(folder.get(), home)) {
            for (const char* inside : kInHome) {
                look(std::string(home) + "/" + name + inside);
            }
        }
    }
    return found;
}

JavaTrust::JavaTrust(fs::path root) : m_root(std::move(root)) {}

Result<void> JavaTrust::install()
{
    const fs::path bundlePath = m_root / fs::path(kCaBundle).relative_path();
    std::vector<std::string> stores = findJavaStores(m_root);
    std::erase_if(stores, [&](const std::string& store) {
        const auto done = m_done.find(store);
        return done != m_done.end() && done->second == stampOf(m_root / store) + stampOf(bundlePath);
    });
    if (stores.empty()) {
        return {};
    }
    COLDFRAME_TRY(const std::string bundle, readFile(bundlePath, kMaxStore));
    const std::vector<std::string> certificates = certificatesOf(bundle);
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    for (const std::string& relative : stores) {
        const fs::path path = m_root / relative;
        const auto before = readFile(path, kMaxStore);
        if (before && !isOursAlready(*before, certificates)) {
            const fs::path kept = path.string() + ".before-coldframe";
            std::error_code ignored;
            if (!entriesOf(*before) && !fs::exists(kept, ignored)) {
                COLDFRAME_CHECK(replaceFile(kept, *before, 0644));
            }
            COLDFRAME_CHECK(replaceFile(path, javaStore(bundle, *before, now), 0644));
        }
        m_done[relative] = stampOf(path) + stampOf(bundlePath);
    }
    return {};
}

} // namespace coldframe::guest
