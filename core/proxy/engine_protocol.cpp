// SPDX-License-Identifier: Apache-2.0
#include "proxy/engine_protocol.h"

#include "policy/policy_json.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace coldframe::proxy {

namespace {

using Json = nlohmann::json;

constexpr std::uint8_t kServiceFrame = 1;
constexpr std::uint8_t kKeyFrame = 2;
constexpr std::uint8_t kEndFrame = 3;
constexpr std::size_t kFrameHeader = 5;

std::string howItTravelled(const ConnectionEvent& event)
{
    if (event.how == "reported" || event.verdict == "denied") {
        return event.how == "reported" ? event.how : "refused";
    }
    if (!event.how.empty()) {
        return event.how;
    }
    return !event.inspected ? "raw" : event.protocol == "https" ? "intercepted" : "plain";
}

std::string line(const Json& json)
{
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// An object of JSON written field by field. One is made for every request, and a tree of values for each was an eighth of
/// what a request costs.
class ObjectWriter
{
public:
    explicit ObjectWriter(std::string& out) : m_out(out) { m_out += '{'; }
    void text(std::string_view name, std::string_view value)
    {
        begin(name);
        const bool isPlain = std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
        if (isPlain) {
            m_out.append(1, '"').append(value).append(1, '"');
        } else {
            m_out += Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
        }
    }
    template <typename Number> void number(std::string_view name, Number value)
    {
        begin(name);
        m_out += std::to_string(value);
    }
    void flag(std::string_view name, bool value)
    {
        begin(name);
        m_out += value ? "true" : "false";
    }
    void end() { m_out += '}'; }

private:
    void begin(std::string_view name)
    {
        m_out.append(std::exchange(m_isFirst, false) ? "\"" : ",\"").append(name).append("\":");
    }
    std::string& m_out;
    bool m_isFirst = true;
};

Result<Setup> readSetup(Json& json)
{
    Setup setup;
    setup.sandbox = json.at("sandbox").get<std::string>();
    setup.caCertificatePem = json.at("caCertificatePem").get<std::string>();
    setup.caKeyPem = json.at("caKeyPem").get<std::string>();
    wipe(json["caKeyPem"].get_ref<std::string&>());
    COLDFRAME_TRY(setup.policy, policy::policyFromParsed(json.at("policy")));
    if (json.contains("upstreamCaPem")) {
        setup.trustedPems = json.at("upstreamCaPem").get<std::vector<std::string>>();
    }
    if (json.contains("useSystemTrust") && json.at("useSystemTrust").is_string()) {
        setup.trustedPems.push_back(json.at("useSystemTrust").get<std::string>());
    }
    if (json.contains("services")) {
        COLDFRAME_TRY(setup.services, servicesFromJson(json.at("services").dump()));
    }
    setup.cookie = json.value("cookie", std::string());
    return setup;
}

} // namespace

void EngineDecoder::feed(std::string_view bytes)
{
    // The old storage may hold key bytes: it is wiped rather than left to a reallocation.
    if (m_buffer.capacity() - m_buffer.size() < bytes.size()) {
        std::string larger;
        larger.reserve(std::max<std::size_t>(65536, (m_buffer.size() + bytes.size()) * 2));
        larger.append(m_buffer);
        std::swap(larger, m_buffer);
        wipe(larger);
    }
    m_buffer.append(bytes);
}

void EngineDecoder::consume(std::size_t count)
{
    const std::size_t left = m_buffer.size() - count;
    std::memmove(m_buffer.data(), m_buffer.data() + count, left);
    ::explicit_bzero(m_buffer.data() + left, count);
    m_buffer.resize(left);
    m_scanned = 0;
}

Result<std::optional<EngineMessage>> EngineDecoder::next()
{
    if (m_failed) {
        return tl::unexpected(*m_failed);
    }
    auto message = m_inKeys ? nextFrame() : nextLine();
    if (!message) {
        m_failed = message.error();
    }
    return message;
}

Result<std::optional<EngineMessage>> EngineDecoder::nextFrame()
{
    while (m_buffer.size() >= kFrameHeader) {
        const auto byte = [this](std::size_t i) { return static_cast<std::size_t>(static_cast<std::uint8_t>(m_buffer[i])); };
        const std::size_t type = byte(0);
        const std::size_t length = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
        if (length > SecretBuffer::kMaxSize || type < kServiceFrame || type > kEndFrame) {
            return fail(ErrorCode::Protocol, "The engine sent a key frame that is malformed.");
        }
        if (m_buffer.size() < kFrameHeader + length) {
            return std::nullopt;
        }
        const std::string_view payload = std::string_view(m_buffer).substr(kFrameHeader, length);
        EngineMessage message;
        if (type == kServiceFrame) {
            m_service = payload;
            consume(kFrameHeader + length);
            continue;
        }
        if (type == kEndFrame) {
            consume(kFrameHeader + length);
            m_inKeys = false;
            message.type = EngineMessage::Type::KeysEnd;
            return std::optional(std::move(message));
        }
        if (m_service.empty()) {
            return fail(ErrorCode::Protocol, "The engine sent a key without saying which service it is for.");
        }
        message.type = EngineMessage::Type::Key;
        message.service = std::exchange(m_service, {});
        message.key = SecretBuffer(payload);
        consume(kFrameHeader + length);
        return std::optional(std::move(message));
    }
    return std::nullopt;
}

Result<std::optional<EngineMessage>> EngineDecoder::nextLine()
{
    const std::size_t newline = m_buffer.find('\n', m_scanned);
    if (newline == std::string::npos) {
        m_scanned = m_buffer.size();
        if (m_buffer.size() > kMaxLine) {
            return fail(ErrorCode::Protocol, "The engine sent a message that is too long.");
        }
        return std::nullopt;
    }
    Json json = Json::parse(std::string_view(m_buffer).substr(0, newline), nullptr, false);
    consume(newline + 1);
    if (!json.is_object()) {
        return fail(ErrorCode::Protocol, "The engine sent a line that is no JSON object.");
    }
    EngineMessage message;
    try {
        const std::string type = json.at("type").get<std::string>();
        if (type == "setup") {
            message.type = EngineMessage::Type::Setup;
            COLDFRAME_TRY(Setup setup, readSetup(json));
            message.setup = std::move(setup);
        } else if (type == "policy") {
            message.type = EngineMessage::Type::Policy;
            COLDFRAME_TRY(policy::PolicySet set, policy::policyFromParsed(json.at("policy")));
            message.policy = std::move(set);
        } else if (type == "services") {
            message.type = EngineMessage::Type::Services;
            COLDFRAME_TRY(message.services, servicesFromJson(json.at("services").dump()));
        } else if (type == "client-certificates") {
            message.type = EngineMessage::Type::ClientCertificates;
            for (const Json& entry : json.at("certificates")) {
                message.certificates.push_back({entry.at("host").get<std::string>(), entry.at("certificatePem").get<std::string>()});
            }
        } else if (type == "keys") {
            m_inKeys = true;
            return nextFrame();
        } else if (type == "answer") {
            message.type = EngineMessage::Type::Answer;
            message.id = json.at("id").get<std::string>();
            message.allow = json.at("verdict").get<std::string>() == "allow";
        } else if (type == "shutdown") {
            message.type = EngineMessage::Type::Shutdown;
        } else if (type == "adopt") {
            message.type = EngineMessage::Type::Adopt;
            message.cookie = json.at("cookie").get<std::string>();
            message.version = json.at("version").get<int>();
        } else {
            return fail(ErrorCode::Protocol, "The engine sent a message of an unknown type.", type);
        }
    } catch (const Json::exception& error) {
        return fail(ErrorCode::Protocol, "The engine sent a message that lacks a part.", error.what());
    }
    return std::optional(std::move(message));
}

std::string encodeConnection(const ConnectionEvent& event, const std::string& sandbox)
{
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - event.began);
    const bool isReport = event.how == "reported";
    std::string out;
    out.reserve(768);
    out += "{\"type\":\"connection\",\"connection\":";
    ObjectWriter object(out);
    object.text("time", formatUtc(utcNow()));
    object.text("process", escapeForDisplay(event.process, 120));
    object.text("how", howItTravelled(event));
    object.number("durationMs", isReport ? 0 : took.count());
    object.text("ref", event.ref);
    object.flag("open", event.isOpen);
    object.text("sandbox", sandbox);
    object.text("source", event.source);
    object.text("kind", event.kind);
    object.text("host", escapeForDisplay(event.host, 300));
    object.number("port", event.port);
    object.text("address", escapeForDisplay(event.address, 100));
    object.text("method", escapeForDisplay(event.method, 40));
    object.text("path", escapeForDisplay(event.path, 1024));
    object.number("status", event.status);
    object.number("bytesIn", event.bytesIn);
    object.number("bytesOut", event.bytesOut);
    object.text("verdict", event.verdict);
    object.text("rule", escapeForDisplay(event.rule, 300));
    object.text("reason", escapeForDisplay(event.reason, 500));
    object.text("keyInjected", event.keyInjected);
    object.flag("inspected", event.inspected);
    object.text("protocol", event.protocol);
    object.number("count", event.count);
    object.end();
    out += "}\n";
    return out;
}

