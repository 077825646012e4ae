// SPDX-License-Identifier: Apache-2.0
#include "proxy/http1_parser.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMaxChunkLine = 1024;
constexpr std::uint64_t kMaxLength = 1ull << 60;

tl::unexpected<HttpError> refuse(int status, std::string reason)
{
    return tl::unexpected(HttpError{status, std::move(reason)});
}

// RFC 9110, section 5.6.2: tchar.
bool isTokenChar(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    return c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

bool isToken(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), isTokenChar); }

// field-vchar, SP, HTAB and obs-text; every other control character could end the value for somebody.
bool isFieldValue(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

std::string_view trim(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

HttpResult<void> parseFields(std::string_view lines, const HeadLimits& limits, HeaderList& headers)
{
    while (!lines.empty()) {
        const std::size_t end = lines.find("\r\n");
        if (end == std::string_view::npos) {
            return refuse(400, "A header line has no end.");
        }
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(end + 2);
        if (line.empty()) {
            return lines.empty() ? HttpResult<void>() : refuse(400, "Bytes follow the end of the header section.");
        }
        // RFC 9112, section 5.2: "A server that receives an obs-fold in a request message … MUST either reject …".
        if (line.front() == ' ' || line.front() == '\t') {
            return refuse(400, "A header field is folded over two lines.");
        }
        const std::size_t colon = line.find(':');
        // RFC 9112, section 5.1: "No whitespace is allowed between the field name and colon."
        if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) {
            return refuse(400, "A header field has no valid name.");
        }
        const std::string_view value = trim(line.substr(colon + 1));
        if (!isFieldValue(value)) {
            return refuse(400, "A header field has a control character in its value.");
        }
        if (headers.fields().size() >= limits.maxFields) {
            return refuse(431, "There are too many header fields.");
        }
        headers.add(std::string(line.substr(0, colon)), std::string(value));
    }
    return refuse(400, "The header section has no end.");
}

std::optional<std::uint64_t> parseDecimal(std::string_view text)
{
    if (text.empty() || text.size() > 18) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

struct BodyFraming
{
    Framing framing = Framing::None;
    std::uint64_t length = 0;
    bool stated = false;
};

// RFC 9112, section 6.3. One framing or none; no guessing.
HttpResult<BodyFraming> readFraming(const HeaderList& headers, int minorVersion)
{
    const std::size_t lengths = headers.count("content-length");
    const std::size_t codings = headers.count("transfer-encoding");
    BodyFraming result;
    if (codings > 0) {
        if (lengths > 0) {
            return refuse(400, "A message has both Content-Length and Transfer-Encoding.");
        }
        if (minorVersion == 0) {
            return refuse(400, "Transfer-Encoding is not part of HTTP/1.0.");
        }
        if (codings != 1 || !equalsIgnoringCase(*headers.find("transfer-encoding"), "chunked")) {
            return refuse(400, "Only the transfer coding \"chunked\", once, is accepted.");
        }
        result.framing = Framing::Chunked;
        result.stated = true;
    } else if (lengths > 0) {
        const std::optional<std::uint64_t> length = parseDecimal(*headers.find("content-length"));
        if (lengths != 1 || !length) {
            return refuse(400, "Content-Length is repeated or not a plain number.");
        }
        result.framing = *length > 0 ? Framing::Length : Framing::None;
        result.length = *length;
        result.stated = true;
    }
    return result;
}

HttpResult<int> parseVersion(std::string_view text)
{
    if (text == "HTTP/1.1") {
        return 1;
    }
    if (text == "HTTP/1.0") {
        return 0;
    }
    return refuse(505, "Only HTTP/1.0 and HTTP/1.1 are understood here.");
}

bool readKeepAlive(const HeaderList& headers, int minorVersion)
{
    if (headers.hasToken("connection", "close")) {
        return false;
    }
    return minorVersion >= 1 || headers.hasToken("connection", "keep-alive");
}

// RFC 9112, section 9.6 and the hop-by-hop abuse that came of it: these must not be named by Connection.
HttpResult<void> checkConnectionField(const HeaderList& headers)
{
    static constexpr std::array<std::string_view, 7> kNeverHopByHop = {
        "host", "content-length", "transfer-encoding", "cookie", "authorization", "content-type", "x-api-key"};
    for (const std::string& token : headers.tokens("connection")) {
        if (!isToken(token)) {
            return refuse(400, "The Connection field has a member that is no token.");
        }
        if (std::find(kNeverHopByHop.begin(), kNeverHopByHop.end(), token) != kNeverHopByHop.end()) {
            return refuse(400, "The Connection field names a field that must reach the server.");
        }
    }
    return {};
}

bool isForbiddenTrailer(const std::string& name)
{
    static constexpr std::array<std::string_view, 14> kForbidden = {
        "transfer-encoding", "content-length", "host", "connection", "upgrade", "trailer", "te",
        "authorization", "proxy-authorization", "cookie", "set-cookie", "content-encoding", "content-type", "x-api-key"};
    return std::any_of(kForbidden.begin(), kForbidden.end(),
                       [&name](std::string_view other) { return equalsIgnoringCase(name, other); });
}

} // namespace

HttpResult<std::optional<std::size_t>> HeadScanner::scan(std::string_view buffer)
{
    while (m_scanned < buffer.size()) {
        const std::size_t newline = buffer.find('\n', m_scanned);
        if (newline == std::string_view::npos) {
            m_scanned = buffer.size();
            break;
        }
        // RFC 9112, section 2.2 lets a recipient take a lone LF for a line end; others do not, so it is refused.
        if (newline == 0 || buffer[newline - 1] != '\r') {
            return refuse(400, "A line ends in LF alone.");
        }
        m_scanned = newline + 1;
        if (newline - 1 == m_lineStart) {
            if (m_scanned > m_limits.maxBytes) {
                return refuse(431, "The header section is too long.");
            }
            return m_scanned;
        }
        m_lineStart = m_scanned;
    }
    if (buffer.size() >= m_limits.maxBytes) {
        return refuse(431, "The header section is too long.");
    }
    return std::nullopt;
}

HttpResult<RequestHead> parseRequestHead(std::string_view head, const HeadLimits& limits)
{
    const std::size_t lineEnd = head.find("\r\n");
    if (lineEnd == std::string_view::npos || lineEnd == 0) {
        return refuse(400, "The request line is missing.");
    }
    const std::string_view line = head.substr(0, lineEnd);
    const std::size_t firstSpace = line.find(' ');
    const std::size_t lastSpace = line.rfind(' ');
    if (firstSpace == std::string_view::npos || lastSpace == firstSpace) {
        return refuse(400, "The request line has no three parts.");
    }
    RequestHead request;
    const std::string_view method = line.substr(0, firstSpace);
    const std::string_view target = line.substr(firstSpace + 1, lastSpace - firstSpace - 1);
    if (!isToken(method) || method.size() > 32) {
        return refuse(400, "The request method is no token.");
    }
    const bool targetIsClean = !target.empty() && std::all_of(target.begin(), target.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != '#' && c != '\\';
    });
    if (!targetIsClean) {
        return refuse(400, "The request target has characters that do not belong there.");
    }
    if (target.size() > limits.maxTargetBytes) {
        return refuse(414, "The request target is too long.");
    }
    const HttpResult<int> version = parseVersion(line.substr(lastSpace + 1));
    if (!version) {
        return tl::unexpected(version.error());
    }
    request.method = method;
    request.target = target;
    request.minorVersion = *version;
    if (auto fields = parseFields(head.substr(lineEnd + 2), limits, request.headers); !fields) {
        return tl::unexpected(fields.error());
    }
    const HttpResult<BodyFraming> framing = readFraming(request.headers, request.minorVersion);
    if (!framing) {
        return tl::unexpected(framing.error());
    }
    request.framing = framing->framing;
    request.contentLength = framing->length;
    if (auto connection = checkConnectionField(request.headers); !connection) {
        return tl::unexpected(connection.error());
    }
    request.keepAlive = readKeepAlive(request.headers, request.minorVersion);
    if (const std::string* expect = request.headers.find("expect")) {
        // RFC 9110, section 10.1.1: 417 for a member that is not understood.
        if (request.headers.count("expect") != 1 || !equalsIgnoringCase(*expect, "100-continue")) {
            return refuse(417, "Only the expectation 100-continue is understood.");
        }
        request.expectContinue = request.minorVersion >= 1 && request.framing != Framing::None;
    }
    const std::vector<std::string> upgrades = request.headers.tokens("upgrade");
    if (!upgrades.empty() && request.minorVersion >= 1) {
        request.upgrade = upgrades.size() == 1 ? upgrades.front() : std::string("several");
    }
    return request;
}

