// SPDX-License-Identifier: Apache-2.0
#include "dial/messages.h"

#include <nlohmann/json.hpp>

namespace coldframe::dial {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxId = 64;

Json parseObject(std::string_view text)
{
    const Json::parser_callback_t limitDepth = [](int depth, Json::parse_event_t, Json&) { return depth < 10; };
    return Json::parse(text, limitDepth, false);
}

} // namespace

Result<Request> parseRequest(std::string_view packet)
{
    const Json json = packet.size() <= kMaxPacket ? parseObject(packet) : Json();
    if (!json.is_object()) {
        return fail(ErrorCode::Protocol, "The proxy sent something that is not a request.");
    }
    const auto id = json.find("id");
    const auto host = json.find("host");
    const auto port = json.find("port");
    if (id == json.end() || !(id->is_string() || id->is_number_integer()) || host == json.end() || !host->is_string()
        || port == json.end() || !port->is_number_unsigned() || port->get<std::uint64_t>() > 65535) {
        return fail(ErrorCode::Protocol, "The proxy's request lacks an id, a host or a port.");
    }
    Request request;
    request.id = id->dump(-1, ' ', true, Json::error_handler_t::replace);
    if (request.id.size() > kMaxId) {
        return fail(ErrorCode::Protocol, "The proxy's request has an id that is too long.");
    }
    request.host = host->get<std::string>();
    request.port = static_cast<std::uint16_t>(port->get<std::uint64_t>());
    return request;
}

std::string makeReply(const Request& request, bool ok, const std::string& address, const std::string& reason,
                      const std::string& rule)
{
    const Json json{{"id", Json::parse(request.id, nullptr, false)},
                    {"ok", ok},
                    {"address", address},
                    {"reason", reason},
                    {"rule", rule}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::optional<policy::PolicySet>> parseEngineLine(std::string_view line)
{
    const Json json = parseObject(line);
    const auto type = json.is_object() ? json.find("type") : json.end();
    if (!json.is_object() || type == json.end() || !type->is_string()) {
        return fail(ErrorCode::Protocol, "The engine sent something that is not a message.");
    }
    if (*type == "shutdown") {
        return std::nullopt;
    }
    const auto policyJson = json.find("policy");
    if ((*type != "setup" && *type != "policy") || policyJson == json.end()) {
        return fail(ErrorCode::Protocol, "The engine sent a message without a policy.");
    }
    COLDFRAME_TRY(policy::PolicySet policy, policy::policyFromJson(policyJson->dump()));
    return std::optional(std::move(policy));
}

} // namespace coldframe::dial
