// SPDX-License-Identifier: Apache-2.0
#include "audit/redaction.h"

#include "base/percent_coding.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace coldframe::audit {

namespace {

constexpr std::size_t kLeastAfterPrefix = 8;
constexpr std::size_t kLeastMixed = 32;

/// Beginnings of keys whose form is unmistakable.
constexpr std::array kPrefixes{
    std::string_view("sk-"),     std::string_view("sk_live_"), std::string_view("sk_test_"), std::string_view("rk_live_"),
    std::string_view("ghp_"),    std::string_view("gho_"),     std::string_view("ghu_"),     std::string_view("ghs_"),
    std::string_view("ghr_"),    std::string_view("github_pat_"), std::string_view("glpat-"), std::string_view("xoxb-"),
    std::string_view("xoxp-"),   std::string_view("xapp-"),    std::string_view("npm_"),     std::string_view("pypi-"),
    std::string_view("hf_"),     std::string_view("gsk_"),     std::string_view("xai-"),     std::string_view("AIza"),
    std::string_view("AKIA"),    std::string_view("ASIA"),     std::string_view("ya29."),    std::string_view("eyJ"),
    std::string_view("dop_v1_"), std::string_view("SG."),      std::string_view("ksk_"),
};

/// Names in front of "=" whose value is a secret wherever it stands.
constexpr std::array kSecretNames{
    std::string_view("key"),      std::string_view("apikey"),    std::string_view("api_key"), std::string_view("api-key"),
    std::string_view("token"),    std::string_view("access_token"), std::string_view("auth"), std::string_view("secret"),
    std::string_view("password"), std::string_view("passwd"),    std::string_view("pwd"),     std::string_view("sig"),
    std::string_view("signature"), std::string_view("credential"), std::string_view("session"),
};

bool isTokenCharacter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '+';
}

std::string lower(std::string_view text)
{
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

bool isMixed(std::string_view run)
{
    std::size_t upper = 0;
    std::size_t lowerCase = 0;
    std::size_t digits = 0;
    for (const char c : run) {
        upper += c >= 'A' && c <= 'Z';
        lowerCase += c >= 'a' && c <= 'z';
        digits += c >= '0' && c <= '9';
    }
    return run.size() >= kLeastMixed && upper >= 4 && lowerCase >= 4 && digits >= 2;
}

/// Where in `run`, a whole run of token characters, a key begins; npos: it holds none.
std::size_t keyBegin(std::string_view run)
{
    for (const std::string_view prefix : kPrefixes) {
        for (std::size_t at = run.find(prefix); at != std::string_view::npos; at = run.find(prefix, at + 1)) {
            const bool begins = at == 0 || !std::isalnum(static_cast<unsigned char>(run[at - 1]));
            if (begins && run.size() - at >= prefix.size() + kLeastAfterPrefix) {
                return at;
            }
        }
    }
    return isMixed(run) ? 0 : std::string_view::npos;
}

struct Decoded
{
    char character;
    std::size_t length; ///< as it is written
};

/// The character at `at`; an escaped one counts as itself, or a key would hide behind one escape.
Decoded characterAt(std::string_view text, std::size_t at)
{
    const auto escaped = percentEscapeAt(text, at);
    return escaped ? Decoded{static_cast<char>(*escaped), 3} : Decoded{text[at], 1};
}

} // namespace

std::string redactText(std::string_view text)
{
    std::string result;
    std::string name; // the run before, in case "=" follows it
    for (std::size_t at = 0; at < text.size();) {
        std::string run;
        std::size_t end = at;
        while (end < text.size()) {
            const Decoded next = characterAt(text, end);
            if (!isTokenCharacter(next.character)) {
                break;
            }
            run += next.character;
            end += next.length;
        }
        if (end == at) {
            result += text[at];
            name = text[at] == '=' ? name : std::string();
            ++at;
            continue;
        }
        const bool isValue = !result.empty() && result.back() == '=' && std::find(kSecretNames.begin(), kSecretNames.end(), name) != kSecretNames.end();
        const std::size_t begin = isValue ? 0 : keyBegin(run);
        if (begin == std::string_view::npos) {
            result.append(text.substr(at, end - at));
        } else {
            result.append(run, 0, begin).append(kRedacted);
        }
        name = lower(run);
        // Parameters of a bot's address: /bot123456:AAE…
        if (begin == std::string_view::npos && end < text.size() && text[end] == ':' && run.starts_with("bot") && run.size() > 8) {
            const std::size_t after = std::min(text.find('/', end), text.size());
            result.append(":").append(kRedacted);
            end = after;
        }
        at = end;
    }
    return result;
}

std::string redactPath(std::string_view path)
{
    return redactText(path.substr(0, path.find_first_of("?#")));
}

} // namespace coldframe::audit
