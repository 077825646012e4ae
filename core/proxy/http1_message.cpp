// SPDX-License-Identifier: Apache-2.0
#include "proxy/http1_message.h"

#include <algorithm>

namespace coldframe::proxy {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trim(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

} // namespace

bool equalsIgnoringCase(std::string_view a, std::string_view b)
{
    return a.size() == b.size()
           && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string lowerCase(std::string_view text)
{
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

const std::string* HeaderList::find(std::string_view name) const
{
    for (const HeaderField& field : m_fields) {
        if (equalsIgnoringCase(field.name, name)) {
            return &field.value;
        }
    }
    return nullptr;
}

std::size_t HeaderList::count(std::string_view name) const
{
    return static_cast<std::size_t>(std::count_if(m_fields.begin(), m_fields.end(), [name](const HeaderField& field) {
        return equalsIgnoringCase(field.name, name);
    }));
}

void HeaderList::remove(std::string_view name)
{
    std::erase_if(m_fields, [name](const HeaderField& field) { return equalsIgnoringCase(field.name, name); });
}

void HeaderList::set(std::string name, std::string value)
{
    remove(name);
    add(std::move(name), std::move(value));
}

std::vector<std::string> HeaderList::tokens(std::string_view name) const
{
    std::vector<std::string> result;
    for (const HeaderField& field : m_fields) {
        if (!equalsIgnoringCase(field.name, name)) {
            continue;
        }
        std::string_view rest = field.value;
        while (!rest.empty()) {
            const std::size_t comma = rest.find(',');
            const std::string_view member = trim(rest.substr(0, comma));
            if (!member.empty()) {
                result.push_back(lowerCase(member));
            }
            rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
        }
    }
    return result;
}

bool HeaderList::hasToken(std::string_view name, std::string_view token) const
{
    const std::vector<std::string> members = tokens(name);
    return std::find(members.begin(), members.end(), lowerCase(token)) != members.end();
}

} // namespace coldframe::proxy