HttpResult<ResponseHead> parseResponseHead(std::string_view head, std::string_view requestMethod,
                                           const HeadLimits& limits)
{
    const std::size_t lineEnd = head.find("\r\n");
    if (lineEnd == std::string_view::npos || lineEnd < 12) {
        return refuse(502, "The server's status line is malformed.");
    }
    const std::string_view line = head.substr(0, lineEnd);
    const HttpResult<int> version = parseVersion(line.substr(0, 8));
    const std::string_view digits = line.substr(9, 3);
    const bool digitsOk = digits[0] >= '1' && digits[0] <= '5' && digits[1] >= '0' && digits[1] <= '9'
                          && digits[2] >= '0' && digits[2] <= '9';
    if (!version || line[8] != ' ' || !digitsOk || (line.size() > 12 && line[12] != ' ')) {
        return refuse(502, "The server's status line is malformed.");
    }
    ResponseHead response;
    response.minorVersion = *version;
    response.status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    const std::string_view reason = line.size() > 13 ? line.substr(13) : std::string_view();
    if (!isFieldValue(reason)) {
        return refuse(502, "The server's reason phrase has control characters.");
    }
    response.reason = reason;
    if (auto fields = parseFields(head.substr(lineEnd + 2), limits, response.headers); !fields) {
        return refuse(502, "The server's reply is malformed: " + fields.error().reason);
    }
    const HttpResult<BodyFraming> framing = readFraming(response.headers, response.minorVersion);
    if (!framing) {
        return refuse(502, "The server's reply is malformed: " + framing.error().reason);
    }
    response.contentLength = framing->length;
    response.keepAlive = readKeepAlive(response.headers, response.minorVersion);
    const bool neverBody = requestMethod == "HEAD" || response.status / 100 == 1 || response.status == 204
                           || response.status == 304;
    if (neverBody) {
        response.framing = Framing::None;
    } else {
        response.framing = framing->stated ? framing->framing : Framing::UntilClose;
    }
    if (response.framing == Framing::UntilClose) {
        response.keepAlive = false;
    }
    return response;
}

