// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::proxy {

/// What the first bytes of a connection are.
enum class Protocol { Undecided, Tls, Http, Http2, Other };
/// Undecided = more bytes are needed (only while they could still become an HTTP method or a TLS record). Http2 is HTTP/2 by prior knowledge
/// (RFC 9113, section 3.3): its whole preface, from the first byte on. Anything like it is Http, whose parser refuses it.
Protocol sniffProtocol(std::string_view firstBytes);

/// The longest ClientHello looked at; post-quantum key shares make them several kilobytes, over several records.
inline constexpr std::size_t kMaxClientHello = 64 * 1024;

struct ClientHello
{
    enum class State { Incomplete, Complete, Malformed };
    State state = State::Incomplete;
    std::string serverName; ///< as sent, empty without the extension
    std::vector<std::string> alpn;
};

/// Reads server name and ALPN of a ClientHello (RFC 8446, section 4.1.2; RFC 6066, section 3) out of the TLS records at the
/// start of `bytes`. Pure; call again with more bytes while Incomplete. More than kMaxClientHello is Malformed.
ClientHello parseClientHello(std::string_view bytes);

} // namespace coldframe::proxy
