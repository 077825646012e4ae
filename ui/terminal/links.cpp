// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/links.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QUrl>
#include <algorithm>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr int kMaxAddress = 2083;
constexpr int kMaxAddresses = 200;

struct Texts
{
    Q_DECLARE_TR_FUNCTIONS(coldframe::ui::Links)
};

bool isOfAddress(QChar c)
{
    return c > QLatin1Char(' ') && c != QChar(0x7F) && !c.isSpace() && c.category() != QChar::Other_Format &&
           !QStringView(u"\"<>`{}|\\^").contains(c) && !(c.unicode() >= 0x2500 && c.unicode() <= 0x259F);
}

/// Without what belongs to the sentence around it: full stops, and brackets that were not opened inside.
int trimmedEnd(const QString& text, int from, int to)
{
    while (to > from) {
        const QChar last = text[to - 1];
        if (QStringView(u".,;:!?'*_~").contains(last)) {
            --to;
            continue;
        }
        const QChar open = last == QLatin1Char(')') ? QLatin1Char('(') : last == QLatin1Char(']') ? QLatin1Char('[') : QChar();
        const QStringView inside = QStringView(text).mid(from, to - from);
        if (open.isNull() || inside.count(open) >= inside.count(last)) {
            break;
        }
        --to;
    }
    return to;
}

std::vector<RowPart> partsOf(const LogicalLine& line, int from, int to, const Terminal& terminal)
{
    std::vector<RowPart> parts;
    Row row;
    for (int at = from; at < to; ++at) {
        const Spot& spot = line.spots[static_cast<std::size_t>(at)];
        if (parts.empty() || parts.back().row != spot.row) {
            readRowAt(terminal, spot.row, row);
            parts.push_back({spot.row, spot.column, spot.column});
        }
        parts.back().to = spot.column + std::max(1, row.width(spot.column));
    }
    return parts;
}

/// The cells around this one that belong to the same link of the program's.
std::optional<Link> ownLink(const Terminal& terminal, const Spot& cell)
{
    Row row;
    readRowAt(terminal, cell.row, row);
    const std::uint32_t id = row.linkId(cell.column);
    const std::string target(row.link(cell.column));
    if (target.empty()) {
        return {};
    }
    const auto isSame = [&](int column) { return row.linkId(column) == id && row.link(column) == target; };
    Link link;
    link.target = QString::fromStdString(target);
    qint64 first = cell.row;
    for (int back = 0; back < LogicalLine::kMaxRows && readRowAt(terminal, first - 1, row) && isSame(row.columns() - 1); ++back) {
        --first;
    }
    for (qint64 number = first; number < first + LogicalLine::kMaxRows && readRowAt(terminal, number, row); ++number) {
        bool any = false;
        for (int column = 0; column < row.columns(); ++column) {
            if (isSame(column)) {
                if (!any || link.parts.back().to != column) {
                    link.parts.push_back({number, column, column});
                }
                link.parts.back().to = column + 1;
                any = true;
            }
        }
        if (!any) {
            break;
        }
        for (const RowPart& part : link.parts) {
            if (part.row == number) {
                link.text += rowText(row, part.from, part.to);
            }
        }
        if (number >= cell.row && !isSame(row.columns() - 1)) {
            break;
        }
    }
    link.text = link.text.trimmed();
    return link;
}

QString hostOf(const QString& address)
{
    const QUrl url(address.contains(QStringLiteral("://")) ? address : QStringLiteral("http://") + address);
    QString host = url.host().toLower();
    if (host.startsWith(QStringLiteral("www."))) {
        host.remove(0, 4);
    }
    return host;
}

/// The host that a text seems to name, or nothing.
QString hostShown(const QString& text)
{
    const QList<FoundAddress> found = findAddresses(text);
    if (!found.isEmpty()) {
        return hostOf(text.mid(found[0].from, found[0].to - found[0].from));
    }
    for (const QString& word : text.split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
        const QString host = word.section(QLatin1Char('/'), 0, 0).section(QLatin1Char(':'), 0, 0);
        const QString top = host.section(QLatin1Char('.'), -1);
        // "example.com" and "www.example.com/x" name a host, "main.cpp" does too for all that anybody can see from here.
        if (host.contains(QLatin1Char('.')) && top.size() >= 2 && std::all_of(top.begin(), top.end(), [](QChar c) { return c.isLetter(); }) &&
            std::all_of(host.begin(), host.end(), [](QChar c) { return c.isLetterOrNumber() || c == QLatin1Char('-') || c == QLatin1Char('.'); })) {
            return hostOf(host);
        }
    }
    return {};
}

