// SPDX-License-Identifier: Apache-2.0
#include "proxy/aws_signature.h"

#include "base/percent_coding.h"
#include "base/secret.h"

#include <algorithm>
#include <array>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kHexDigits = "0123456789abcdef";
using Digest = std::array<unsigned char, 32>;

std::string hex(const Digest& digest)
{
    std::string text;
    for (const unsigned char byte : digest) {
        text.push_back(kHexDigits[byte >> 4]);
        text.push_back(kHexDigits[byte & 15]);
    }
    return text;
}

Digest hmac(const void* key, std::size_t size, std::string_view data)
{
    Digest result{};
    unsigned int length = 0;
    HMAC(EVP_sha256(), key, static_cast<int>(size), reinterpret_cast<const unsigned char*>(data.data()), data.size(), result.data(),
         &length);
    return result;
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

bool isUnreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string uriEncode(std::string_view text, bool keepSlash)
{
    std::string result;
    for (const char c : text) {
        if (isUnreserved(c) || (keepSlash && c == '/')) {
            result.push_back(c);
        } else {
            appendPercentEscape(result, static_cast<unsigned char>(c));
        }
    }
    return result;
}

std::string uriDecode(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto escaped = percentEscapeAt(text, i);
        result.push_back(escaped ? static_cast<char>(*escaped) : text[i]);
        i += escaped ? 2 : 0;
    }
    return result;
}

/// S3 signs the path once encoded; every other service merges slashes and encodes what is on the wire again.
std::string canonicalPath(const AwsAuthorization& scope, std::string_view path)
{
    const bool once = scope.service == "s3" || scope.service == "s3-outposts" || scope.service == "s3-object-lambda" || scope.service == "s3express";
    if (once) {
        return uriEncode(uriDecode(path), true);
    }
    std::string merged;
    for (const char c : path) {
        if (c != '/' || merged.empty() || merged.back() != '/') {
            merged.push_back(c);
        }
    }
    return uriEncode(merged, true);
}

std::string canonicalQuery(std::string_view query)
{
    std::vector<std::pair<std::string, std::string>> members;
    if (!query.empty()) {
        for (const std::string& member : split(query.substr(1), '&')) {
            if (member.empty()) {
                continue;
            }
            const std::size_t equals = member.find('=');
            members.emplace_back(uriEncode(uriDecode(member.substr(0, equals)), false),
                                 equals == std::string::npos ? std::string() : uriEncode(uriDecode(member.substr(equals + 1)), false));
        }
    }
    std::sort(members.begin(), members.end());
    std::string result;
    for (const auto& [name, value] : members) {
        result += (result.empty() ? "" : "&") + name + "=" + value;
    }
    return result;
}

/// Values of one field, trimmed, runs of spaces as one, several joined by commas.
std::string canonicalValue(const HeaderList& headers, const std::string& name, std::string_view host)
{
    if (name == "host") {
        return std::string(host);
    }
    std::string result;
    bool first = true;
    for (const HeaderField& field : headers.fields()) {
        if (!equalsIgnoringCase(field.name, name)) {
            continue;
        }
        result += first ? "" : ",";
        first = false;
        bool space = false;
        for (const char c : trimmed(field.value)) {
            if (c != ' ' || !space) {
                result.push_back(c);
            }
            space = c == ' ';
        }
    }
    return result;
}

} // namespace

std::optional<AwsKey> parseAwsKey(std::string_view key)
{
    const std::size_t first = key.find(':');
    if (first == std::string_view::npos || first < 4) {
        return std::nullopt;
    }
    const std::size_t second = key.find(':', first + 1);
    AwsKey result{key.substr(0, first), key.substr(first + 1, second == std::string_view::npos ? second : second - first - 1), {}};
    if (second != std::string_view::npos) {
        result.sessionToken = key.substr(second + 1);
    }
    return result.secret.size() < 16 ? std::nullopt : std::optional<AwsKey>(result);
}

std::optional<AwsAuthorization> parseAwsAuthorization(std::string_view value)
{
    if (!value.starts_with(kAlgorithm) || value.size() > 8192) {
        return std::nullopt;
    }
    value.remove_prefix(kAlgorithm.size());
    AwsAuthorization result;
    bool hasSignature = false;
    for (const std::string& member : split(value, ',')) {
        const std::string_view part = trimmed(member);
        if (part.starts_with("Credential=")) {
            const std::vector<std::string> scope = split(part.substr(11), '/');
            if (scope.size() != 5 || scope[4] != "aws4_request") {
                return std::nullopt;
            }
            result.accessKeyId = scope[0];
            result.date = scope[1];
            result.region = scope[2];
            result.service = scope[3];
        } else if (part.starts_with("SignedHeaders=")) {
            result.signedHeaders = split(lowerCase(part.substr(14)), ';');
        } else if (part.starts_with("Signature=")) {
            hasSignature = true;
        }
    }
    const bool plain = std::all_of(result.date.begin(), result.date.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!hasSignature || result.signedHeaders.empty() || result.signedHeaders.size() > 64 || result.date.size() != 8 || !plain
        || std::find(result.signedHeaders.begin(), result.signedHeaders.end(), "host") == result.signedHeaders.end()) {
        return std::nullopt;
    }
    return result;
}

