// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_message.h"
#include "proxy/identity.h"

namespace coldframe::proxy {

/// What would make the request go through: a rule that allows the place, the end of the rule that denies it, or nothing that
/// a rule says (names that do not agree, a malformed request, a key that is meant for another host).
enum class Remedy { None, Allow, RemoveRule };

/// A request that got no server's answer, as its client is told.
struct Refusal
{
    Identity identity;
    std::string sandbox; ///< its id, for the commands
    std::string method;
    std::string path;
    std::string rule;   ///< as the record has it: "deny *.example.com (flag)", "mode locked"
    std::string ruleId; ///< of the rule that denies; for Remedy::RemoveRule
    std::string reason;
    bool isBlocked = true; ///< false: allowed, but the server could not be reached
    Remedy remedy = Remedy::None;
};

enum class RefusalForm { Json, Html, Text };

/// Who names text/html among what it accepts (RFC 9110, section 12.5.1) is a browser and its reader a person; who names text/plain gets
/// plain text; everybody else, agents and their tools, JSON. The one that is liked best counts, JSON before the others.
RefusalForm refusalForm(const HeaderList& headers);
std::string_view contentType(RefusalForm form);

/// Says what was blocked by which rule, that asking the user helps and retrying does not, and the commands for it. Everything in it that
/// the sandbox or a server chose is bounded and escaped; the page holds no script and loads nothing.
std::string refusalBody(RefusalForm form, const Refusal& refusal);

/// The page's Content-Security-Policy: it stands in the origin of the server that was not reached.
inline constexpr std::string_view kRefusalPagePolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

} // namespace coldframe::proxy
