// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

/// Fields of the engine's JSON as the window shows them. A missing field or one of another type reads as empty:
/// what comes from a guest must never stop the window.
namespace coldframe::ui {

/// Control characters, invalid UTF-8 and marks that reorder text are spelled out, so that a guest's string cannot
/// look like something else.
QString shown(std::string_view bytes);
/// A path of the API (percent-encoded where it is not UTF-8), for people.
QString shownPath(const std::string& apiPath);
/// The reverse for a path that the user typed or chose.
std::string apiPath(const QString& path);

std::string rawField(const nlohmann::json& object, const char* key);
QString shownField(const nlohmann::json& object, const char* key);
qint64 numberField(const nlohmann::json& object, const char* key);
bool flagField(const nlohmann::json& object, const char* key);
/// An array, empty when it is missing.
const nlohmann::json& listField(const nlohmann::json& object, const char* key);

/// A host, with its port where that is not the usual one of the web.
QString shownTarget(const std::string& host, qint64 port);
/// "512 B", "3.4 MiB".
QString shownBytes(qint64 bytes);

} // namespace coldframe::ui
