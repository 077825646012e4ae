// SPDX-License-Identifier: Apache-2.0
#include "ui/window_settings.h"

#include "base/file.h"
#include "base/paths.h"
#include "ui/text.h"

namespace coldframe::ui {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMaxBytes = 64 * 1024;

std::filesystem::path settingsFile() { return paths::configFolder() / "window.json"; }

TerminalLooks looksFromJson(const json& value)
{
    TerminalLooks looks;
    looks.family = shownField(value, "font").left(200);
    const qint64 points = numberField(value, "size");
    looks.points = points >= TerminalLooks::kMinPoints && points <= TerminalLooks::kMaxPoints ? static_cast<int>(points) : 0;
    looks.ligatures = flagField(value, "ligatures");
    looks.darkScheme = shownField(value, "darkScheme");
    looks.lightScheme = shownField(value, "lightScheme");
    looks.copyOnSelect = flagField(value, "copyOnSelect");
    looks.visualBell = !value.is_object() || !value.contains("visualBell") || flagField(value, "visualBell");
    looks.audibleBell = flagField(value, "audibleBell");
    return looks;
}

json toJson(const TerminalLooks& looks)
{
    return {{"font", looks.family.toStdString()},
            {"size", looks.points},
            {"ligatures", looks.ligatures},
            {"darkScheme", looks.darkScheme.toStdString()},
            {"lightScheme", looks.lightScheme.toStdString()},
            {"copyOnSelect", looks.copyOnSelect},
            {"visualBell", looks.visualBell},
            {"audibleBell", looks.audibleBell}};
}

} // namespace

WindowSettings loadWindowSettings()
{
    WindowSettings settings;
    const Result<std::string> text = readFile(settingsFile(), kMaxBytes);
    const json value = text ? json::parse(*text, nullptr, false) : json();
    const std::string theme = rawField(value, "theme");
    settings.theme = theme == "dark" ? ThemeChoice::Dark : theme == "light" ? ThemeChoice::Light : ThemeChoice::System;
    settings.darkTerminals = flagField(value, "darkTerminals");
    settings.terminal = looksFromJson(value.is_object() && value.contains("terminal") ? value["terminal"] : json());
    const std::string clipboard = rawField(value, "clipboard");
    settings.clipboard = clipboard == "always" ? ClipboardConsent::Always : clipboard == "never" ? ClipboardConsent::Never : ClipboardConsent::Ask;
    return settings;
}

Result<void> saveWindowSettings(const WindowSettings& settings)
{
    const char* theme = settings.theme == ThemeChoice::Dark    ? "dark"
                        : settings.theme == ThemeChoice::Light ? "light"
                                                               : "system";
    COLDFRAME_CHECK(makeFolders(settingsFile().parent_path(), 0700));
    const char* clipboard = settings.clipboard == ClipboardConsent::Always  ? "always"
                            : settings.clipboard == ClipboardConsent::Never ? "never"
                                                                            : "ask";
    const json value{{"version", kVersion},
                     {"theme", theme},
                     {"darkTerminals", settings.darkTerminals},
                     {"terminal", toJson(settings.terminal)},
                     {"clipboard", clipboard}};
    return writeFileAtomic(settingsFile(), value.dump(2) + "\n");
}

} // namespace coldframe::ui