BodyDecoder::BodyDecoder(Framing framing, std::uint64_t length)
    : m_framing(framing), m_state(State::Data), m_left(length),
      m_trailerScanner(HeadLimits{.maxBytes = 8192, .maxFields = 32, .maxTargetBytes = 0})
{
    if (framing == Framing::None || (framing == Framing::Length && length == 0)) {
        m_state = State::Done;
    } else if (framing == Framing::Chunked) {
        m_state = State::ChunkSize;
    }
}

HttpResult<BodyDecoder::Step> BodyDecoder::next(std::string_view input)
{
    switch (m_state) {
    case State::Done:
        return Step{0, {}, true};
    case State::Data: {
        if (m_framing == Framing::UntilClose) {
            return Step{input.size(), input, false};
        }
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(m_left, input.size()));
        m_left -= take;
        if (m_left == 0) {
            m_state = State::Done;
        }
        return Step{take, input.substr(0, take), isDone()};
    }
    case State::ChunkSize:
        return chunkSize(input);
    case State::ChunkData: {
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(m_left, input.size()));
        m_left -= take;
        if (m_left == 0) {
            m_state = State::ChunkEnd;
        }
        return Step{take, input.substr(0, take), false};
    }
    case State::ChunkEnd:
        return chunkEnd(input);
    case State::Trailers:
        return trailerSection(input);
    }
    return refuse(400, "The body is in no known state.");
}

HttpResult<BodyDecoder::Step> BodyDecoder::chunkSize(std::string_view input)
{
    const std::size_t newline = input.find('\n');
    if (newline == std::string_view::npos) {
        if (input.size() > kMaxChunkLine) {
            return refuse(400, "A chunk's size line is too long.");
        }
        return Step{};
    }
    if (newline == 0 || input[newline - 1] != '\r' || newline > kMaxChunkLine) {
        return refuse(400, "A chunk's size line does not end in CRLF.");
    }
    const std::string_view line = input.substr(0, newline - 1);
    std::uint64_t size = 0;
    std::size_t digits = 0;
    for (; digits < line.size(); ++digits) {
        const char c = line[digits];
        unsigned digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = static_cast<unsigned>(c - 'A' + 10);
        } else {
            break;
        }
        size = size * 16 + digit;
        if (size > kMaxLength) {
            return refuse(400, "A chunk is too long.");
        }
    }
    const std::string_view extension = line.substr(digits);
    // RFC 9112, section 7.1.1: unknown extensions are ignored; one that is not an extension at all is not.
    const bool extensionOk = extension.empty()
                             || (extension.front() == ';' && extension.size() > 1 && isTokenChar(extension[1])
                                 && isFieldValue(extension) && extension.find('\r') == std::string_view::npos);
    if (digits == 0 || digits > 16 || !extensionOk) {
        return refuse(400, "A chunk's size is not a plain hexadecimal number.");
    }
    m_left = size;
    m_state = size == 0 ? State::Trailers : State::ChunkData;
    return Step{newline + 1, {}, false};
}

HttpResult<BodyDecoder::Step> BodyDecoder::chunkEnd(std::string_view input)
{
    if (input.empty() || (input.size() == 1 && input[0] == '\r')) {
        return Step{};
    }
    if (input.substr(0, 2) != "\r\n") {
        return refuse(400, "A chunk is longer than it said.");
    }
    m_state = State::ChunkSize;
    return Step{2, {}, false};
}

HttpResult<BodyDecoder::Step> BodyDecoder::trailerSection(std::string_view input)
{
    HttpResult<std::optional<std::size_t>> end = m_trailerScanner.scan(input);
    if (!end) {
        return tl::unexpected(end.error());
    }
    if (!*end) {
        return Step{};
    }
    HeaderList fields;
    if (auto parsed = parseFields(input.substr(0, **end), m_trailerScanner.limits(), fields); !parsed) {
        return tl::unexpected(parsed.error());
    }
    for (const HeaderField& field : fields.fields()) {
        if (!isForbiddenTrailer(field.name)) {
            m_trailers.add(field.name, field.value);
        }
    }
    m_state = State::Done;
    return Step{**end, {}, true};
}

HttpResult<void> BodyDecoder::endOfInput()
{
    if (m_state == State::Data && m_framing == Framing::UntilClose) {
        m_state = State::Done;
    }
    if (m_state != State::Done) {
        return refuse(400, "The body ended before its stated end.");
    }
    return {};
}

} // namespace coldframe::proxy
