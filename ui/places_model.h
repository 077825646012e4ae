// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/network_model.h"

#include <vector>

namespace coldframe::ui {

/// The same connections, one row for each host, port, verdict and rule, the latest first. Taken as a whole each time.
class PlacesModel : public QAbstractTableModel
{
    Q_OBJECT

public:
    enum Column { LastColumn, VerdictColumn, HostColumn, ProgramColumn, TrafficColumn, WhyColumn, ColumnCount };

    using QAbstractTableModel::QAbstractTableModel;
    void set(const nlohmann::json& places);
    const ConnectionRow& at(int row) const { return m_rows[static_cast<std::size_t>(row)]; }
    /// The row that is the same place as `row` was; -1: gone.
    int find(const ConnectionRow& row) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    void setPalette(const QPalette& palette) { m_palette = palette; }

private:
    std::vector<ConnectionRow> m_rows;
    QPalette m_palette;
};

} // namespace coldframe::ui
