// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace coldframe::proxy {

/// A refusal in HTTP's own terms: the status a client (or, for a reply, 502) should see and one sentence of reason.
struct HttpError
{
    int status = 400;
    std::string reason;
};
template <typename T> using HttpResult = tl::expected<T, HttpError>;

bool equalsIgnoringCase(std::string_view a, std::string_view b);
std::string lowerCase(std::string_view text);

struct HeaderField
{
    std::string name; ///< as received; compared without case
    std::string value; ///< without surrounding white space
};

/// Header fields in their order. Names compare without case.
class HeaderList
{
public:
    const std::vector<HeaderField>& fields() const { return m_fields; }
    std::vector<HeaderField>& fields() { return m_fields; }
    void add(std::string name, std::string value) { m_fields.push_back({std::move(name), std::move(value)}); }
    /// The first value, or null.
    const std::string* find(std::string_view name) const;
    std::size_t count(std::string_view name) const;
    void remove(std::string_view name);
    /// Removes every field of that name, then adds one.
    void set(std::string name, std::string value);
    /// Whether one of the comma-separated members of any field `name` is `token`, without case.
    bool hasToken(std::string_view name, std::string_view token) const;
    /// All comma-separated members of all fields `name`, trimmed, lower case, empty ones left out.
    std::vector<std::string> tokens(std::string_view name) const;

private:
    std::vector<HeaderField> m_fields;
};

/// How the end of a message body is known (RFC 9112, section 6.3). Exactly one, decided once while parsing.
enum class Framing { None, Length, Chunked, UntilClose };

struct RequestHead
{
    std::string method;
    std::string target; ///< as received; origin-, absolute- or asterisk-form is told apart by the identity check
    int minorVersion = 1;
    HeaderList headers;
    Framing framing = Framing::None;
    std::uint64_t contentLength = 0;
    bool keepAlive = true;
    bool expectContinue = false;
    std::string upgrade; ///< lower-case token of an asked-for upgrade, empty = none
};

struct ResponseHead
{
    int status = 0;
    std::string reason;
    int minorVersion = 1;
    HeaderList headers;
    Framing framing = Framing::None;
    std::uint64_t contentLength = 0;
    bool keepAlive = true;
};

} // namespace coldframe::proxy
