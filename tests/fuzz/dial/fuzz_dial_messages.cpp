// SPDX-License-Identifier: Apache-2.0
// What the dialler reads: the proxy's requests, the engine's lines, and what a network's proxy script answered.
#include "dial/messages.h"
#include "dial/route.h"

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::dial;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text(data, data + size);
    if (const auto request = parseRequest(text)) {
        // The reply goes back to the same request and is one JSON object, whatever the host is.
        const auto reply = nlohmann::json::parse(makeReply(*request, false, "", request->host, ""), nullptr, false);
        require(reply.is_object() && reply["id"] == nlohmann::json::parse(request->id));
    }
    if (const auto line = parseEngineLine(text); line && line->type == EngineLine::Type::Route) {
        require(line->route.kind != Route::Kind::Proxy || (line->route.proxy.port != 0 && !line->route.proxy.host.empty()));
        (void)line->route.isExempt("api.example.com", 443);
        (void)line->route.isExempt("10.0.0.1", 443);
    }
    for (const auto& way : parseScriptAnswer(text)) {
        require(!way || (way->port != 0 && policy::normaliseHost(way->host).value_or("") == way->host));
    }
    return 0;
}
