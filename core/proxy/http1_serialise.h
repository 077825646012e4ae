// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_message.h"
#include "proxy/refusal.h"

namespace coldframe::proxy {

/// Removes what belongs to one hop only (RFC 9110, section 7.6.1): Connection and what it names, Keep-Alive, Proxy-*, TE,
/// Transfer-Encoding, Content-Length, Upgrade; and Coldframe's own x-coldframe-* fields.
void removeHopByHop(HeaderList& headers);

/// A request head in origin form towards the server, from parsed parts only. `pathAndQuery` and `host` come from the identity
/// check. The framing is stated anew; an upgrade is asked for only when `upgrade` is set.
std::string serialiseRequest(const RequestHead& request, std::string_view pathAndQuery, std::string_view host,
                             std::string_view upgrade);

/// How a reply's body goes to the client.
struct ResponseFraming
{
    Framing framing = Framing::None;
    std::uint64_t contentLength = 0;
    bool stateLength = false; ///< Content-Length although no body follows (HEAD, 304, or a length of 0)
    bool keepAlive = true;
    std::string upgrade;      ///< set for a 101
};
/// Chooses the framing for a client that speaks HTTP/1.`clientMinorVersion`.
ResponseFraming chooseFraming(const ResponseHead& response, int clientMinorVersion, bool keepAlive);
std::string serialiseResponse(const ResponseHead& response, const ResponseFraming& framing);

void appendChunk(std::string& out, std::string_view data);
void appendLastChunk(std::string& out, const HeaderList& trailers);

/// A whole small reply made by the proxy itself.
std::string makeReply(int status, RefusalForm form, std::string_view body, bool keepAlive, bool withBody = true);
std::string_view reasonPhrase(int status);

} // namespace coldframe::proxy
