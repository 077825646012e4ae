// SPDX-License-Identifier: Apache-2.0
#include "proxy/http1_serialise.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace coldframe::proxy {

namespace {

void appendField(std::string& out, std::string_view name, std::string_view value)
{
    out.append(name).append(": ").append(value).append("\r\n");
}

std::string hexadecimal(std::size_t number)
{
    std::array<char, 17> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return std::string(digits.data(), end.ptr);
}

} // namespace

void removeHopByHop(HeaderList& headers)
{
    static constexpr std::array<std::string_view, 11> kHopByHop = {
        "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "te",
        "transfer-encoding", "content-length", "upgrade", "http2-settings", "expect"};
    const std::vector<std::string> named = headers.tokens("connection");
    std::erase_if(headers.fields(), [&named](const HeaderField& field) {
        const std::string name = lowerCase(field.name);
        return std::find(kHopByHop.begin(), kHopByHop.end(), name) != kHopByHop.end()
               || std::find(named.begin(), named.end(), name) != named.end() || name.starts_with("x-coldframe-");
    });
}

std::string serialiseRequest(const RequestHead& request, std::string_view pathAndQuery, std::string_view host,
                             std::string_view upgrade)
{
    std::string out;
    out.reserve(1024);
    out.append(request.method).append(" ").append(pathAndQuery).append(" HTTP/1.1\r\n");
    appendField(out, "Host", host);
    for (const HeaderField& field : request.headers.fields()) {
        if (!equalsIgnoringCase(field.name, "host")) {
            appendField(out, field.name, field.value);
        }
    }
    if (request.framing == Framing::Chunked) {
        appendField(out, "Transfer-Encoding", "chunked");
    } else if (request.framing == Framing::Length) {
        appendField(out, "Content-Length", std::to_string(request.contentLength));
    } else if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
        appendField(out, "Content-Length", "0");
    }
    if (request.expectContinue) {
        appendField(out, "Expect", "100-continue");
    }
    if (!upgrade.empty()) {
        appendField(out, "Connection", "Upgrade");
        appendField(out, "Upgrade", upgrade);
    }
    out.append("\r\n");
    return out;
}

ResponseFraming chooseFraming(const ResponseHead& response, int clientMinorVersion, bool keepAlive)
{
    ResponseFraming framing;
    framing.keepAlive = keepAlive;
    framing.contentLength = response.contentLength;
    if (response.framing == Framing::Length) {
        framing.framing = Framing::Length;
    } else if (response.framing == Framing::None) {
        // A length on HEAD and 304 describes what a GET would bring; on 1xx and 204 it must not stand.
        framing.stateLength = response.status / 100 != 1 && response.status != 204
                              && response.headers.count("content-length") > 0;
    } else if (clientMinorVersion >= 1) {
        framing.framing = Framing::Chunked;
    } else {
        framing.framing = Framing::UntilClose;
        framing.keepAlive = false;
    }
    return framing;
}

std::string serialiseResponse(const ResponseHead& response, const ResponseFraming& framing)
{
    HeaderList headers = response.headers;
    removeHopByHop(headers);
    std::string out;
    out.reserve(1024);
    out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    out.append(response.reason.empty() ? reasonPhrase(response.status) : std::string_view(response.reason));
    out.append("\r\n");
    for (const HeaderField& field : headers.fields()) {
        // An advertised alternative (h3) would lead the client away from the proxy.
        if (!equalsIgnoringCase(field.name, "alt-svc")) {
            appendField(out, field.name, field.value);
        }
    }
    if (framing.framing == Framing::Chunked) {
        appendField(out, "Transfer-Encoding", "chunked");
    } else if (framing.framing == Framing::Length || framing.stateLength) {
        appendField(out, "Content-Length", std::to_string(framing.contentLength));
    }
    if (!framing.upgrade.empty()) {
        appendField(out, "Connection", "Upgrade");
        appendField(out, "Upgrade", framing.upgrade);
    } else if (response.status / 100 != 1) {
        appendField(out, "Connection", framing.keepAlive ? "keep-alive" : "close");
    }
    out.append("\r\n");
    return out;
}

void appendChunk(std::string& out, std::string_view data)
{
    if (data.empty()) {
        return; // an empty chunk would end the body
    }
    out.append(hexadecimal(data.size())).append("\r\n").append(data).append("\r\n");
}

void appendLastChunk(std::string& out, const HeaderList& trailers)
{
    out.append("0\r\n");
    for (const HeaderField& field : trailers.fields()) {
        appendField(out, field.name, field.value);
    }
    out.append("\r\n");
}

std::string makeReply(int status, RefusalForm form, std::string_view body, bool keepAlive, bool withBody)
{
    std::string out = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reasonPhrase(status)) + "\r\n";
    appendField(out, "Content-Type", contentType(form));
    appendField(out, "Content-Length", std::to_string(body.size()));
    appendField(out, "Cache-Control", "no-store");
    appendField(out, "X-Content-Type-Options", "nosniff");
    if (form == RefusalForm::Html) {
        appendField(out, "Content-Security-Policy", kRefusalPagePolicy);
    }
    appendField(out, "Connection", keepAlive ? "keep-alive" : "close");
    out.append("\r\n");
    if (withBody) {
        out.append(body);
    }
    return out;
}

std::string_view reasonPhrase(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

} // namespace coldframe::proxy
