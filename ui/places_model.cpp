// SPDX-License-Identifier: Apache-2.0
#include "ui/places_model.h"

#include "ui/text.h"
#include "ui/theme.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {

ConnectionRow placeFrom(const json& value)
{
    ConnectionRow row;
    row.time = QDateTime::fromString(shownField(value, "lastTime"), Qt::ISODate).toLocalTime();
    const std::string verdict = rawField(value, "verdict");
    row.verdict = verdict == "allowed" ? Verdict::Allowed : verdict == "denied" ? Verdict::Denied : Verdict::Error;
    row.host = rawField(value, "host");
    row.port = numberField(value, "port");
    row.target = shown(row.host.substr(0, 300)) + (row.port > 0 ? QLatin1Char(':') + QString::number(row.port) : QString());
    row.rule = shownField(value, "rule");
    row.reason = shownField(value, "reason");
    row.why = row.rule.isEmpty() || row.verdict == Verdict::Error ? (row.reason.isEmpty() ? row.rule : row.reason) : row.rule;
    row.process = shownField(value, "process");
    row.key = shownField(value, "keyInjected");
    row.how = shownField(value, "how");
    row.bytesIn = numberField(value, "bytesIn");
    row.bytesOut = numberField(value, "bytesOut");
    row.count = std::max<qint64>(1, numberField(value, "count"));
    return row;
}

} // namespace

void PlacesModel::set(const json& places)
{
    beginResetModel();
    m_rows.clear();
    for (const json& place : places) {
        m_rows.push_back(placeFrom(place));
    }
    endResetModel();
}

int PlacesModel::find(const ConnectionRow& row) const
{
    const auto same = std::find_if(m_rows.begin(), m_rows.end(), [&row](const ConnectionRow& one) {
        return one.host == row.host && one.port == row.port && one.verdict == row.verdict && one.rule == row.rule;
    });
    return same == m_rows.end() ? -1 : static_cast<int>(same - m_rows.begin());
}

int PlacesModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int PlacesModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QVariant PlacesModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid()) {
        return {};
    }
    const ConnectionRow& row = at(index.row());
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
    case LastColumn: return row.time.toString(row.time.date() == QDate::currentDate() ? QStringLiteral("HH:mm:ss") : QStringLiteral("yyyy-MM-dd"));
    case VerdictColumn: return verdictText(row.verdict, !row.key.isEmpty(), false, row.count);
    case HostColumn: return row.target;
    case ProgramColumn: return row.process;
    case TrafficColumn: return trafficText(row.bytesIn, row.bytesOut);
    case WhyColumn: return row.why;
    default: return {};
    }
}

QVariant PlacesModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case LastColumn: return tr("Last seen");
    case VerdictColumn: return tr("Verdict");
    case HostColumn: return tr("Host");
    case ProgramColumn: return tr("Program");
    case TrafficColumn: return tr("Traffic");
    case WhyColumn: return tr("Why");
    default: return {};
    }
}

} // namespace coldframe::ui
