// SPDX-License-Identifier: Apache-2.0
#include "api/protocol.h"

#include <array>
#include <nlohmann/json.hpp>

namespace coldframe::api {

using nlohmann::json;

namespace {

constexpr std::string_view kUnknownMethodDetail = "unknown method";
constexpr std::size_t kMaxIdText = 128;
constexpr int kMaxDepth = 64;

/// Parses without letting hostile nesting run the stack down: the parser recurses when a value is destroyed.
std::optional<json> parseBounded(std::string_view text)
{
    bool tooDeep = false;
    const json::parser_callback_t watchDepth = [&tooDeep](int depth, json::parse_event_t, json&) {
        tooDeep = tooDeep || depth > kMaxDepth;
        return !tooDeep;
    };
    json value = json::parse(text, watchDepth, /*allow_exceptions=*/false);
    if (tooDeep || value.is_discarded()) {
        return std::nullopt;
    }
    return value;
}

ParsedRequest malformed(std::string_view id, int code, std::string_view message)
{
    ParsedRequest parsed;
    parsed.answer = errorLine(id, code, message);
    return parsed;
}

std::string stringOr(const json& object, const char* key, std::string fallback)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::move(fallback);
}

Error errorFromJson(const json& error)
{
    Error out{ErrorCode::Protocol, "The engine's answer could not be understood; update Coldframe.", {}};
    if (!error.is_object()) {
        return out;
    }
    out.message = stringOr(error, "message", out.message);
    const auto data = error.find("data");
    if (data != error.end() && data->is_object()) {
        out.code = errorCodeFromName(stringOr(*data, "code", "internal"));
        out.detail = stringOr(*data, "detail", {});
        return out;
    }
    const auto code = error.find("code");
    if (code != error.end() && code->is_number_integer()) {
        const auto number = code->get<std::int64_t>();
        out.code = number == kInvalidParams ? ErrorCode::InvalidArgument : ErrorCode::Protocol;
        out.detail = "JSON-RPC error " + std::to_string(number);
    }
    return out;
}

} // namespace

std::string toJsonText(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Result<std::optional<std::string>> LineSplitter::next()
{
    if (!m_failed) {
        const std::size_t end = m_buffer.find('\n', std::max(m_scanned, m_taken));
        const std::size_t length = (end == std::string::npos ? m_buffer.size() : end) - m_taken;
        m_failed = length > m_maxLine;
        if (!m_failed && end != std::string::npos) {
            std::string line = m_buffer.substr(m_taken, length);
            if (!line.empty() && line.back() == '\r') {
                line.pop_back();
            }
            m_taken = end + 1;
            m_scanned = m_taken;
            return std::optional<std::string>(std::move(line));
        }
    }
    if (m_failed) {
        m_buffer.clear();
        m_taken = m_scanned = 0;
        return fail(ErrorCode::Protocol, "The message is longer than 1 MiB.");
    }
    m_buffer.erase(0, m_taken);
    m_taken = 0;
    m_scanned = m_buffer.size();
    return std::optional<std::string>{};
}

ParsedRequest parseRequest(std::string_view line)
{
    std::optional<json> message = parseBounded(line);
    if (!message) {
        return malformed("null", kParseError, "The message is not valid JSON.");
    }
    if (!message->is_object()) {
        return malformed("null", kInvalidRequest, "The message is not a request object; send one request a line.");
    }
    const auto id = message->find("id");
    std::string idText = "null";
    if (id != message->end()) {
        // JSON-RPC 2.0, section 4: "MUST contain a String, Number, or NULL value"; null is of no use here.
        if (!id->is_string() && !id->is_number_integer()) {
            return malformed("null", kInvalidRequest, "The request's id is neither a whole number nor a text.");
        }
        idText = toJsonText(*id);
        if (idText.size() > kMaxIdText) {
            return malformed("null", kInvalidRequest, "The request's id is too long.");
        }
    }
    if (stringOr(*message, "jsonrpc", {}) != "2.0") {
        return malformed(idText, kInvalidRequest, "The request does not say \"jsonrpc\": \"2.0\".");
    }
    const std::string method = stringOr(*message, "method", {});
    if (method.empty() || method.size() > 64) {
        return malformed(idText, kInvalidRequest, "The request names no method.");
    }
    const auto params = message->find("params");
    if (params != message->end() && !params->is_object()) {
        return malformed(idText, kInvalidParams, "The parameters are not an object.");
    }
    ParsedRequest parsed;
    parsed.kind = id == message->end() ? ParsedRequest::Kind::Notification : ParsedRequest::Kind::Request;
    parsed.id = std::move(idText);
    parsed.method = method;
    parsed.params = params == message->end() ? "{}" : toJsonText(*params);
    return parsed;
}

ParsedMessage parseMessage(std::string_view line)
{
    ParsedMessage parsed;
    std::optional<json> message = parseBounded(line);
    if (!message || !message->is_object()) {
        return parsed;
    }
    parsed.method = stringOr(*message, "method", {});
    if (!parsed.method.empty()) {
        parsed.kind = ParsedMessage::Kind::Notification;
        const auto params = message->find("params");
        parsed.body = params == message->end() ? std::string("{}") : toJsonText(*params);
        return parsed;
    }
    const auto id = message->find("id");
    if (id != message->end() && id->is_number_integer()) {
        parsed.id = id->get<std::int64_t>();
    }
    const auto error = message->find("error");
    const auto result = message->find("result");
    if (error != message->end()) {
        parsed.kind = ParsedMessage::Kind::Answer;
        parsed.body = tl::unexpected(errorFromJson(*error));
    } else if (result != message->end()) {
        parsed.kind = ParsedMessage::Kind::Answer;
        parsed.body = toJsonText(*result);
    }
    return parsed;
}

std::string requestLine(std::int64_t id, std::string_view method, const json& params)
{
    return toJsonText({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}) + "\n";
}

std::string notificationLine(std::string_view method, const json& params)
{
    return toJsonText({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}}) + "\n";
}

