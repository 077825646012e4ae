// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::guest {

// Addresses are in host byte order throughout.
inline constexpr std::uint32_t kAgentAddress = 0xC6120001; ///< 198.18.0.1: name service
inline constexpr std::uint32_t kHostAddress =
    0xC6120002; ///< 198.18.0.2: host.docker.internal, explicit proxy
inline constexpr const char* kHostName = "host.docker.internal";

inline bool isSynthetic(std::uint32_t address)
{
    return (address & 0xFFFE0000u) == 0xC6120000u;
}

/// Which names exist at all: several labels of letters, digits, '-' and '_', and none of the special-use ones
/// (RFC 6761, .local, .internal and so on). `name` in lower case without the final dot.
bool mayExist(std::string_view name);

/// One synthetic address per name, for the whole life of the disk: the map is kept in a file and an address
/// is never given twice, not even after a crash (a reserve is written ahead of use). Not thread-safe.
class NameMap
{
public:
    static constexpr std::size_t kCapacity = 100'000;

    /// Reads the file, made when missing; damaged lines are skipped.
    static Result<NameMap> open(const std::filesystem::path& file, std::size_t capacity = kCapacity);

    /// The name's address, given now when it is new. Nothing when the map is full or the file cannot be
    /// written.
    std::optional<std::uint32_t> addressOf(const std::string& name);
    std::optional<std::string> nameOf(std::uint32_t address) const;
    /// Before the disk is unmounted: what is known stays known, nothing new is given.
    void closeFile() { m_file.reset(); }

private:
    std::size_t m_capacity = kCapacity;
    UniqueFd m_file;
    std::map<std::string, std::uint32_t, std::less<>> m_offsets;
    std::vector<const std::string*> m_names; ///< by offset
    std::uint32_t m_next = 0;
    std::uint32_t m_reserved = 0;
};

struct DnsReply
{
    enum class Kind { Address, NoSuchName, Failure } kind = Kind::NoSuchName;
    std::uint32_t address = 0;
};

/// What the name service says about a name.
DnsReply resolve(NameMap& map, const std::string& name);

/// The reply to a query packet (RFC 1035, section 4), nothing when it is not one. Only A has content; every
/// other type of an existing name is an empty answer. `lookUp` gets the name in lower case, without the final
/// dot.
template <typename LookUp> std::optional<std::string> answerQuery(std::string_view packet, LookUp lookUp);

namespace detail {
struct Question
{
    std::string name;
    std::uint16_t type = 0;
    std::uint16_t klass = 0;
    std::size_t end = 0; ///< offset after it
};
bool isQuery(std::string_view packet);
std::optional<Question> parseQuestion(std::string_view packet);
std::string reply(std::string_view packet, const std::optional<Question>& question, unsigned code,
                  std::optional<std::uint32_t> address);
} // namespace detail

template <typename LookUp> std::optional<std::string> answerQuery(std::string_view packet, LookUp lookUp)
{
    if (!detail::isQuery(packet)) {
        return std::nullopt;
    }
    const auto question = detail::parseQuestion(packet);
    if (!question) {
        const bool isStandard = (static_cast<unsigned char>(packet[2]) & 0x78) == 0;
        return detail::reply(packet, std::nullopt, isStandard ? 1 : 4, std::nullopt); // FORMERR, NOTIMP
    }
    const DnsReply found = lookUp(question->name);
    if (found.kind != DnsReply::Kind::Address) {
        return detail::reply(packet, question, found.kind == DnsReply::Kind::NoSuchName ? 3 : 2,
                             std::nullopt);
    }
    const bool wantsAddress = question->type == 1 && question->klass == 1;
    return detail::reply(packet, question, 0, wantsAddress ? std::optional(found.address) : std::nullopt);
}

} // namespace coldframe::guest
