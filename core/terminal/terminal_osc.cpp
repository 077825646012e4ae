// SPDX-License-Identifier: Apache-2.0
// Operating system commands: xterm's ctlseqs; OSC 7, 8, 99 and 133 by their specifications.
#include "terminal/terminal.h"
#include "terminal/text_safety.h"

#include <algorithm>
#include <charconv>

namespace coldframe::terminal {

namespace {

constexpr std::size_t kMaxTitle = 200;
constexpr std::size_t kMaxNotice = 400;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxClipboard = 64 * 1024;
constexpr std::size_t kMaxLinkName = 250;
constexpr std::size_t kMaxNamedLinks = 1024;

/// The text up to the separator, which is taken off with it.
std::string_view takeField(std::string_view& rest, char separator)
{
    const std::size_t at = rest.find(separator);
    const std::string_view field = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
    return field;
}

std::optional<int> number(std::string_view text)
{
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= 0 ? std::optional(value) : std::nullopt;
}

} // namespace

void Terminal::osc(std::string_view text, bool endedByBell)
{
    m_screen.forgetLast();
    const std::string_view end = endedByBell ? "\a" : "\x1b\\"; // answers end as the questions do
    const std::optional<int> code = number(takeField(text, ';'));
    switch (code.value_or(-1)) {
    case 0:
    case 2: oscTitle(text); break;
    case 4: oscPalette(text, end); break;
    case 7: oscDirectory(text); break;
    case 8: oscLink(text); break;
    case 9: oscNotify(text); break;
    case 10:
    case 11:
    case 12: oscDynamicColor(*code, text, end); break;
    case 52: oscClipboard(text); break;
    case 99: oscKittyNotify(text); break;
    case 104: oscResetPalette(text); break;
    case 110:
    case 111:
    case 112: m_colors.set(static_cast<DynamicColor>(*code - 110), std::nullopt); break;
    case 133: oscPrompt(text); break;
    case 777:
        if (takeField(text, ';') == "notify" && m_callbacks.notification) {
            const std::string title = cleanForTitle(takeField(text, ';'), kMaxTitle);
            const std::string body = cleanForTitle(text, kMaxNotice);
            if (!title.empty() || !body.empty()) {
                m_callbacks.notification(title, body);
            }
        }
        break;
    default: break;
    }
}

void Terminal::oscTitle(std::string_view text)
{
    m_title = cleanForTitle(text, kMaxTitle);
    if (m_callbacks.title) {
        m_callbacks.title(m_title);
    }
}

void Terminal::oscPalette(std::string_view text, std::string_view end)
{
    while (!text.empty()) {
        const std::optional<int> index = number(takeField(text, ';'));
        const std::string_view wanted = takeField(text, ';');
        if (!index || *index > 255) {
            return;
        }
        const auto which = static_cast<std::uint8_t>(*index);
        if (wanted == "?") {
            send("\x1b]4;" + std::to_string(*index) + ";" + colorText(m_colors.palette(which)) + std::string(end));
        } else if (const auto color = parseColor(wanted)) {
            m_colors.setPalette(which, *color);
        }
    }
}

void Terminal::oscResetPalette(std::string_view text)
{
    if (text.empty()) {
        m_colors.resetPalette();
    }
    while (!text.empty()) {
        const std::optional<int> index = number(takeField(text, ';'));
        if (index && *index <= 255) {
            m_colors.resetPalette(static_cast<std::uint8_t>(*index));
        }
    }
}

/// Several values in one command are for the colours that follow: 10, 11, 12.
void Terminal::oscDynamicColor(int first, std::string_view text, std::string_view end)
{
    for (int code = first; code <= 12 && !text.empty(); ++code) {
        const auto which = static_cast<DynamicColor>(code - 10);
        const std::string_view wanted = takeField(text, ';');
        if (wanted == "?") {
            send("\x1b]" + std::to_string(code) + ";" + colorText(m_colors.color(which)) + std::string(end));
        } else if (const auto color = parseColor(wanted)) {
            m_colors.set(which, color);
        }
    }
}

/// file://host/path, the path percent-encoded. What host it is does not matter: it is inside the sandbox.
void Terminal::oscDirectory(std::string_view text)
{
    constexpr std::string_view kScheme = "file://";
    if (!m_callbacks.directory || !text.starts_with(kScheme)) {
        return;
    }
    text.remove_prefix(kScheme.size());
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || text.size() - slash > kMaxPath) {
        return;
    }
    std::string path;
    if (decodePercent(text.substr(slash), path) && isPlainText(path)) {
        m_callbacks.directory(path);
    }
}

