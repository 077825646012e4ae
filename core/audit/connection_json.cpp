// SPDX-License-Identifier: Apache-2.0
#include "audit/connection_log.h"

#include <nlohmann/json.hpp>

namespace coldframe::audit {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxText = 4096;

struct TextField
{
    const char* name;
    std::string Connection::*member;
};

constexpr TextField kTexts[] = {
    {"time", &Connection::time},       {"sandbox", &Connection::sandbox}, {"source", &Connection::source},
    {"kind", &Connection::kind},       {"host", &Connection::host},       {"address", &Connection::address},
    {"method", &Connection::method},   {"path", &Connection::path},       {"verdict", &Connection::verdict},
    {"rule", &Connection::rule},       {"reason", &Connection::reason},   {"keyInjected", &Connection::keyInjected},
    {"protocol", &Connection::protocol}, {"process", &Connection::process}, {"how", &Connection::how}};

} // namespace

std::string toJson(const Connection& connection)
{
    Json json{{"id", connection.id},           {"port", connection.port},         {"status", connection.status},
              {"bytesIn", connection.bytesIn}, {"bytesOut", connection.bytesOut}, {"inspected", connection.inspected},
              {"count", connection.count},     {"open", connection.isOpen},     {"durationMs", connection.durationMs}};
    for (const TextField& field : kTexts) {
        json[field.name] = connection.*field.member;
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Connection> connectionFromJson(const std::string& text)
{
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) {
        return fail(ErrorCode::InvalidArgument, "A connection record is not a JSON object.");
    }
    const auto bad = [](const std::string& field) {
        return fail(ErrorCode::InvalidArgument, "A connection record's \"" + field + "\" has the wrong type.");
    };
    Connection connection;
    for (const TextField& field : kTexts) {
        const auto found = json.find(field.name);
        if (found == json.end() || found->is_null()) {
            continue;
        }
        if (!found->is_string()) {
            return bad(field.name);
        }
        connection.*field.member = found->get_ref<const std::string&>().substr(0, kMaxText);
    }
    const auto number = [&](const char* name, std::int64_t otherwise, std::int64_t maximum) -> Result<std::int64_t> {
        const auto found = json.find(name);
        if (found == json.end() || found->is_null()) {
            return otherwise;
        }
        if (!found->is_number_integer() || found->get<std::int64_t>() < 0 || found->get<std::int64_t>() > maximum) {
            return bad(name);
        }
        return found->get<std::int64_t>();
    };
    constexpr std::int64_t kMaxNumber = std::int64_t{1} << 53;
    COLDFRAME_TRY(connection.id, number("id", 0, kMaxNumber));
    COLDFRAME_TRY(const std::int64_t port, number("port", 0, 65535));
    connection.port = static_cast<std::uint16_t>(port);
    COLDFRAME_TRY(const std::int64_t status, number("status", 0, 999));
    connection.status = static_cast<int>(status);
    COLDFRAME_TRY(connection.bytesIn, number("bytesIn", 0, kMaxNumber));
    COLDFRAME_TRY(connection.bytesOut, number("bytesOut", 0, kMaxNumber));
    COLDFRAME_TRY(connection.count, number("count", 1, kMaxNumber));
    COLDFRAME_TRY(connection.durationMs, number("durationMs", 0, kMaxNumber));
    for (const auto& [name, member] : {std::pair("inspected", &Connection::inspected), std::pair("open", &Connection::isOpen)}) {
        const auto found = json.find(name);
        if (found == json.end()) {
            continue;
        }
        if (!found->is_boolean()) {
            return bad(name);
        }
        connection.*member = found->get<bool>();
    }
    // Not part of the API: proxy and log tell by it which end belongs to which beginning.
    if (const auto ref = json.find("ref"); ref != json.end() && ref->is_string()) {
        connection.ref = ref->get_ref<const std::string&>().substr(0, 64);
    }
    return connection;
}

} // namespace coldframe::audit