std::string encodeAsk(const AskQuestion& question, const std::string& sandbox)
{
    return line({{"type", "ask"},
                 {"id", question.id},
                 {"sandbox", sandbox},
                 {"host", question.host},
                 {"port", question.port},
                 {"source", question.source},
                 {"kind", question.kind},
                 {"protocol", question.protocol},
                 {"method", escapeForDisplay(question.method, 40)},
                 {"path", escapeForDisplay(question.path, 1024)},
                 {"reason", escapeForDisplay(question.reason, 500)}});
}

std::string encodeAlert(const std::string& sandbox, std::string_view code, const Identity& identity,
                        const std::string& service, std::string_view text)
{
    return line({{"type", "alert"},
                 {"sandbox", sandbox},
                 {"code", code},
                 {"host", escapeForDisplay(identity.host, 300)},
                 {"port", identity.port},
                 {"service", service},
                 {"text", escapeForDisplay(text, 500)}});
}

std::string encodeRefusedKey(const std::string& sandbox, const std::string& service)
{
    return line({{"type", "refused-key"}, {"sandbox", sandbox}, {"service", service}});
}

std::string encodeReady(const std::string& sandbox)
{
    return line({{"type", "ready"}, {"sandbox", sandbox}, {"version", kEngineProtocolVersion}});
}

