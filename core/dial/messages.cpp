// SPDX-License-Identifier: Apache-2.0
#include "dial/messages.h"

#include "base/secret.h"
#include "policy/policy_json.h"

#include <nlohmann/json.hpp>

namespace coldframe::dial {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxId = 64;

Json parseObject(std::string_view text)
{
    return policy::isNestedDeeper(text, 10) ? Json() : Json::parse(text, nullptr, false);
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

Result<EngineLine> parseEngineLine(std::string_view line)
{
    const Json json = parseObject(line);
    const auto type = json.is_object() ? json.find("type") : json.end();
    if (!json.is_object() || type == json.end() || !type->is_string()) {
        return fail(ErrorCode::Protocol, "The engine sent something that is not a message.");
    }
    EngineLine result;
    if (*type == "shutdown") {
        result.type = EngineLine::Type::Shutdown;
        return result;
    }
    if (*type == "route" && json.contains("route")) {
        result.type = EngineLine::Type::Route;
        COLDFRAME_TRY(result.route, routeFromJson(json["route"]));
        return result;
    }
    if (*type == "route-password") {
        const auto length = json.find("length");
        if (length == json.end() || !length->is_number_unsigned() || length->get<std::uint64_t>() > SecretBuffer::kMaxSize) {
            return fail(ErrorCode::Protocol, "The engine announced a password that cannot be one.");
        }
        result.type = EngineLine::Type::RoutePassword;
        result.length = length->get<std::size_t>();
        return result;
    }
    const auto policyJson = json.find("policy");
    if ((*type != "setup" && *type != "policy") || policyJson == json.end()) {
        return fail(ErrorCode::Protocol, "The engine sent a message without a policy.");
    }
    result.type = EngineLine::Type::Policy;
    COLDFRAME_TRY(result.policy, policy::policyFromParsed(*policyJson));
    return result;
}

} // namespace coldframe::dial
