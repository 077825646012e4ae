// SPDX-License-Identifier: Apache-2.0
#include "policy/path_glob.h"

#include "base/percent_coding.h"

#include <vector>

namespace coldframe::policy {

namespace {

constexpr std::size_t kMaxPath = 8192; // bounds the work of one rule

bool isAmbiguous(char c)
{
    return c == '/' || c == '\\' || c == '%' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

} // namespace

std::optional<std::string> canonicalPath(std::string_view path)
{
    path = path.substr(0, path.find_first_of("?#"));
    if (path.empty() || path.size() > kMaxPath || path.front() != '/') {
        return std::nullopt;
    }
    std::vector<std::string> segments;
    std::string segment;
    bool endsWithSlash = false;
    const auto finish = [&] {
        endsWithSlash = segment.empty() || segment == "." || segment == "..";
        if (segment == "..") {
            if (!segments.empty()) {
                segments.pop_back();
            }
        } else if (!endsWithSlash) {
            segments.push_back(segment);
        }
        segment.clear();
    };
    for (std::size_t i = 1; i < path.size(); ++i) {
        char c = path[i];
        if (c == '/') {
            finish();
            continue;
        }
        if (c == '%') {
            const auto escaped = percentEscapeAt(path, i);
            if (!escaped) {
                return std::nullopt;
            }
            c = static_cast<char>(*escaped);
            i += 2;
        }
        if (isAmbiguous(c)) {
            return std::nullopt;
        }
        segment += c;
    }
    finish();
    std::string result;
    for (const std::string& part : segments) {
        result += "/" + part;
    }
    if (endsWithSlash || result.empty()) {
        result += "/";
    }
    return result;
}

bool matchesGlob(std::string_view glob, std::string_view path)
{
    // Row by row over the glob: reachable[i] = the glob so far can match the first i characters of the path.
    std::vector<char> reachable(path.size() + 1, 0);
    reachable[0] = 1;
    for (std::size_t g = 0; g < glob.size(); ++g) {
        if (glob[g] == '*') {
            const bool crossesSlashes = g + 1 < glob.size() && glob[g + 1] == '*';
            g += crossesSlashes ? 1 : 0;
            for (std::size_t i = 1; i <= path.size(); ++i) {
                reachable[i] = reachable[i] || (reachable[i - 1] && (crossesSlashes || path[i - 1] != '/'));
            }
        } else {
            for (std::size_t i = path.size(); i > 0; --i) {
                reachable[i] = reachable[i - 1] && path[i - 1] == glob[g];
            }
            reachable[0] = 0;
        }
    }
    return reachable[path.size()] != 0;
}

} // namespace coldframe::policy
