// SPDX-License-Identifier: Apache-2.0
#include "detach_keys.h"

#include <algorithm>
#include <utility>

namespace coldframe::cli {

namespace {

constexpr std::size_t kMaxKeys = 4;

/// What a keyboard may send for Ctrl and this character; empty when there is no such key.
std::vector<std::string> controlKey(char c)
{
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool isLetter = lower >= 'a' && lower <= 'z';
    if (!isLetter && std::string_view("@[\\]^_").find(lower) == std::string_view::npos) {
        return {};
    }
    const char byte = static_cast<char>(isLetter ? lower - 'a' + 1 : lower - '@');
    const std::string code = std::to_string(static_cast<int>(lower));
    return {std::string(1, byte), "\x1b[" + code + ";5u", "\x1b[27;5;" + code + "~"};
}

} // namespace

Result<DetachKeys> DetachKeys::parse(const std::string& keys)
{
    DetachKeys parsed;
    if (keys == "none") {
        return parsed;
    }
    std::size_t start = 0;
    for (bool more = true; more;) {
        const std::size_t comma = keys.find(',', start);
        more = comma != std::string::npos;
        const std::string key = keys.substr(start, more ? comma - start : std::string::npos);
        start = comma + 1;
        std::vector<std::string> spellings;
        if (key.size() == 6 && key.starts_with("ctrl-")) {
            spellings = controlKey(key[5]);
        } else if (key.size() == 1 && key[0] > ' ' && key[0] < '\x7f') {
            spellings = {key};
        }
        if (spellings.empty() || parsed.m_keys.size() == kMaxKeys) {
            return fail(ErrorCode::InvalidArgument,
                        "“" + keys + "” are no keys to detach with; write up to four of them like ctrl-p,ctrl-q or ctrl-@, or none.");
        }
        parsed.m_keys.push_back(std::move(spellings));
    }
    return parsed;
}

DetachKeys::Taken DetachKeys::take(std::string_view input)
{
    Taken taken;
    while (!input.empty()) {
        if (m_keys.empty()) {
            taken.passed += input;
            break;
        }
        const std::vector<std::string>& spellings = m_keys[m_matched];
        const auto spelling = std::find_if(spellings.begin(), spellings.end(), [&](const std::string& s) { return input.starts_with(s); });
        if (spelling != spellings.end()) {
            m_held += *spelling;
            input.remove_prefix(spelling->size());
            if (++m_matched == m_keys.size()) {
                release();
                taken.isDetached = true;
                break;
            }
            continue;
        }
        if (m_matched > 0) {
            taken.passed += release(); // and the same input again, as the sequence's first key perhaps
            continue;
        }
        taken.passed += input.front();
        input.remove_prefix(1);
    }
    return taken;
}

std::string DetachKeys::release()
{
    m_matched = 0;
    return std::exchange(m_held, {});
}

} // namespace coldframe::cli