std::string resultLine(std::string_view id, const json& result)
{
    std::string line = R"({"jsonrpc":"2.0","id":)";
    line.append(id).append(R"(,"result":)").append(toJsonText(result)).append("}\n");
    return line;
}

std::string errorLine(std::string_view id, int code, std::string_view message)
{
    std::string line = R"({"jsonrpc":"2.0","id":)";
    const json error = {{"code", code}, {"message", message}};
    line.append(id).append(R"(,"error":)").append(toJsonText(error)).append("}\n");
    return line;
}

std::string errorLine(std::string_view id, const Error& error)
{
    if (isUnknownMethod(error)) {
        return errorLine(id, kMethodNotFound, error.message);
    }
    std::string line = R"({"jsonrpc":"2.0","id":)";
    const json body = {{"code", kFailed},
                       {"message", error.message},
                       {"data", {{"code", errorCodeName(error.code)}, {"detail", error.detail}}}};
    line.append(id).append(R"(,"error":)").append(toJsonText(body)).append("}\n");
    return line;
}

std::string progressLine(std::string_view id, const Progress& progress)
{
    json params = {{"stage", progress.stage},
                   {"text", progress.text},
                   {"done", progress.done},
                   {"total", progress.total}};
    params["id"] = json::parse(id, nullptr, false);
    return notificationLine("progress", params);
}

ErrorCode errorCodeFromName(std::string_view name)
{
    static constexpr std::array kCodes = {
        ErrorCode::InvalidArgument, ErrorCode::NotFound,  ErrorCode::AlreadyExists, ErrorCode::NotAllowed,
        ErrorCode::Unavailable,     ErrorCode::Busy,      ErrorCode::Timeout,       ErrorCode::Cancelled,
        ErrorCode::NoSpace,         ErrorCode::Corrupt,   ErrorCode::Protocol,      ErrorCode::Closed,
        ErrorCode::Io,              ErrorCode::Internal};
    for (const ErrorCode code : kCodes) {
        if (errorCodeName(code) == name) {
            return code;
        }
    }
    return ErrorCode::Internal;
}

std::string encodeFailure(const Error& error)
{
    return toJsonText({{"code", errorCodeName(error.code)}, {"message", error.message}, {"detail", error.detail}});
}

Error decodeFailure(std::string_view payload)
{
    const std::optional<json> value = parseBounded(payload);
    if (!value || !value->is_object()) {
        return Error{ErrorCode::Protocol, "The program was not started, and the reason could not be read.", {}};
    }
    return Error{errorCodeFromName(stringOr(*value, "code", "internal")),
                 stringOr(*value, "message", "The program was not started."), stringOr(*value, "detail", {})};
}

Error unknownMethod(std::string_view method)
{
    return Error{ErrorCode::Protocol,
                 "This engine does not know the request “" + std::string(method) +
                     "”; it may be older than the program that asked.",
                 std::string(kUnknownMethodDetail)};
}

bool isUnknownMethod(const Error& error)
{
    return error.code == ErrorCode::Protocol && error.detail == kUnknownMethodDetail;
}

} // namespace coldframe::api
