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

QString detailsOf(const json& value, const QString& target, const QString& reason, const QString& rule)
{
    const QString address = shownField(value, "address");
    const std::string source = rawField(value, "source");
    const QString where = address.isEmpty() || target.startsWith(address) ? target : NetworkModel::tr("%1 at %2").arg(target, address);
    QStringList parts = {source == "container" ? NetworkModel::tr("To %1, from a container.").arg(where)
                                               : NetworkModel::tr("To %1.").arg(where)};
    if (!reason.isEmpty()) {
        parts << (reason.endsWith(QLatin1Char('.')) ? reason : reason + QLatin1Char('.'));
    }
    if (!rule.isEmpty() && !reason.contains(rule)) {
        parts << NetworkModel::tr("Rule: %1.").arg(rule);
    }
    const QString key = shownField(value, "keyInjected");
    if (!key.isEmpty()) {
        parts << NetworkModel::tr("The proxy put the key for %1 on it.").arg(key);
    }
    return parts.join(QLatin1Char(' '));
}

ConnectionRow rowFrom(const json& value)
{
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
    row.target = shown(row.host.substr(0, 300)) + (row.port > 0 ? QLatin1Char(':') + QString::number(row.port) : QString());
    const QString method = shownField(value, "method");
    row.request = method.isEmpty() ? shownField(value, "protocol")
                                   : method + QLatin1Char(' ') + shown(rawField(value, "path").substr(0, 500));
    const qint64 status = numberField(value, "status");
    row.result = status > 0 ? QString::number(status) : QString();
    const qint64 in = numberField(value, "bytesIn");
    const qint64 out = numberField(value, "bytesOut");
    row.traffic = in + out > 0 ? QStringLiteral("↓ %1  ↑ %2").arg(shownBytes(in), shownBytes(out)) : QString();
    const QString reason = shownField(value, "reason");
    const QString rule = shownField(value, "rule");
    row.why = rule.isEmpty() || row.verdict == Verdict::Error ? (reason.isEmpty() ? rule : reason) : rule;
    row.details = detailsOf(value, row.target, reason, rule);
    row.keyed = !rawField(value, "keyInjected").empty();
    row.count = std::max<qint64>(1, numberField(value, "count"));
    return row;
}

QString verdictText(const ConnectionRow& row)
{
    QString text = row.verdict == Verdict::Allowed  ? NetworkModel::tr("allowed")
                   : row.verdict == Verdict::Denied ? NetworkModel::tr("blocked")
                                                    : NetworkModel::tr("failed");
    if (row.keyed) {
        text += NetworkModel::tr(", key put on");
    }
    return row.count > 1 ? NetworkModel::tr("%1 (%2 times)").arg(text).arg(row.count) : text;
}

} // namespace

NetworkModel::NetworkModel(QObject* parent) : QAbstractTableModel(parent)
{
    m_flush.setSingleShot(true);
    m_flush.setInterval(kFlushMilliseconds);
    connect(&m_flush, &QTimer::timeout, this, &NetworkModel::flush);
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

void NetworkModel::flush()
{
    std::deque<ConnectionRow> fresh;
    QHash<qint64, int> known;
    for (int i = 0; i < rowCount(); ++i) {
        known.insert(at(i).id, i);
    }
    // A second message about the same connection replaces the first (its end, or another repeat).
    for (ConnectionRow& row : m_waiting) {
        const auto old = known.constFind(row.id);
        if (old != known.constEnd()) {
            m_rows[static_cast<std::size_t>(*old)] = std::move(row);
            emit dataChanged(index(*old, 0), index(*old, ColumnCount - 1));
            continue;
        }
        const auto twin = std::find_if(fresh.begin(), fresh.end(), [&](const ConnectionRow& r) { return r.id == row.id; });
        if (twin != fresh.end()) {
            *twin = std::move(row);
        } else {
            fresh.push_back(std::move(row));
        }
    }
    m_waiting.clear();
    if (fresh.empty()) {
        return;
    }
    std::stable_sort(fresh.begin(), fresh.end(), [](const ConnectionRow& a, const ConnectionRow& b) { return a.id > b.id; });
    // The log's answer may come after the first events: everything newer than the newest row goes on top, the rest is
    // merged by a reset, which happens once.
    const bool newer = m_rows.empty() || fresh.back().id > m_rows.front().id;
    if (newer) {
        beginInsertRows({}, 0, static_cast<int>(fresh.size()) - 1);
        m_rows.insert(m_rows.begin(), fresh.begin(), fresh.end());
        endInsertRows();
    } else {
        beginResetModel();
        m_rows.insert(m_rows.begin(), fresh.begin(), fresh.end());
        std::stable_sort(m_rows.begin(), m_rows.end(), [](const ConnectionRow& a, const ConnectionRow& b) { return a.id > b.id; });
        endResetModel();
    }
    if (rowCount() > kMaxConnections) {
        beginRemoveRows({}, kMaxConnections, rowCount() - 1);
        m_rows.resize(kMaxConnections);
        endRemoveRows();
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
    if (role == SearchRole) {
        return QString(row.target + QLatin1Char(' ') + row.request + QLatin1Char(' ') + row.details);
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
    case VerdictColumn: return verdictText(row);
    case HostColumn: return row.target;
    case RequestColumn: return row.request;
    case ResultColumn: return row.result;
    case TrafficColumn: return row.traffic;
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
