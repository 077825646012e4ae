// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_search.h"

#include <QElapsedTimer>
#include <QTimerEvent>
#include <algorithm>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr qint64 kTurnMilliseconds = 4;
constexpr int kPauseMilliseconds = 8;
constexpr int kMaxHitsInLine = 500;
/// Of PCRE: the pattern is the user's, the text is not, and together they may take for ever.
const QString kLimits = QStringLiteral("(*LIMIT_MATCH=20000)");

} // namespace

TerminalSearch::TerminalSearch(const Terminal& terminal, QObject* parent) : QObject(parent), m_terminal(terminal) {}

bool TerminalSearch::start(const QString& text, const SearchOptions& options, QString* problem)
{
    if (m_isOn && text == m_text && options == m_options) {
        return true;
    }
    m_text = text;
    m_options = options;
    m_timer.stop();
    m_hits.clear();
    m_hasCurrent = false;
    m_isOn = !text.isEmpty();
    if (m_isOn) {
        QString pattern = options.isRegularExpression ? text : QRegularExpression::escape(text);
        if (options.wholeWords) {
            pattern = QStringLiteral("(?<!\\w)(?:%1)(?!\\w)").arg(pattern);
        }
        m_expression.setPattern(kLimits + pattern);
        m_expression.setPatternOptions(QRegularExpression::UseUnicodePropertiesOption |
                                       (options.matchCase ? QRegularExpression::NoPatternOption : QRegularExpression::CaseInsensitiveOption));
        if (!m_expression.isValid()) {
            if (problem) {
                *problem = m_expression.errorString();
            }
            m_isOn = false;
            emit changed();
            return false;
        }
        restart();
    }
    emit changed();
    return true;
}

void TerminalSearch::restart()
{
    m_hits.clear();
    m_hasCurrent = false;
    if (m_isOn) {
        m_next = endRow(m_terminal) - 1;
        m_stopAt = firstRow(m_terminal);
        m_settled = firstRow(m_terminal) + static_cast<qint64>(m_terminal.scrollbackRows());
        searchSome();
    }
}

void TerminalSearch::follow()
{
    if (!m_isOn || m_timer.isActive()) {
        return;
    }
    // What was on the screen may be another text now, and a line may have gone on from there.
    const LogicalLine line = logicalLine(m_terminal, std::max(m_settled, firstRow(m_terminal)));
    m_stopAt = line.first;
    while (!m_hits.empty() && m_hits.back().from.row >= m_stopAt) {
        m_hits.pop_back();
    }
    while (!m_hits.empty() && m_hits.front().from.row < firstRow(m_terminal)) {
        m_hits.pop_front();
    }
    m_next = endRow(m_terminal) - 1;
    m_settled = firstRow(m_terminal) + static_cast<qint64>(m_terminal.scrollbackRows());
    searchSome();
}

void TerminalSearch::timerEvent(QTimerEvent* event)
{
    if (event->timerId() == m_timer.timerId()) {
        searchSome();
    }
}

void TerminalSearch::searchSome()
{
    QElapsedTimer spent;
    spent.start();
    std::vector<Hit> found;
    const qint64 stop = std::max(m_stopAt, firstRow(m_terminal));
    const std::size_t newer = static_cast<std::size_t>(
        m_hits.end() - std::lower_bound(m_hits.begin(), m_hits.end(), Hit{{m_next + 1, 0}, {}}));
    std::vector<std::vector<Hit>> lines;
    while (m_next >= stop && m_hits.size() + found.size() < kMaxHits && spent.elapsed() < kTurnMilliseconds) {
        const LogicalLine line = logicalLine(m_terminal, m_next);
        std::vector<Hit> ofLine;
        takeLine(line, ofLine);
        found.insert(found.begin(), ofLine.begin(), ofLine.end());
        m_next = std::min(line.first, m_next) - 1;
    }
    m_hits.insert(m_hits.end() - static_cast<std::ptrdiff_t>(newer), found.begin(), found.end());
    const bool isDone = m_next < stop || m_hits.size() >= kMaxHits;
    if (isDone) {
        m_timer.stop();
    } else if (!m_timer.isActive()) {
        m_timer.start(kPauseMilliseconds, this);
    }
    if (!m_hasCurrent && !m_hits.empty()) {
        m_hasCurrent = true;
        m_current = m_hits.back();
        emit currentChanged(m_current.from.row);
    }
    emit changed();
}

void TerminalSearch::takeLine(const LogicalLine& line, std::vector<Hit>& found) const
{
    QRegularExpressionMatchIterator matches = m_expression.globalMatch(line.text);
    for (int i = 0; i < kMaxHitsInLine && matches.hasNext(); ++i) {
        const QRegularExpressionMatch match = matches.next();
        if (match.capturedLength() == 0) {
            continue;
        }
        const Spot from = line.spots[static_cast<std::size_t>(match.capturedStart())];
        const Spot last = line.spots[static_cast<std::size_t>(match.capturedEnd() - 1)];
        const Spot next = line.spots[static_cast<std::size_t>(match.capturedEnd())];
        found.push_back({from, {last.row, next.row == last.row && next.column > last.column ? next.column : last.column + 1}});
    }
}

int TerminalSearch::current() const
{
    const auto at = std::lower_bound(m_hits.begin(), m_hits.end(), m_current);
    return m_hasCurrent && at != m_hits.end() && *at == m_current ? static_cast<int>(at - m_hits.begin()) : -1;
}

void TerminalSearch::step(int direction)
{
    if (m_hits.empty()) {
        return;
    }
    const auto size = static_cast<std::ptrdiff_t>(m_hits.size());
    std::ptrdiff_t at = std::lower_bound(m_hits.begin(), m_hits.end(), m_current) - m_hits.begin();
    const bool isThere = at < size && m_hits[static_cast<std::size_t>(at)] == m_current;
    at = direction > 0 ? (isThere ? at + 1 : at) : at - 1;
    m_current = m_hits[static_cast<std::size_t>((at + size) % size)];
    m_hasCurrent = true;
    emit currentChanged(m_current.from.row);
    emit changed();
}

std::vector<TerminalSearch::Part> TerminalSearch::partsIn(qint64 row) const
{
    std::vector<Part> parts;
    if (!m_isOn) {
        return parts;
    }
    // A hit of a wrapped line may have begun some rows before.
    auto at = std::lower_bound(m_hits.begin(), m_hits.end(), Hit{{row - LogicalLine::kMaxRows, 0}, {}});
    for (; at != m_hits.end() && at->from.row <= row; ++at) {
        if (at->to.row >= row) {
            parts.push_back({at->from.row == row ? at->from.column : 0, at->to.row == row ? at->to.column : 100000, m_hasCurrent && *at == m_current});
        }
    }
    return parts;
}

} // namespace coldframe::ui
