// SPDX-License-Identifier: Apache-2.0
#include "ui/network_model.h"

#include "ui/text.h"
#include "ui/theme.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {

constexpr int kFlushMilliseconds = 100;
constexpr qsizetype kMostTexts = 200000;

bool isNewer(const ConnectionRow& a, const ConnectionRow& b) { return a.id > b.id; }

} // namespace

QString verdictText(Verdict verdict, bool isKeyed, bool isOpen, qint64 count)
{
    QString text = verdict == Verdict::Allowed  ? NetworkModel::tr("allowed")
                   : verdict == Verdict::Denied ? NetworkModel::tr("blocked")
                                                : NetworkModel::tr("failed");
    if (isKeyed) {
        text += NetworkModel::tr(", key put on");
    }
    if (isOpen) {
        text += NetworkModel::tr(", open");
    }
    return count > 1 ? NetworkModel::tr("%1 (%2 times)").arg(text).arg(count) : text;
}

QString trafficText(qint64 bytesIn, qint64 bytesOut)
{
    return bytesIn + bytesOut > 0 ? QStringLiteral("↓ %1  ↑ %2").arg(shownBytes(bytesIn), shownBytes(bytesOut)) : QString();
}

QString ConnectionRow::details() const
{
    const QString where = address.isEmpty() || target.startsWith(address) ? target : NetworkModel::tr("%1 at %2").arg(target, address);
    QStringList parts = {isFromContainer ? NetworkModel::tr("To %1, from a container.").arg(where) : NetworkModel::tr("To %1.").arg(where)};
    if (!process.isEmpty()) {
        parts << NetworkModel::tr("By %1.").arg(process);
    }
    if (!reason.isEmpty()) {
        parts << (reason.endsWith(QLatin1Char('.')) ? reason : reason + QLatin1Char('.'));
    }
    if (!rule.isEmpty() && !reason.contains(rule)) {
        parts << NetworkModel::tr("Rule: %1.").arg(rule);
    }
    if (how == QLatin1String("bypass")) {
        parts << NetworkModel::tr("It was passed on uninspected, as the settings say.");
    } else if (how == QLatin1String("raw")) {
        parts << NetworkModel::tr("It was passed on as it is: neither HTTP nor TLS.");
    }
    if (!key.isEmpty()) {
        parts << NetworkModel::tr("The proxy put the key for %1 on it.").arg(key);
    }
    if (milliseconds > 0) {
        parts << (milliseconds < 1000 ? NetworkModel::tr("It took %1 ms.").arg(milliseconds)
                                      : NetworkModel::tr("It took %1 s.").arg(static_cast<double>(milliseconds) / 1000, 0, 'f', 1));
    }
    return parts.join(QLatin1Char(' '));
}

bool NetworkFilter::accepts(const ConnectionRow& row) const
{
    if ((verdict == "blocked" && row.verdict == Verdict::Allowed) || (verdict == "allowed" && row.verdict != Verdict::Allowed)) {
        return false;
    }
    const auto holds = [this](const QString& part) { return part.contains(text, Qt::CaseInsensitive); };
    return text.isEmpty() || holds(row.target) || holds(row.request) || holds(row.rule) || holds(row.reason) || holds(row.address) ||
           holds(row.process);
}

void NetworkFilter::addTo(json& params) const
{
    if (!text.isEmpty()) {
        params["text"] = text.left(200).toStdString();
    }
    if (!verdict.empty()) {
        params["verdict"] = verdict;
    }
}

NetworkModel::NetworkModel(QObject* parent) : QAbstractTableModel(parent)
{
    m_flush.setSingleShot(true);
    m_flush.setInterval(kFlushMilliseconds);
    connect(&m_flush, &QTimer::timeout, this, &NetworkModel::flush);
}

ConnectionRow NetworkModel::rowFrom(const json& value)
{
    const auto once = [this](const QString& text) { return *m_texts.insert(text); };
    ConnectionRow row;
    row.id = numberField(value, "id");
    row.time = QDateTime::fromString(shownField(value, "time"), Qt::ISODate).toLocalTime();
    const std::string verdict = rawField(value, "verdict");
    row.verdict = verdict == "allowed" ? Verdict::Allowed : verdict == "denied" ? Verdict::Denied : Verdict::Error;
    row.host = rawField(value, "host");
    if (row.host.empty()) {
        row.host = rawField(value, "address");
    }
    row.port = numberField(value, "port");
    row.target = once(shown(row.host.substr(0, 300)) + (row.port > 0 ? QLatin1Char(':') + QString::number(row.port) : QString()));
    const QString method = shownField(value, "method");
    row.request = once(method.isEmpty() ? shownField(value, "protocol")
                                        : method + QLatin1Char(' ') + shown(rawField(value, "path").substr(0, 500)));
    row.status = numberField(value, "status");
    row.bytesIn = numberField(value, "bytesIn");
    row.bytesOut = numberField(value, "bytesOut");
    row.milliseconds = numberField(value, "durationMs");
    row.reason = once(shownField(value, "reason"));
    row.rule = once(shownField(value, "rule"));
    row.why = row.rule.isEmpty() || row.verdict == Verdict::Error ? (row.reason.isEmpty() ? row.rule : row.reason) : row.rule;
    row.address = once(shownField(value, "address"));
    row.process = once(shownField(value, "process"));
    row.key = once(shownField(value, "keyInjected"));
    row.how = once(shownField(value, "how"));
    row.isFromContainer = rawField(value, "source") == "container";
    row.isOpen = flagField(value, "open");
    row.count = std::max<qint64>(1, numberField(value, "count"));
    return row;
}

