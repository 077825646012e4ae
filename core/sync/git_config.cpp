// SPDX-License-Identifier: Apache-2.0
#include "sync/git_config.h"

#include "sync/entry.h"

#include <array>

namespace coldframe::sync {

namespace {

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool isAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

class Parser
{
public:
    explicit Parser(std::string_view text) : m_text(text) {}

    std::optional<std::vector<GitConfigValue>> parse()
    {
        if (m_text.starts_with("\xEF\xBB\xBF")) {
            m_text.remove_prefix(3);
        }
        while (!m_text.empty()) {
            const char c = m_text.front();
            if (isSpace(c) || c == '\n') {
                m_text.remove_prefix(1);
            } else if (c == '#' || c == ';') {
                skipLine();
            } else if (c == '[') {
                if (!section()) {
                    return std::nullopt;
                }
            } else if (m_section.empty() || !assignment()) {
                return std::nullopt;
            }
        }
        return std::move(m_values);
    }

private:
    void skipLine()
    {
        const auto end = m_text.find('\n');
        m_text.remove_prefix(end == std::string_view::npos ? m_text.size() : end + 1);
    }

    bool section()
    {
        m_text.remove_prefix(1);
        m_section.clear();
        m_subsection.clear();
        while (!m_text.empty() && (isAlnum(m_text.front()) || m_text.front() == '-' || m_text.front() == '.')) {
            m_section.push_back(m_text.front());
            m_text.remove_prefix(1);
        }
        while (!m_text.empty() && isSpace(m_text.front())) {
            m_text.remove_prefix(1);
        }
        if (m_text.starts_with('"')) {
            m_text.remove_prefix(1);
            while (!m_text.empty() && m_text.front() != '"') {
                if (m_text.front() == '\n') {
                    return false;
                }
                if (m_text.front() == '\\') {
                    m_text.remove_prefix(1);
                    if (m_text.empty()) {
                        return false;
                    }
                }
                m_subsection.push_back(m_text.front());
                m_text.remove_prefix(1);
            }
            if (m_text.empty()) {
                return false;
            }
            m_text.remove_prefix(1);
        } else if (const auto dot = m_section.find('.'); dot != std::string::npos) {
            m_subsection = foldCase(m_section.substr(dot + 1));
            m_section.resize(dot);
        }
        m_section = foldCase(m_section);
        if (m_section.empty() || !m_text.starts_with(']')) {
            return false;
        }
        m_text.remove_prefix(1);
        return true;
    }

    bool assignment()
    {
        GitConfigValue value{m_section, m_subsection, {}, {}};
        while (!m_text.empty() && (isAlnum(m_text.front()) || m_text.front() == '-')) {
            value.key.push_back(m_text.front());
            m_text.remove_prefix(1);
        }
        if (value.key.empty()) {
            return false;
        }
        value.key = foldCase(value.key);
        while (!m_text.empty() && isSpace(m_text.front())) {
            m_text.remove_prefix(1);
        }
        if (m_text.empty() || m_text.front() == '\n' || m_text.front() == '#' || m_text.front() == ';') {
            value.value = "true";
            skipLine();
        } else if (m_text.front() != '=' || !readValue(value.value)) {
            return false;
        }
        m_values.push_back(std::move(value));
        return true;
    }

    bool readValue(std::string& value)
    {
        m_text.remove_prefix(1);
        while (!m_text.empty() && isSpace(m_text.front())) {
            m_text.remove_prefix(1);
        }
        bool quoted = false;
        std::size_t kept = 0;
        while (!m_text.empty()) {
            char c = m_text.front();
            m_text.remove_prefix(1);
            if (c == '\n') {
                if (quoted) {
                    return false;
                }
                break;
            }
            if (!quoted && (c == '#' || c == ';')) {
                skipLine();
                break;
            }
            if (c == '"') {
                quoted = !quoted;
                kept = value.size();
                continue;
            }
            if (c == '\\') {
                if (m_text.starts_with("\r\n")) {
                    m_text.remove_prefix(1);
                }
                if (m_text.empty()) {
                    return false;
                }
                c = m_text.front();
                m_text.remove_prefix(1);
                if (c == '\n') {
                    continue;
                }
                if (c == 'n') {
                    c = '\n';
                } else if (c == 't') {
                    c = '\t';
                } else if (c == 'b') {
                    c = '\b';
                } else if (c != '\\' && c != '"') {
                    return false;
                }
                value.push_back(c);
                kept = value.size();
                continue;
            }
            value.push_back(c);
            if (quoted || !isSpace(c)) {
                kept = value.size();
            }
        }
        value.resize(kept);
        return !quoted;
    }