/// gist.github.com/egmontkob, "Hyperlinks in terminal emulators": cells with the same id and target are one link.
void Terminal::oscLink(std::string_view text)
{
    std::string_view parameters = takeField(text, ';');
    if (text.empty() || text.size() > Extras::kMaxTarget || !isPlainText(text)) {
        m_linkId = 0;
        m_linkTarget.clear();
        updateExtra();
        return;
    }
    std::string_view name;
    while (!parameters.empty()) {
        const std::string_view parameter = takeField(parameters, ':');
        if (parameter.starts_with("id=")) {
            name = parameter.substr(3);
        }
    }
    m_linkTarget = text;
    if (name.empty() || name.size() > kMaxLinkName) {
        m_linkId = m_nextLinkId++;
    } else {
        if (m_namedLinks.size() >= kMaxNamedLinks) {
            m_namedLinks.clear(); // later cells of an old link are another one then
        }
        std::string key(name);
        key += '\0';
        key += text;
        const auto [place, isNew] = m_namedLinks.try_emplace(std::move(key), m_nextLinkId);
        m_nextLinkId += isNew ? 1 : 0;
        m_linkId = place->second;
    }
    m_nextLinkId = std::max<std::uint32_t>(m_nextLinkId, 1);
    updateExtra();
}

/// iTerm2's notification; ConEmu's commands share the number: 9;4 is progress, the other ones are not texts.
void Terminal::oscNotify(std::string_view text)
{
    std::string_view rest = text;
    const std::string_view first = takeField(rest, ';');
    const std::optional<int> command = number(first);
    if (command == 4 && first.size() < text.size()) {
        const int state = number(takeField(rest, ';')).value_or(0);
        const int percent = number(takeField(rest, ';')).value_or(0);
        if (m_callbacks.progress && state <= 4) {
            m_callbacks.progress(state, std::min(percent, 100));
        }
        return;
    }
    if (command && *command <= 12 && (first.size() < text.size() || *command == 4)) {
        return;
    }
    const std::string shown = cleanForTitle(text, kMaxNotice);
    if (m_callbacks.notification && !shown.empty()) {
        m_callbacks.notification({}, shown);
    }
}

/// sw.kovidgoyal.net/kitty/desktop-notifications: title and text, in pieces if they like; queries and buttons are not answered.
void Terminal::oscKittyNotify(std::string_view text)
{
    std::string_view metadata = takeField(text, ';');
    std::string id;
    std::string_view kind = "title";
    bool isDone = true;
    bool isBase64 = false;
    while (!metadata.empty()) {
        std::string_view value = takeField(metadata, ':');
        const std::string_view key = takeField(value, '=');
        if (key == "i") {
            id = value.substr(0, 64);
        } else if (key == "p") {
            kind = value;
        } else if (key == "d") {
            isDone = value != "0";
        } else if (key == "e") {
            isBase64 = value == "1";
        }
    }
    if (kind != "title" && kind != "body") {
        return;
    }
    if (id != m_notificationId) {
        m_notificationId = id;
        m_notificationTitle.clear();
        m_notificationText.clear();
    }
    std::string piece(text.substr(0, kMaxPath));
    if (isBase64 && !decodeBase64(std::string_view(piece), piece)) {
        return;
    }
    std::string& target = kind == "title" ? m_notificationTitle : m_notificationText;
    target += piece.substr(0, kMaxNotice - std::min(kMaxNotice, target.size()));
    if (!isDone) {
        return;
    }
    const std::string title = cleanForTitle(m_notificationTitle, kMaxTitle);
    const std::string body = cleanForTitle(m_notificationText, kMaxNotice);
    m_notificationId.clear();
    m_notificationTitle.clear();
    m_notificationText.clear();
    if (m_callbacks.notification && (!title.empty() || !body.empty())) {
        m_callbacks.notification(title, body);
    }
}

void Terminal::oscClipboard(std::string_view text)
{
    const std::size_t semicolon = text.find(';');
    if (semicolon == std::string_view::npos || !m_callbacks.clipboardWrite) {
        return;
    }
    const std::string_view data = text.substr(semicolon + 1);
    if (data == "?" || data.empty()) {
        return; // a read of the user's clipboard is never answered
    }
    std::string decoded;
    if (decodeBase64(data, decoded) && decoded.size() <= kMaxClipboard) {
        m_callbacks.clipboardWrite(decoded);
    }
}

/// FinalTerm's marks (gitlab.freedesktop.org, "Semantic prompts in the terminal").
void Terminal::oscPrompt(std::string_view text)
{
    const std::string_view kind = takeField(text, ';');
    RowMark mark = RowMark::None;
    std::optional<int> status;
    if (kind == "A") {
        mark = RowMark::Prompt;
    } else if (kind == "B") {
        mark = RowMark::Command;
    } else if (kind == "C") {
        mark = RowMark::Output;
    } else if (kind == "D") {
        status = number(takeField(text, ';'));
    } else {
        return;
    }
    // Of a prompt of one row the beginning counts, not that the command follows in it.
    if (mark == RowMark::Prompt || (mark != RowMark::None && m_screen.grid().state(cursor().row).mark == RowMark::None)) {
        m_screen.markRow(mark);
    }
    if (m_callbacks.promptMark) {
        m_callbacks.promptMark(mark, status);
    }
}

} // namespace coldframe::terminal
