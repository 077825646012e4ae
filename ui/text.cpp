// SPDX-License-Identifier: Apache-2.0
#include "ui/text.h"

#include "api/path_encoding.h"
#include "base/log.h"

#include <QFile>
#include <QLocale>

namespace coldframe::ui {

using nlohmann::json;

QString shown(std::string_view bytes)
{
    const QString text = QString::fromStdString(escapeForDisplay(bytes));
    QString out;
    out.reserve(text.size());
    for (const QChar c : text) {
        const char16_t code = c.unicode();
        const bool reorders = code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                              (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029;
        if (reorders) {
            out += QStringLiteral("\\u%1").arg(static_cast<uint>(code), 4, 16, QLatin1Char('0'));
        } else {
            out += c;
        }
    }
    return out;
}

QString shownPath(const std::string& apiPath)
{
    const Result<std::string> path = api::decodePath(apiPath);
    return shown(path ? *path : apiPath);
}

std::string apiPath(const QString& path)
{
    return api::encodePath(QFile::encodeName(path).toStdString());
}

std::string rawField(const json& object, const char* key)
{
    if (!object.is_object()) {
        return {};
    }
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

QString shownField(const json& object, const char* key) { return shown(rawField(object, key)); }

qint64 numberField(const json& object, const char* key)
{
    if (!object.is_object()) {
        return 0;
    }
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<qint64>() : 0;
}

bool flagField(const json& object, const char* key)
{
    if (!object.is_object()) {
        return false;
    }
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

const json& listField(const json& object, const char* key)
{
    static const json empty = json::array();
    if (!object.is_object()) {
        return empty;
    }
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? *found : empty;
}

QString shownTarget(const std::string& host, qint64 port)
{
    const QString name = shown(host);
    if (port <= 0 || port == 80 || port == 443) {
        return name;
    }
    return (host.find(':') == std::string::npos ? QStringLiteral("%1:%2") : QStringLiteral("[%1]:%2")).arg(name).arg(port);
}

QString shownBytes(qint64 bytes) { return QLocale().formattedDataSize(bytes, 1); }

} // namespace coldframe::ui