std::string encodeAdopted(const std::string& sandbox, std::uint64_t policyVersion, std::size_t buffered)
{
    return line({{"type", "adopted"},
                 {"sandbox", sandbox},
                 {"version", kEngineProtocolVersion},
                 {"policyVersion", policyVersion},
                 {"buffered", buffered}});
}

std::string encodeProblem(const Error& error)
{
    return line({{"type", "problem"},
                 {"code", errorCodeName(error.code)},
                 {"message", error.message},
                 {"detail", escapeForDisplay(error.detail, 500)}});
}

Result<std::vector<ConnectionEvent>> parseGuestReport(std::string_view json)
{
    const Json document = Json::parse(json, nullptr, false);
    if (!document.is_object() || !document.contains("refused") || !document["refused"].is_array()) {
        return fail(ErrorCode::Protocol, "The guest's report has no list of refused attempts.");
    }
    std::vector<ConnectionEvent> events;
    for (const Json& item : document["refused"]) {
        if (events.size() >= 256) {
            break;
        }
        if (!item.is_object()) {
            continue;
        }
        const auto text = [&item](const char* name) {
            const auto found = item.find(name);
            return found != item.end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        const auto number = [&item](const char* name) {
            const auto found = item.find(name);
            return found != item.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : std::uint64_t{0};
        };
        const std::string protocol = text("protocol");
        ConnectionEvent event;
        // The API knows tcp, udp and icmp; a name that does not exist is a refused question over UDP.
        event.protocol = protocol == "icmp" ? "icmp" : protocol == "tcp6" ? "tcp" : "udp";
        event.source = text("source") == "container" ? "container" : "process";
        event.kind = "literal";
        event.host = text("host").substr(0, 300);
        event.port = static_cast<std::uint16_t>(std::min<std::uint64_t>(number("port"), 65535));
        event.count = std::clamp<std::uint64_t>(number("count"), 1, 1'000'000'000);
        event.how = "reported";
        event.verdict = "denied";
        event.reason = protocol == "dns" ? "Reported by the sandbox itself: this name does not exist in a sandbox."
                                         : "Reported by the sandbox itself: only TCP leaves a sandbox.";
        events.push_back(std::move(event));
    }
    return events;
}

} // namespace coldframe::proxy