std::string awsProblem(const RequestHead& request)
{
    const std::string* given = request.headers.find("authorization");
    const std::optional<AwsAuthorization> scope = given ? parseAwsAuthorization(*given) : std::nullopt;
    const std::string* date = request.headers.find("x-amz-date");
    if (!scope || !date || !date->starts_with(scope->date)) {
        return "The request is not signed with AWS4-HMAC-SHA256 and an X-Amz-Date, so it cannot be signed anew.";
    }
    const std::string* told = request.headers.find("x-amz-content-sha256");
    if (told && told->starts_with("STREAMING-AWS4-")) {
        return "Each piece of this upload is signed with the sandbox's placeholder, which cannot be signed anew; let the client send "
               "an unsigned payload.";
    }
    return {};
}

bool needsAwsPayloadHash(const RequestHead& request)
{
    return request.framing != Framing::None && !request.headers.find("x-amz-content-sha256");
}

std::string sha256Hex(std::string_view data)
{
    Digest digest{};
    unsigned int length = 0;
    EVP_Digest(data.data(), data.size(), digest.data(), &length, EVP_sha256(), nullptr);
    return hex(digest);
}

std::string awsCanonicalRequest(const AwsAuthorization& scope, const std::string& method, const RequestTarget& target,
                                const HeaderList& headers, std::string_view host, std::string_view payloadHash)
{
    std::string text = method + "\n" + canonicalPath(scope, target.path) + "\n" + canonicalQuery(target.query) + "\n";
    std::string names;
    for (const std::string& name : scope.signedHeaders) {
        text += name + ":" + canonicalValue(headers, name, host) + "\n";
        names += (names.empty() ? "" : ";") + name;
    }
    return text + "\n" + names + "\n" + std::string(payloadHash);
}

std::string signAws(const AwsKey& key, std::string_view host, const RequestTarget& target, std::string_view payloadHash,
                    RequestHead& request)
{
    const std::string* given = request.headers.find("authorization");
    std::optional<AwsAuthorization> scope = given ? parseAwsAuthorization(*given) : std::nullopt;
    const std::string* date = request.headers.find("x-amz-date");
    if (std::string problem = awsProblem(request); !problem.empty()) {
        return problem;
    }
    if (const std::string* told = request.headers.find("x-amz-content-sha256")) {
        payloadHash = *told;
    } else if (request.framing == Framing::None) {
        payloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; // of no bytes
    } else if (payloadHash.empty()) {
        return "The body is too large to be signed anew; let the client send X-Amz-Content-Sha256.";
    }
    request.headers.remove("x-amz-security-token");
    std::vector<std::string>& names = scope->signedHeaders;
    std::erase_if(names, [&request](const std::string& name) { return name != "host" && !request.headers.find(name); });
    if (!key.sessionToken.empty()) {
        request.headers.add("X-Amz-Security-Token", std::string(key.sessionToken));
        names.emplace_back("x-amz-security-token");
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());

    std::string canonical = awsCanonicalRequest(*scope, request.method, target, request.headers, host, payloadHash);
    const std::string scopeText = scope->date + "/" + scope->region + "/" + scope->service + "/aws4_request";
    const std::string toSign = std::string(kAlgorithm) + "\n" + *date + "\n" + scopeText + "\n" + sha256Hex(canonical);
    wipe(canonical); // holds the session token
    std::string secret = "AWS4" + std::string(key.secret);
    Digest step = hmac(secret.data(), secret.size(), scope->date);
    wipe(secret);
    for (const std::string_view part : {std::string_view(scope->region), std::string_view(scope->service), std::string_view("aws4_request")}) {
        step = hmac(step.data(), step.size(), part);
    }
    const std::string signature = hex(hmac(step.data(), step.size(), toSign));
    OPENSSL_cleanse(step.data(), step.size());
    std::string nameList;
    for (const std::string& name : names) {
        nameList += (nameList.empty() ? "" : ";") + name;
    }
    request.headers.set("Authorization", std::string(kAlgorithm) + " Credential=" + std::string(key.accessKeyId) + "/" + scopeText
                                             + ", SignedHeaders=" + nameList + ", Signature=" + signature);
    return {};
}

} // namespace coldframe::proxy
