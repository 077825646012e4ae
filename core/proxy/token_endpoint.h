// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/identity.h"
#include "proxy/service.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::proxy {

/// What a sandbox asks of a token endpoint (RFC 6749, sections 4.1.3 and 6).
struct TokenAsk
{
    std::string grantType; ///< empty: the body was not understood
    std::string refreshToken;
};

/// A form or a JSON object, whatever the content type says: servers are lenient. A field that stands twice makes it nothing.
TokenAsk readTokenAsk(std::string_view body);

/// The service whose tokens are made at this place, on any port; null: none. Every reading of the path counts.
const Service* serviceOfTokenPlace(const std::vector<Service>& services, const Identity& identity, const RequestTarget& target);

/// A token endpoint's reply with nothing but stand-ins, good for years.
std::string standInReply(const Service& service);
/// RFC 6749, section 5.2: the client is to ask its user to log in.
std::string overReply(const Service& service);

} // namespace coldframe::proxy
