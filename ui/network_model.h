// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QAbstractTableModel>
#include <QDateTime>
#include <QPalette>
#include <QSet>
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
    QString why;     ///< one line: the rule that allowed it, or why not
    QString rule;
    QString reason;
    QString address;
    QString process; ///< the guest's word
    QString key;     ///< the service whose key was put on, or empty
    QString how;
    qint64 status = 0;
    qint64 bytesIn = 0;
    qint64 bytesOut = 0;
    qint64 milliseconds = 0;
    qint64 count = 1;
    bool isFromContainer = false;
    bool isOpen = false;

    QString details() const; ///< all that is known, for one who wants to understand
};

QString verdictText(Verdict verdict, bool isKeyed, bool isOpen, qint64 count);
QString trafficText(qint64 bytesIn, qint64 bytesOut);

/// Which of the connections are wanted; the log's own filter and the window's for what comes live mean the same.
struct NetworkFilter
{
    QString text;
    std::string verdict; ///< "", "blocked", "allowed"

    bool accepts(const ConnectionRow& row) const;
    void addTo(nlohmann::json& params) const;
};

/// The connections of one sandbox, newest first: pages of the log, as far as the user scrolls back, and what comes live. That is taken in
/// batches, so a guest that connects in a loop does not keep the window busy.
class NetworkModel : public QAbstractTableModel
{
    Q_OBJECT

public:
    enum Column { TimeColumn, VerdictColumn, HostColumn, RequestColumn, ResultColumn, TrafficColumn, WhyColumn, ColumnCount };
    enum Role { VerdictRole = Qt::UserRole + 1 };
    static constexpr int kMaxConnections = 100000;
    static constexpr int kPage = 500;

    explicit NetworkModel(QObject* parent = nullptr);
    /// Forgets all; pages are wanted anew.
    void begin(const NetworkFilter& filter);
    /// A new connection, or news of one, if the filter lets it through.
    void take(const nlohmann::json& connection);
    /// The next page; `isLast`: there are no older ones.
    void takePage(const nlohmann::json& entries, bool isLast);
    /// 0: none.
    qint64 oldestId() const { return m_rows.empty() ? 0 : m_rows.back().id; }
    const ConnectionRow& at(int row) const { return m_rows[static_cast<std::size_t>(row)]; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    bool canFetchMore(const QModelIndex& parent) const override;
    void fetchMore(const QModelIndex& parent) override;
    void setPalette(const QPalette& palette);

signals:
    void pageWanted();

private:
    ConnectionRow rowFrom(const nlohmann::json& value);
    void insert(std::deque<ConnectionRow> fresh);
    void flush();

    std::deque<ConnectionRow> m_rows;    ///< newest first, by id
    std::deque<ConnectionRow> m_waiting; ///< as they came
    NetworkFilter m_filter;
    QSet<QString> m_texts; ///< each text once: most rows say the same as others
    bool m_hasMore = true;
    QTimer m_flush;
    QPalette m_palette;
};

} // namespace coldframe::ui
