// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QAbstractTableModel>
#include <QDateTime>
#include <QHash>
#include <QPalette>
#include <QTimer>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::ui {

enum class Verdict { Allowed, Denied, Error };

/// One attempt to connect. `host` is the guest's word as it came; every QString is fit to be shown.
struct ConnectionRow
{
    qint64 id = 0;
    QDateTime time;
    Verdict verdict = Verdict::Error;
    std::string host;
    qint64 port = 0;
    QString target;  ///< host:port
    QString request; ///< method and path, or the protocol
    QString result;  ///< status
    QString traffic;
    QString why;     ///< one line: the rule that allowed it, or why not
    QString details; ///< all that is known, for one who wants to understand
    bool keyed = false;
    qint64 count = 1;
};

/// The connections of one sandbox, newest first, at most kMaxConnections. New ones are taken in batches, so a guest that
/// connects in a loop does not keep the window busy.
class NetworkModel : public QAbstractTableModel
{
    Q_OBJECT

public:
    enum Column { TimeColumn, VerdictColumn, HostColumn, RequestColumn, ResultColumn, TrafficColumn, WhyColumn, ColumnCount };
    enum Role { VerdictRole = Qt::UserRole + 1, SearchRole };
    static constexpr int kMaxConnections = 2000;

    explicit NetworkModel(QObject* parent = nullptr);
    void take(const nlohmann::json& connection);
    const ConnectionRow& at(int row) const { return m_rows[static_cast<std::size_t>(row)]; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    void setPalette(const QPalette& palette);

private:
    void flush();

    std::deque<ConnectionRow> m_rows; ///< newest first
    std::deque<ConnectionRow> m_waiting; ///< oldest first
    QTimer m_flush;
    QPalette m_palette;
};

} // namespace coldframe::ui