    std::string_view m_text;
    std::string m_section;
    std::string m_subsection;
    std::vector<GitConfigValue> m_values;
};

bool isAllowed(const GitConfigValue& item)
{
    using Name = std::pair<std::string_view, std::string_view>;
    static constexpr std::array<Name, 13> plain{{{"core", "repositoryformatversion"},
                                                 {"core", "filemode"},
                                                 {"core", "bare"},
                                                 {"core", "logallrefupdates"},
                                                 {"core", "ignorecase"},
                                                 {"core", "precomposeunicode"},
                                                 {"core", "symlinks"},
                                                 {"core", "autocrlf"},
                                                 {"core", "eol"},
                                                 {"user", "name"},
                                                 {"user", "email"},
                                                 {"init", "defaultbranch"},
                                                 {"extensions", "objectformat"}}};
    static constexpr std::array<Name, 6> grouped{{{"remote", "url"},
                                                  {"remote", "pushurl"},
                                                  {"remote", "fetch"},
                                                  {"branch", "remote"},
                                                  {"branch", "merge"},
                                                  {"branch", "rebase"}}};
    for (const auto& [section, key] : plain) {
        if (item.subsection.empty() && item.section == section && item.key == key) {
            return true;
        }
    }
    for (const auto& [section, key] : grouped) {
        if (!item.subsection.empty() && item.section == section && item.key == key) {
            return true;
        }
    }
    return false;
}

std::string quote(std::string_view text, bool withEscapes)
{
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted.push_back('\\');
            quoted.push_back(c);
        } else if (withEscapes && c == '\n') {
            quoted += "\\n";
        } else if (withEscapes && c == '\t') {
            quoted += "\\t";
        } else {
            quoted.push_back(c);
        }
    }
    quoted.push_back('"');
    return quoted;
}

} // namespace

std::optional<std::vector<GitConfigValue>> parseGitConfig(std::string_view text) { return Parser(text).parse(); }

std::string withoutCredentials(std::string_view url)
{
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) {
        return std::string(url); // a path, or user@host:path of ssh, which carries no password
    }
    const std::string_view name = url.substr(0, scheme);
    std::string_view rest = url.substr(scheme + 3);
    const bool isSsh = name == "ssh" || name == "git+ssh" || name == "ssh+git";
    if (!isSsh) {
        rest = rest.substr(0, rest.find_first_of("?#"));
    }
    const auto slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    const std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
    std::string user;
    // The last @ counts: a password may hold one.
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        if (isSsh) {
            user = std::string(authority.substr(0, std::min(at, authority.find(':')))) + "@";
        }
        authority.remove_prefix(at + 1);
    }
    return std::string(name) + "://" + user + std::string(authority) + std::string(path);
}

std::string renderGitConfig(const std::vector<GitConfigValue>& values)
{
    std::string text = "# Made by Coldframe from the host's configuration; only safe settings are here.\n";
    std::string current;
    for (const GitConfigValue& item : values) {
        if (!isAllowed(item)) {
            continue;
        }
        std::string header = "[" + item.section;
        if (!item.subsection.empty()) {
            header += " " + quote(item.subsection, false);
        }
        header += "]\n";
        if (header != current) {
            text += header;
            current = header;
        }
        const bool isUrl = item.key == "url" || item.key == "pushurl";
        text += "\t" + item.key + " = " + quote(isUrl ? withoutCredentials(item.value) : item.value, true) + "\n";
    }
    return text;
}

} // namespace coldframe::sync