void NetworkModel::begin(const NetworkFilter& filter)
{
    beginResetModel();
    m_filter = filter;
    m_rows.clear();
    m_waiting.clear();
    m_texts.clear();
    m_hasMore = true;
    endResetModel();
}

void NetworkModel::take(const json& connection)
{
    m_waiting.push_back(rowFrom(connection));
    if (m_waiting.size() > kMaxConnections) {
        m_waiting.pop_front();
    }
    if (!m_flush.isActive()) {
        m_flush.start();
    }
}

void NetworkModel::takePage(const json& entries, bool isLast)
{
    flush();
    m_hasMore = !isLast;
    std::deque<ConnectionRow> fresh;
    for (const json& entry : entries) {
        fresh.push_back(rowFrom(entry));
    }
    insert(std::move(fresh));
}

void NetworkModel::flush()
{
    m_flush.stop();
    std::deque<ConnectionRow> fresh;
    for (ConnectionRow& row : m_waiting) {
        // What is older than all that was fetched comes with its page.
        if (m_filter.accepts(row) && (!m_hasMore || m_rows.empty() || row.id >= m_rows.back().id)) {
            fresh.push_back(std::move(row));
        }
    }
    m_waiting.clear();
    if (m_texts.size() > kMostTexts) {
        m_texts.clear(); // the rows keep theirs
    }
    insert(std::move(fresh));
}

void NetworkModel::insert(std::deque<ConnectionRow> fresh)
{
    // A later message about the same connection replaces the earlier one (its end, or another repeat).
    std::stable_sort(fresh.begin(), fresh.end(), isNewer);
    const auto twins = std::unique(fresh.rbegin(), fresh.rend(), [](const ConnectionRow& a, const ConnectionRow& b) { return a.id == b.id; });
    fresh.erase(fresh.begin(), twins.base());
    for (auto row = fresh.begin(); row != fresh.end();) {
        const auto old = std::lower_bound(m_rows.begin(), m_rows.end(), *row, isNewer);
        const int place = static_cast<int>(old - m_rows.begin());
        if (old != m_rows.end() && old->id == row->id) {
            *old = std::move(*row);
            emit dataChanged(index(place, 0), index(place, ColumnCount - 1));
            ++row;
            continue;
        }
        // All that belongs here goes in together: mostly the whole batch, on top or at the end.
        const auto end = old == m_rows.end() ? fresh.end() : std::find_if(row, fresh.end(), [old](const ConnectionRow& one) { return one.id <= old->id; });
        beginInsertRows({}, place, place + static_cast<int>(end - row) - 1);
        m_rows.insert(old, std::make_move_iterator(row), std::make_move_iterator(end));
        endInsertRows();
        row = end;
    }
    if (rowCount() > kMaxConnections) {
        beginRemoveRows({}, kMaxConnections, rowCount() - 1);
        m_rows.resize(kMaxConnections);
        endRemoveRows();
        m_hasMore = false;
    }
}

bool NetworkModel::canFetchMore(const QModelIndex& parent) const
{
    return !parent.isValid() && m_hasMore && rowCount() < kMaxConnections;
}

void NetworkModel::fetchMore(const QModelIndex& parent)
{
    if (canFetchMore(parent)) {
        emit pageWanted();
    }
}

int NetworkModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int NetworkModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QVariant NetworkModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid()) {
        return {};
    }
    const ConnectionRow& row = at(index.row());
    if (role == VerdictRole) {
        return static_cast<int>(row.verdict);
    }
    if (role == Qt::ForegroundRole && index.column() == VerdictColumn) {
        return row.verdict == Verdict::Allowed ? Theme::good(m_palette) : Theme::bad(m_palette);
    }
    if (role == Qt::ToolTipRole) {
        return QString(index.data().toString()).toHtmlEscaped();
    }
    if (role != Qt::DisplayRole) {
        return {};
    }
    switch (index.column()) {
    case TimeColumn: return row.time.time().toString(QStringLiteral("HH:mm:ss"));
    case VerdictColumn: return verdictText(row.verdict, !row.key.isEmpty(), row.isOpen, row.count);
    case HostColumn: return row.target;
    case RequestColumn: return row.request;
    case ResultColumn: return row.status > 0 ? QString::number(row.status) : QString();
    case TrafficColumn: return trafficText(row.bytesIn, row.bytesOut);
    case WhyColumn: return row.why;
    default: return {};
    }
}

QVariant NetworkModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case TimeColumn: return tr("Time");
    case VerdictColumn: return tr("Verdict");
    case HostColumn: return tr("Host");
    case RequestColumn: return tr("Request");
    case ResultColumn: return tr("Status");
    case TrafficColumn: return tr("Traffic");
    case WhyColumn: return tr("Why");
    default: return {};
    }
}

void NetworkModel::setPalette(const QPalette& palette)
{
    m_palette = palette;
    if (!m_rows.empty()) {
        emit dataChanged(index(0, VerdictColumn), index(rowCount() - 1, VerdictColumn), {Qt::ForegroundRole});
    }
}

} // namespace coldframe::ui
