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

} // namespace

WindowSettings loadWindowSettings()
{
    WindowSettings settings;
    const Result<std::string> text = readFile(settingsFile(), kMaxBytes);
    const json value = text ? json::parse(*text, nullptr, false) : json();
    const std::string theme = rawField(value, "theme");
    settings.theme = theme == "dark" ? ThemeChoice::Dark : theme == "light" ? ThemeChoice::Light : ThemeChoice::System;
    settings.darkTerminals = flagField(value, "darkTerminals");
    return settings;
}

Result<void> saveWindowSettings(const WindowSettings& settings)
{
    const char* theme = settings.theme == ThemeChoice::Dark    ? "dark"
                        : settings.theme == ThemeChoice::Light ? "light"
                                                               : "system";
    COLDFRAME_CHECK(makeFolders(settingsFile().parent_path(), 0700));
    return writeFileAtomic(settingsFile(), json{{"version", kVersion}, {"theme", theme}, {"darkTerminals", settings.darkTerminals}}.dump(2) + "\n");
}

} // namespace coldframe::ui
