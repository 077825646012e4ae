// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/names.h"

#include "base/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>

namespace coldframe::guest {

namespace {

constexpr std::uint32_t kBase = 0xC6120000; // 198.18.0.0/15
constexpr std::uint32_t kFirstOffset = 16;
constexpr std::uint32_t kReserveStep = 256;
constexpr std::uint32_t kTimeToLive = 600; // seconds; an address never changes

constexpr std::array<std::string_view, 7> kSpecialEndings = {
    "local", "localhost", "internal", "localdomain", "invalid", "onion", "arpa"};

bool isLabel(std::string_view label)
{
    return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

void put16(std::string& out, unsigned value)
{
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xFF);
}

unsigned get16(std::string_view packet, std::size_t at)
{
    return static_cast<unsigned>(static_cast<unsigned char>(packet[at])) << 8 |
           static_cast<unsigned char>(packet[at + 1]);
}

} // namespace

bool mayExist(std::string_view name)
{
    if (name.size() > 253) {
        return false;
    }
    std::size_t labels = 0;
    std::string_view first;
    std::string_view last;
    for (std::size_t begin = 0; begin <= name.size(); ++labels) {
        std::size_t end = name.find('.', begin);
        end = end == std::string_view::npos ? name.size() : end;
        last = name.substr(begin, end - begin);
        if (labels == 0) {
            first = last;
        }
        if (!isLabel(last)) {
            return false;
        }
        begin = end + 1;
    }
    if (labels < 2 || first == "wpad" || first == "isatap") {
        return false;
    }
    // A name that ends in digits would be read as an address by others.
    if (std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return false;
    }
    return std::find(kSpecialEndings.begin(), kSpecialEndings.end(), last) == kSpecialEndings.end();
}

DnsReply resolve(NameMap& map, const std::string& name)
{
    if (name == kHostName || name == "gateway.docker.internal") {
        return {DnsReply::Kind::Address, kHostAddress};
    }
    if (!mayExist(name)) {
        return {DnsReply::Kind::NoSuchName, 0};
    }
    const auto address = map.addressOf(name);
    return address ? DnsReply{DnsReply::Kind::Address, *address} : DnsReply{DnsReply::Kind::Failure, 0};
}

Result<NameMap> NameMap::open(const std::filesystem::path& file, std::size_t capacity)
{
    NameMap map;
    map.m_capacity = std::min<std::size_t>(capacity, 131'000);
    map.m_next = map.m_reserved = kFirstOffset;
    COLDFRAME_CHECK(makeFolders(file.parent_path(), 0755));
    map.m_names.resize(kFirstOffset + map.m_capacity);
    std::istringstream lines(readFile(file, 64u << 20).value_or(""));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string kind;
        std::string name;
        std::uint32_t offset = 0;
        fields >> kind >> offset >> name;
        if (!fields && kind != "reserve") {
            continue;
        }
        if (kind == "reserve" && offset > map.m_reserved && offset <= map.m_names.size()) {
            map.m_reserved = offset;
        } else if (kind == "name" && offset >= kFirstOffset && offset < map.m_names.size() &&
                   !map.m_names[offset] && mayExist(name)) {
            const auto [entry, isNew] = map.m_offsets.emplace(name, offset);
            if (isNew) {
                map.m_names[offset] = &entry->first;
                map.m_reserved = std::max(map.m_reserved, offset + 1);
            }
        }
    }
    // Whatever was reserved may have been given out just before a crash.
    map.m_next = map.m_reserved;
    map.m_file.reset(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!map.m_file) {
        return failErrno("Cannot open the map of names.", errno);
    }
    (void)writeAll(map.m_file.get(), "\n"); // a line that a crash cut off ends here
    return map;
}

std::optional<std::uint32_t> NameMap::addressOf(const std::string& name)
{
    if (const auto found = m_offsets.find(name); found != m_offsets.end()) {
        return kBase + found->second;
    }
    if (m_next >= m_names.size() || !m_file) {
        return std::nullopt;
    }
    if (m_next >= m_reserved) {
        const std::uint32_t reserve =
            std::min<std::uint32_t>(m_next + kReserveStep, static_cast<std::uint32_t>(m_names.size()));
        if (!writeAll(m_file.get(), "reserve " + std::to_string(reserve) + "\n") ||
            ::fdatasync(m_file.get()) != 0) {
            return std::nullopt;
        }
        m_reserved = reserve;
    }
    const std::uint32_t offset = m_next;
    if (!writeAll(m_file.get(), "name " + std::to_string(offset) + " " + name + "\n")) {
        return std::nullopt;
    }
    ++m_next;
    m_names[offset] = &m_offsets.emplace(name, offset).first->first;
    return kBase + offset;
}

std::optional<std::string> NameMap::nameOf(std::uint32_t address) const
{
    if (address == kHostAddress) {
        return kHostName;
    }
    const std::uint32_t offset = address - kBase;
    if (!isSynthetic(address) || offset >= m_names.size() || !m_names[offset]) {
        return std::nullopt;
    }
    return *m_names[offset];
}

namespace detail {

bool isQuery(std::string_view packet)
{
    return packet.size() >= 12 && (static_cast<unsigned char>(packet[2]) & 0x80) == 0;
}

std::optional<Question> parseQuestion(std::string_view packet)
{
    // One question, a standard query; names in questions are never compressed by real resolvers.
    if ((static_cast<unsigned char>(packet[2]) & 0x78) != 0 || get16(packet, 4) != 1) {
        return std::nullopt;
    }
    Question question;
    std::size_t at = 12;
    for (;;) {
        if (at >= packet.size()) {
            return std::nullopt;
        }
        const std::size_t length = static_cast<unsigned char>(packet[at++]);
        if (length == 0) {
            break;
        }
        if (length > 63 || at + length > packet.size() || question.name.size() + length > 254) {
            return std::nullopt;
        }
        if (!question.name.empty()) {
            question.name += '.';
        }
        for (const char c : packet.substr(at, length)) {
            // A dot inside a label must not look like two labels.
            question.name += c == '.' ? '\x01' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        }
        at += length;
    }
    if (at + 4 > packet.size()) {
        return std::nullopt;
    }
    question.type = static_cast<std::uint16_t>(get16(packet, at));
    question.klass = static_cast<std::uint16_t>(get16(packet, at + 2));
    question.end = at + 4;
    return question;
}

std::string reply(std::string_view packet, const std::optional<Question>& question, unsigned code,
                  std::optional<std::uint32_t> address)
{
    std::string out(packet.substr(0, 2));
    const unsigned asked = static_cast<unsigned char>(packet[2]);
    // QR, the opcode and RD of the query, RA, the code.
    put16(out, 0x8000u | (asked & 0x79u) << 8 | 0x80u | code);
    put16(out, question ? 1 : 0);
    put16(out, address ? 1 : 0);
    put16(out, 0);
    put16(out, 0);
    if (question) {
        out.append(packet.substr(12, question->end - 12));
    }
    if (address) {
        put16(out, 0xC00C); // the question's name
        put16(out, 1);
        put16(out, 1);
        put16(out, kTimeToLive >> 16);
        put16(out, kTimeToLive & 0xFFFF);
        put16(out, 4);
        put16(out, *address >> 16);
        put16(out, *address & 0xFFFF);
    }
    return out;
}

} // namespace detail

} // namespace coldframe::guest
