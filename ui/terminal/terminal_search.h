// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/terminal/logical_line.h"

#include <QBasicTimer>
#include <QObject>
#include <QRegularExpression>
#include <QString>
#include <deque>
#include <vector>

namespace coldframe::ui {

struct SearchOptions
{
    bool matchCase = false;
    bool isRegularExpression = false;
    bool wholeWords = false;
    bool operator==(const SearchOptions&) const = default;
};

/// Finds a text in all that a terminal keeps, from the newest to the oldest row, some milliseconds at a time; output that comes
/// while it is on is searched as well. A hit does not go beyond a line, which may be wrapped. GUI thread.
class TerminalSearch : public QObject
{
    Q_OBJECT

public:
    static constexpr std::size_t kMaxHits = 10000;

    struct Hit
    {
        Spot from;
        Spot to; ///< after its last cell, in the same row as that
        auto operator<=>(const Hit&) const = default;
    };
    /// What of a hit is in one row.
    struct Part
    {
        int from = 0;
        int to = 0;
        bool isCurrent = false;
    };

    TerminalSearch(const terminal::Terminal& terminal, QObject* parent);

    /// An empty text ends it. False: the regular expression is none; `problem` says why.
    bool start(const QString& text, const SearchOptions& options, QString* problem = nullptr);
    void stop() { start({}, {}); }
    bool isOn() const { return m_isOn; }
    /// The rows are numbered anew.
    void restart();
    /// After output.
    void follow();
    bool isDone() const { return !m_timer.isActive(); }
    std::size_t count() const { return m_hits.size(); }
    /// Which of the hits is the chosen one, from the oldest on; -1: none.
    int current() const;
    /// Chooses the next newer or older one, around the ends.
    void step(int direction);
    std::vector<Part> partsIn(qint64 row) const;

signals:
    void changed();
    void currentChanged(qint64 row);

protected:
    void timerEvent(QTimerEvent* event) override;

private:
    void searchSome();
    void takeLine(const LogicalLine& line, std::vector<Hit>& found) const;

    const terminal::Terminal& m_terminal;
    bool m_isOn = false;
    QRegularExpression m_expression;
    QString m_text;
    SearchOptions m_options;
    std::deque<Hit> m_hits;  ///< the oldest first
    Hit m_current;
    bool m_hasCurrent = false;
    qint64 m_next = 0;       ///< the row that is searched next, going back
    qint64 m_stopAt = 0;     ///< rows before this one were searched
    qint64 m_settled = 0;    ///< rows before this one were in the scrollback when they were searched
    QBasicTimer m_timer;
};

} // namespace coldframe::ui
