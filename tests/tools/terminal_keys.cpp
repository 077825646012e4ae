// SPDX-License-Identifier: Apache-2.0
#include "tools/terminal_keys.h"

#include "terminal/key_encoder.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>

namespace coldframe::terminal_tools {
namespace {

using namespace coldframe::terminal;

const std::map<std::string_view, Key> kKeys = {
    {"up", Key::Up}, {"down", Key::Down}, {"right", Key::Right}, {"left", Key::Left}, {"home", Key::Home}, {"end", Key::End},
    {"pageup", Key::PageUp}, {"pagedown", Key::PageDown}, {"insert", Key::Insert}, {"delete", Key::Delete},
    {"backspace", Key::Backspace}, {"tab", Key::Tab}, {"enter", Key::Enter}, {"escape", Key::Escape}};

bool takeModifier(std::string_view& name, std::string_view modifier)
{
    const bool has = name.size() > modifier.size() + 1 && name.starts_with(modifier) && name[modifier.size()] == '+';
    if (has) {
        name.remove_prefix(modifier.size() + 1);
    }
    return has;
}

Modifiers takeModifiers(std::string_view& name)
{
    Modifiers modifiers;
    for (bool more = true; more;) {
        more = false;
        const std::pair<const char*, bool*> known[] = {{"shift", &modifiers.shift}, {"alt", &modifiers.alt}, {"ctrl", &modifiers.control}};
        for (const auto& [word, flag] : known) {
            if (takeModifier(name, word)) {
                *flag = more = true;
            }
        }
    }
    return modifiers;
}

char32_t onlyCharacter(std::string_view text)
{
    const auto first = static_cast<unsigned char>(text.empty() ? 0 : text[0]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (text.size() != length) {
        throw std::invalid_argument("no such key: " + std::string(text));
    }
    char32_t c = length == 1 ? first : first & (0xFFu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        c = (c << 6) | (static_cast<unsigned char>(text[i]) & 0x3F);
    }
    return c;
}

} // namespace

std::string keyBytes(std::string_view name, const Modes& modes)
{
    KeyEvent event;
    for (const auto& [word, action] : {std::pair<std::string_view, KeyAction>{"release ", KeyAction::Release}, {"repeat ", KeyAction::Repeat}}) {
        if (name.starts_with(word)) {
            event.action = action;
            name.remove_prefix(word.size());
        }
    }
    event.modifiers = takeModifiers(name);
    if (const auto found = kKeys.find(name); found != kKeys.end()) {
        event.key = found->second;
    } else if (name.size() >= 2 && name[0] == 'f' && std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        event.key = Key::Function;
        event.function = std::stoi(std::string(name.substr(1)));
    } else {
        event.character = name == "space" ? U' ' : onlyCharacter(name);
    }
    return encodeKey(event, modes);
}

std::string mouseBytes(std::string_view what, const Modes& modes)
{
    static const std::map<std::string, MouseAction> kActions = {{"press", MouseAction::Press}, {"release", MouseAction::Release}, {"move", MouseAction::Move}};
    static const std::map<std::string, int> kButtons = {{"left", 0}, {"middle", 1}, {"right", 2}, {"none", 3}, {"wheelup", 64}, {"wheeldown", 65}};
    std::istringstream words{std::string(what)};
    std::string action;
    std::string button;
    Position position;
    char comma = 0;
    std::string modifierNames;
    words >> action >> button >> position.row >> comma >> position.column;
    if (!words || comma != ',' || !kActions.contains(action) || !kButtons.contains(button)) {
        throw std::invalid_argument("no such use of the mouse: " + std::string(what));
    }
    words >> modifierNames;
    modifierNames += "+x"; // so that each modifier has a "+" behind it
    std::string_view rest = modifierNames;
    const Modifiers modifiers = takeModifiers(rest);
    return encodeMouse(kActions.at(action), kButtons.at(button), {position.row - 1, position.column - 1}, modifiers, modes);
}

} // namespace coldframe::terminal_tools