LinkJudgement judgeFile(const QUrl& url, const QStringList& folders)
{
    if (!url.host().isEmpty() && url.host() != QStringLiteral("localhost") && url.host().contains(QLatin1Char('.'))) {
        return {LinkVerdict::Refuse, Texts::tr("It names a file on another computer."), {}};
    }
    const QString canonical = QFileInfo(url.path()).canonicalFilePath();
    const bool isInside = !canonical.isEmpty() && std::any_of(folders.begin(), folders.end(), [&](const QString& folder) {
        const QString base = QFileInfo(folder).canonicalFilePath();
        return !base.isEmpty() && (canonical == base || canonical.startsWith(base + QLatin1Char('/')));
    });
    if (!isInside) {
        return {LinkVerdict::Refuse, Texts::tr("Only files that are in the sandbox's workspace are opened, and it is none of them."), {}};
    }
    const QFileInfo file(canonical);
    if (!file.isDir() && (file.isExecutable() || !file.isFile() || file.suffix() == QStringLiteral("desktop"))) {
        return {LinkVerdict::Refuse, Texts::tr("It is a program, which opening would run on this computer."), {}};
    }
    return {LinkVerdict::Open, {}, QUrl::fromLocalFile(canonical).toString(QUrl::FullyEncoded)};
}

} // namespace

QList<FoundAddress> findAddresses(const QString& text)
{
    static const QStringList kinds = {QStringLiteral("https://"), QStringLiteral("http://"), QStringLiteral("mailto:"), QStringLiteral("file:///")};
    QList<FoundAddress> found;
    for (int at = 0; at < text.size() && found.size() < kMaxAddresses; ++at) {
        const QChar c = text[at].toLower();
        if (c != QLatin1Char('h') && c != QLatin1Char('m') && c != QLatin1Char('f')) {
            continue;
        }
        for (const QString& kind : kinds) {
            if (!QStringView(text).mid(at).startsWith(kind, Qt::CaseInsensitive) || (at > 0 && text[at - 1].isLetterOrNumber())) {
                continue;
            }
            const int limit = std::min(static_cast<int>(text.size()), at + kMaxAddress);
            int to = at + static_cast<int>(kind.size());
            while (to < limit && isOfAddress(text[to])) {
                ++to;
            }
            to = trimmedEnd(text, at, to);
            if (to > at + kind.size()) {
                found.append({at, to});
                at = to - 1;
            }
            break;
        }
    }
    return found;
}

std::optional<Link> linkAt(const Terminal& terminal, const Spot& cell)
{
    if (cell.row < firstRow(terminal) || cell.row >= endRow(terminal)) {
        return {};
    }
    if (const auto own = ownLink(terminal, cell)) {
        return own;
    }
    const LogicalLine line = logicalLine(terminal, cell.row);
    const int index = line.indexOf(cell);
    for (const FoundAddress& address : findAddresses(line.text)) {
        if (index >= address.from && index < address.to) {
            const QString text = line.text.mid(address.from, address.to - address.from);
            return Link{text, text, partsOf(line, address.from, address.to, terminal)};
        }
    }
    return {};
}

LinkJudgement judgeLink(const QString& target, const QString& text, const QStringList& folders)
{
    const QUrl url(target, QUrl::StrictMode);
    const QString kind = url.scheme().toLower();
    if (!url.isValid() || target.size() > kMaxAddress) {
        return {LinkVerdict::Refuse, Texts::tr("It is no address that can be understood."), {}};
    }
    if (kind == QStringLiteral("file")) {
        return judgeFile(url, folders);
    }
    if (kind == QStringLiteral("mailto")) {
        return {LinkVerdict::Open, {}, url.toString(QUrl::FullyEncoded)};
    }
    if (kind != QStringLiteral("http") && kind != QStringLiteral("https")) {
        return {LinkVerdict::Refuse, Texts::tr("Only addresses of the web, of mail and of files in the workspace are opened."), {}};
    }
    if (url.host().isEmpty()) {
        return {LinkVerdict::Refuse, Texts::tr("It is no address that can be understood."), {}};
    }
    const QString encoded = url.toString(QUrl::FullyEncoded);
    if (!url.userInfo().isEmpty()) {
        return {LinkVerdict::Ask, Texts::tr("It leads to %1; what stands before the @ is no host.").arg(url.host(QUrl::FullyEncoded)), encoded};
    }
    const QString shownHost = hostShown(text);
    if (!shownHost.isEmpty() && shownHost != hostOf(target)) {
        return {LinkVerdict::Ask, Texts::tr("The text names %1, but it leads to %2.").arg(shownHost, url.host(QUrl::FullyEncoded)), encoded};
    }
    return {LinkVerdict::Open, {}, encoded};
}

} // namespace coldframe::ui
