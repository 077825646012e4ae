// SPDX-License-Identifier: Apache-2.0
#include "proxy/client_hello.h"

#include <cstdint>

namespace coldframe::proxy {

namespace {

/// Reads big-endian integers and vectors; once it has failed it stays failed and gives zeros.
class Reader
{
public:
    explicit Reader(std::string_view bytes) : m_bytes(bytes) {}

    std::size_t integer(std::size_t width)
    {
        if (m_bytes.size() < width) {
            m_failed = true;
            m_bytes = {};
            return 0;
        }
        std::size_t value = 0;
        for (std::size_t i = 0; i < width; ++i) {
            value = value * 256 + static_cast<std::uint8_t>(m_bytes[i]);
        }
        m_bytes.remove_prefix(width);
        return value;
    }
    std::string_view bytes(std::size_t count)
    {
        if (m_bytes.size() < count) {
            m_failed = true;
            m_bytes = {};
            return {};
        }
        const std::string_view result = m_bytes.substr(0, count);
        m_bytes.remove_prefix(count);
        return result;
    }
    std::string_view vector(std::size_t lengthWidth) { return bytes(integer(lengthWidth)); }
    bool isEmpty() const { return m_bytes.empty(); }
    bool hasFailed() const { return m_failed; }

private:
    std::string_view m_bytes;
    bool m_failed = false;
};

constexpr std::size_t kServerNameExtension = 0;
constexpr std::size_t kAlpnExtension = 16;
constexpr std::size_t kMaxMethod = 20;
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool readServerName(std::string_view extension, std::string& name)
{
    Reader outer(extension);
    Reader list(outer.vector(2));
    const std::size_t type = list.integer(1);
    const std::string_view value = list.vector(2);
    // RFC 6066: at most one name of a type; host_name is the only type there is.
    if (outer.hasFailed() || list.hasFailed() || !list.isEmpty() || !outer.isEmpty() || type != 0 || value.empty()) {
        return false;
    }
    name = value;
    return true;
}

bool readAlpn(std::string_view extension, std::vector<std::string>& alpn)
{
    Reader outer(extension);
    Reader list(outer.vector(2));
    while (!list.isEmpty()) {
        const std::string_view protocol = list.vector(1);
        if (protocol.empty() || alpn.size() >= 32) {
            return false;
        }
        alpn.emplace_back(protocol);
    }
    return !outer.hasFailed() && !list.hasFailed() && outer.isEmpty();
}

bool readBody(std::string_view body, ClientHello& hello)
{
    Reader reader(body);
    reader.integer(2); // legacy_version
    reader.bytes(32);  // random
    reader.vector(1);  // legacy_session_id
    reader.vector(2);  // cipher_suites
    reader.vector(1);  // legacy_compression_methods
    if (reader.hasFailed()) {
        return false;
    }
    if (reader.isEmpty()) {
        return true;
    }
    Reader extensions(reader.vector(2));
    bool seenName = false;
    bool seenAlpn = false;
    while (!extensions.isEmpty()) {
        const std::size_t type = extensions.integer(2);
        const std::string_view value = extensions.vector(2);
        if (extensions.hasFailed()) {
            return false;
        }
        // RFC 8446, section 4.2: no extension twice; two names would be two identities.
        if (type == kServerNameExtension) {
            if (seenName || !readServerName(value, hello.serverName)) {
                return false;
            }
            seenName = true;
        } else if (type == kAlpnExtension) {
            if (seenAlpn || !readAlpn(value, hello.alpn)) {
                return false;
            }
            seenAlpn = true;
        }
    }
    return !reader.hasFailed() && reader.isEmpty();
}

} // namespace

Protocol sniffProtocol(std::string_view firstBytes)
{
    if (firstBytes.empty()) {
        return Protocol::Undecided;
    }
    if (firstBytes[0] == 0x16) {
        if (firstBytes.size() < 2) {
            return Protocol::Undecided;
        }
        return firstBytes[1] == 3 ? Protocol::Tls : Protocol::Other;
    }
    if (firstBytes.starts_with(kHttp2Preface)) {
        return Protocol::Http2;
    }
    if (kHttp2Preface.starts_with(firstBytes)) {
        return Protocol::Undecided;
    }
    if (firstBytes.starts_with("SSH-")) {
        return Protocol::Other;
    }
    // What a lenient server would take for HTTP is HTTP here too, so that it meets the strict parser and not a raw tunnel:
    // empty lines first, a method in any letters, any white space.
    const std::size_t start = firstBytes.find_first_not_of("\r\n\t ");
    if (start == std::string_view::npos) {
        return firstBytes.size() < kMaxMethod ? Protocol::Undecided : Protocol::Http;
    }
    const std::string_view line = firstBytes.substr(start);
    std::size_t length = 0;
    while (length < line.size() && length < kMaxMethod && (isLetter(line[length]) || (length > 0 && line[length] == '-'))) {
        ++length;
    }
    if (length == line.size() && length < kMaxMethod) {
        return Protocol::Undecided;
    }
    if (length == 0 || length == kMaxMethod || (line[length] != ' ' && line[length] != '\t')) {
        return Protocol::Other;
    }
    const std::size_t target = line.find_first_not_of("\t ", length);
    if (target == std::string_view::npos) {
        return line.size() < 2 * kMaxMethod ? Protocol::Undecided : Protocol::Http;
    }
    if (line[target] == '/' || line[target] == '*') {
        return Protocol::Http;
    }
    static constexpr std::string_view kScheme = "http";
    const std::string_view rest = line.substr(target, kScheme.size());
    for (std::size_t i = 0; i < rest.size(); ++i) {
        if ((rest[i] | 0x20) != kScheme[i]) {
            return Protocol::Other;
        }
    }
    return rest.size() == kScheme.size() ? Protocol::Http : Protocol::Undecided;
}

ClientHello parseClientHello(std::string_view bytes)
{
    ClientHello hello;
    hello.state = ClientHello::State::Malformed;
    std::string message;
    while (true) {
        if (message.size() >= 4) {
            Reader header(message);
            const std::size_t type = header.integer(1);
            const std::size_t length = header.integer(3);
            if (type != 1 || length > kMaxClientHello) {
                return hello;
            }
            if (message.size() >= 4 + length) {
                hello.state = readBody(std::string_view(message).substr(4, length), hello) ? ClientHello::State::Complete
                                                                                           : ClientHello::State::Malformed;
                return hello;
            }
        }
        if (bytes.size() < 5) {
            hello.state = ClientHello::State::Incomplete;
            return hello;
        }
        Reader record(bytes);
        const std::size_t type = record.integer(1);
        const std::size_t major = record.integer(1);
        record.integer(1);
        const std::size_t length = record.integer(2);
        // RFC 8446, section 5.1: at most 2^14 bytes, never empty for a handshake.
        if (type != 22 || major != 3 || length == 0 || length > 16384) {
            return hello;
        }
        if (bytes.size() < 5 + length) {
            hello.state = message.size() + bytes.size() > kMaxClientHello + 16384 ? ClientHello::State::Malformed
                                                                                  : ClientHello::State::Incomplete;
            return hello;
        }
        message.append(record.bytes(length));
        bytes.remove_prefix(5 + length);
        if (message.size() > kMaxClientHello + 4) {
            return hello;
        }
    }
}

} // namespace coldframe::proxy
