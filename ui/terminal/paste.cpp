// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/paste.h"

#include <algorithm>

namespace coldframe::ui {

namespace {

constexpr int kPreviewLines = 12;
constexpr int kPreviewColumns = 100;

bool isControl(QChar c)
{
    const char16_t code = c.unicode();
    return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || code == 0x7F || (code >= 0x80 && code < 0xA0);
}

bool reorders(QChar c)
{
    const char16_t code = c.unicode();
    return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

} // namespace

bool pasteNeedsAsking(const QString& text, bool bracketed)
{
    const bool severalLines = text.contains(QLatin1Char('\n')) || text.contains(QLatin1Char('\r'));
    return (severalLines && !bracketed) || std::any_of(text.begin(), text.end(), [](QChar c) { return isControl(c) || reorders(c); });
}

QString pastePreview(const QString& text)
{
    QString preview;
    int lines = 0;
    int columns = 0;
    for (const QChar c : text) {
        if (c == QLatin1Char('\n')) {
            columns = 0;
            if (++lines >= kPreviewLines) {
                return preview + QStringLiteral("\n…");
            }
            preview += c;
        } else if (c == QLatin1Char('\r')) {
            continue;
        } else if (++columns == kPreviewColumns) {
            preview += QStringLiteral("…");
        } else if (columns < kPreviewColumns) {
            preview += isControl(c) || reorders(c) ? QStringLiteral("‹U+%1›").arg(c.unicode(), 4, 16, QLatin1Char('0')).toUpper()
                                                   : QString(c);
        }
    }
    return preview;
}

QString quotedForShell(const QString& path)
{
    const bool isPlain = !path.isEmpty() && std::all_of(path.begin(), path.end(), [](QChar c) {
        return (c.unicode() < 0x80 && c.isLetterOrNumber()) || QStringView(u"/._-+@%:,=").contains(c);
    });
    if (isPlain) {
        return path;
    }
    QString inner = path;
    inner.replace(QLatin1Char('\''), QStringLiteral("'\\''"));
    return QLatin1Char('\'') + inner + QLatin1Char('\'');
}

} // namespace coldframe::ui
