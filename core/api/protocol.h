// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

/// The messages of PROTOCOL.md as text and values; no sockets here.
namespace coldframe::api {

inline constexpr int kProtocolVersion = 1;
inline constexpr std::size_t kMaxLine = 1u << 20; ///< bytes of one message, newline not counted

/// JSON-RPC 2.0, section 5.1, and Coldframe's own code for everything that is not a malformed message.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kFailed = -32000;

/// What a request with "progress": true hears on the way.
struct Progress
{
    std::string stage; ///< stable word for programs ("image", "boot", "workspace")
    std::string text;  ///< a few words for people
    std::int64_t done = 0;
    std::int64_t total = 0; ///< 0: unknown
};

/// Splits a stream of bytes into lines. A line over maxLine is a Protocol error that sticks.
class LineSplitter
{
public:
    explicit LineSplitter(std::size_t maxLine = kMaxLine) : m_maxLine(maxLine) {}
    void feed(std::string_view bytes) { m_buffer.append(bytes); }
    /// The next line without its newline (and without a carriage return before it), or nothing yet.
    Result<std::optional<std::string>> next();

private:
    std::string m_buffer;
    std::size_t m_taken = 0;   ///< given out already
    std::size_t m_scanned = 0; ///< known to hold no newline
    std::size_t m_maxLine;
    bool m_failed = false;
};

/// One line from a client, checked: either a request, a notification (no id) or an answer to send back at once.
struct ParsedRequest
{
    enum class Kind { Request, Notification, Malformed };
    Kind kind = Kind::Malformed;
    std::string id;      ///< the id as JSON text (`7`, `"a"`), unique per running request of a connection
    std::string method;
    std::string params;  ///< an object as JSON text; `{}` when there was none
    std::string answer;  ///< Malformed only: the error line
};
ParsedRequest parseRequest(std::string_view line);

/// One line from an engine.
struct ParsedMessage
{
    enum class Kind { Answer, Notification, Malformed };
    Kind kind = Kind::Malformed;
    std::optional<std::int64_t> id; ///< of an answer to one of our requests, which all have whole-number ids
    std::string method;
    Result<std::string> body = std::string("null"); ///< result, or params of a notification, as JSON text; or the error
};
ParsedMessage parseMessage(std::string_view line);

/// Lines, newline included. `id` and `params`/`result` are JSON text.
std::string requestLine(std::int64_t id, std::string_view method, const nlohmann::json& params);
std::string notificationLine(std::string_view method, const nlohmann::json& params);
std::string resultLine(std::string_view id, const nlohmann::json& result);
std::string errorLine(std::string_view id, int code, std::string_view message);
std::string errorLine(std::string_view id, const Error& error);
std::string progressLine(std::string_view id, const Progress& progress);

/// The reverse of errorCodeName(); Internal for an unknown word.
ErrorCode errorCodeFromName(std::string_view name);

/// {"code","message","detail"}: the payload of a Failure frame.
std::string encodeFailure(const Error& error);
Error decodeFailure(std::string_view payload);

/// What a Dispatcher returns for a method it does not have; becomes JSON-RPC's -32601.
Error unknownMethod(std::string_view method);
bool isUnknownMethod(const Error& error);

/// Any text as JSON may carry it: bytes that are not UTF-8 become U+FFFD.
std::string toJsonText(const nlohmann::json& value);

} // namespace coldframe::api
