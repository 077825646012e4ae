// SPDX-License-Identifier: Apache-2.0
// The part of TerminalWidget that paints: only the rows that changed, and what scrolled is moved.
#include "ui/terminal/terminal_search.h"
#include "ui/terminal/terminal_widget.h"

#include <QGuiApplication>
#include <QInputMethod>
#include <QPaintEvent>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr quint64 kUnknown = ~quint64{0};

QColor mixed(const QColor& one, const QColor& other, int percent)
{
    const auto part = [&](int a, int b) { return (a * percent + b * (100 - percent)) / 100; };
    return QColor(part(one.red(), other.red()), part(one.green(), other.green()), part(one.blue(), other.blue()));
}

} // namespace

/// What each row of the view shows: rows that scrolled away never change, so their number says it.
std::vector<quint64> TerminalWidget::rowKeys() const
{
    std::vector<quint64> keys(static_cast<std::size_t>(rows()));
    const std::size_t top = static_cast<std::size_t>(verticalScrollBar()->value());
    const std::size_t scrollback = m_terminal.scrollbackRows();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::size_t row = top + i;
        keys[i] = row < scrollback ? ((m_terminal.droppedRows() + row) << 1) + (m_generation << 48) + 1
                                   : m_terminal.rowStamp(static_cast<int>(row - scrollback)) << 1;
    }
    return keys;
}

void TerminalWidget::updateAll()
{
    m_shownKeys = rowKeys();
    viewport()->update();
    m_shownCursor = cursorRect();
}

void TerminalWidget::updateChangedRows()
{
    const std::vector<quint64> keys = rowKeys();
    const int height = m_painter.cellHeight();
    if (m_shownKeys.size() != keys.size()) {
        viewport()->update();
        m_shownKeys = keys;
        updateCursor();
        return;
    }
    // Moved by so many rows? The first row that was there before, or the first of before that is still there, says it.
    const auto size = static_cast<int>(keys.size());
    int shift = static_cast<int>(std::find(m_shownKeys.begin(), m_shownKeys.end(), keys[0]) - m_shownKeys.begin());
    if (shift == size) {
        shift = -static_cast<int>(std::find(keys.begin(), keys.end(), m_shownKeys[0]) - keys.begin());
    }
    int kept = 0;
    for (int row = std::max(0, -shift); row < size && row + shift < size; ++row) {
        kept += keys[static_cast<std::size_t>(row)] == m_shownKeys[static_cast<std::size_t>(row + shift)] ? 1 : 0;
    }
    if (shift != 0 && std::abs(shift) < size && kept > size / 3) {
        viewport()->scroll(0, -shift * height, QRect(0, kMargin, viewport()->width(), size * height));
        viewport()->update(m_shownCursor.translated(0, -shift * height));
        std::vector<quint64> moved(keys.size(), kUnknown);
        std::vector<bool> blinking(keys.size(), false);
        for (int row = std::max(0, -shift); row < size && row + shift < size; ++row) {
            moved[static_cast<std::size_t>(row)] = m_shownKeys[static_cast<std::size_t>(row + shift)];
            blinking[static_cast<std::size_t>(row)] = static_cast<std::size_t>(row + shift) < m_rowBlinks.size() && m_rowBlinks[static_cast<std::size_t>(row + shift)];
        }
        m_shownKeys = std::move(moved);
        m_rowBlinks = std::move(blinking);
    }
    for (int row = 0; row < size; ++row) {
        if (keys[static_cast<std::size_t>(row)] != m_shownKeys[static_cast<std::size_t>(row)]) {
            viewport()->update(0, kMargin + row * height, viewport()->width(), height);
        }
    }
    m_shownKeys = keys;
    updateCursor();
}

void TerminalWidget::updateCursor()
{
    const QRect now = cursorRect();
    viewport()->update(m_shownCursor);
    viewport()->update(now);
    if (now != m_shownCursor) {
        m_shownCursor = now;
        if (hasFocus()) {
            QGuiApplication::inputMethod()->update(Qt::ImCursorRectangle);
        }
        if (!m_preedit.isEmpty()) {
            viewport()->update();
        }
    }
}

/// What the program changed of the palette (OSC 4, 10, 11, 12).
void TerminalWidget::takeColors()
{
    ColorScheme now = m_ownScheme;
    const Colors& colors = m_terminal.colors();
    for (int index = 0; index < 256; ++index) {
        if (const auto changed = colors.changed(static_cast<std::uint8_t>(index))) {
            (index < 16 ? now.named[static_cast<std::size_t>(index)] : now.others[index]) = QColor(QRgb(*changed));
        }
    }
    now.foreground = QColor(QRgb(colors.changed(DynamicColor::Foreground).value_or(now.foreground.rgb())));
    now.background = QColor(QRgb(colors.changed(DynamicColor::Background).value_or(now.background.rgb())));
    now.cursor = QColor(QRgb(colors.changed(DynamicColor::Cursor).value_or(now.cursor.rgb())));
    if (now != m_scheme) {
        m_scheme = now;
        updateAll();
    }
}

RowLook TerminalWidget::lookOf(qint64 row) const
{
    RowLook look;
    look.scheme = &m_scheme;
    look.reverse = m_terminal.modes().reverseVideo != m_flash.isActive();
    look.hideBlinking = !m_blinkOn;
    if (const auto [from, to] = m_selection.columnsOf(row, columns()); from < to) {
        look.highlights.push_back({from, to, m_scheme.selection, {}, false});
    }
    for (const TerminalSearch::Part& part : m_search->partsIn(row)) {
        const QColor paper = part.isCurrent ? m_scheme.named[3] : mixed(m_scheme.named[3], m_scheme.background, 35);
        look.highlights.push_back({part.from, part.to, paper, part.isCurrent ? m_scheme.background : m_scheme.foreground, false});
    }
    if (m_link) {
        for (const RowPart& part : m_link->parts) {
            if (part.row == row) {
                look.highlights.push_back({part.from, part.to, {}, {}, true});
            }
        }
    }
    return look;
}

void TerminalWidget::paintEvent(QPaintEvent* event)
{
    QPainter painter(viewport());
    const bool isReverse = m_terminal.modes().reverseVideo != m_flash.isActive();
    const QColor blank = isReverse ? m_scheme.foreground : m_scheme.background;
    const int height = m_painter.cellHeight();
    const QRect grid(kMargin, kMargin, columns() * m_painter.cellWidth(), rows() * height);
    for (const QRect& part : QRegion(event->region()).subtracted(grid)) {
        painter.fillRect(part, blank);
    }
    m_rowBlinks.resize(static_cast<std::size_t>(rows()), false);
    const std::vector<quint64> keys = rowKeys();
    Row row;
    for (int number = 0; number < rows(); ++number) {
        const QRect place(0, kMargin + number * height, viewport()->width(), height);
        if (!event->region().intersects(place)) {
            continue;
        }
        // Output came since the last frame: these pixels are of none of the rows that are known to be shown.
        const auto index = static_cast<std::size_t>(number);
        if (index < m_shownKeys.size() && m_shownKeys[index] != keys[index]) {
            m_shownKeys[index] = kUnknown;
        }
        readRowAt(m_terminal, topRow() + number, row);
        m_rowBlinks[index] = m_painter.paint(painter, row, columns(), {kMargin, place.top()}, lookOf(topRow() + number));
    }
    m_blinks = std::find(m_rowBlinks.begin(), m_rowBlinks.end(), true) != m_rowBlinks.end();
    if (!m_preedit.isEmpty()) {
        paintPreedit(painter);
    } else {
        paintCursor(painter);
    }
}

bool TerminalWidget::isCursorOn() const
{
    const Modes& modes = m_terminal.modes();
    return modes.cursorVisible && !(modes.cursorBlink && hasFocus() && !m_blinkOn);
}

void TerminalWidget::paintCursor(QPainter& painter)
{
    QRect box = cursorRect();
    if (!isCursorOn()) {
        return;
    }
    if (!hasFocus()) {
        painter.setPen(m_scheme.cursor);
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(box.adjusted(0, 0, -1, -1));
        return;
    }
    switch (m_terminal.modes().cursorShape) {
    case CursorShape::Bar: box.setWidth(qMax(2, m_painter.cellWidth() / 6)); break;
    case CursorShape::Underline: box.setTop(box.bottom() - qMax(1, m_painter.cellHeight() / 10)); break;
    default: {
        Row row;
        m_terminal.readScreenRow(m_terminal.cursor().row, row);
        m_painter.paintCell(painter, row, m_terminal.cursor().column, box, m_scheme.background, m_scheme.cursor);
        return;
    }
    }
    painter.fillRect(box, m_scheme.cursor);
}

void TerminalWidget::paintPreedit(QPainter& painter)
{
    const QFontMetrics metrics(font());
    const QRect caret = cursorRect();
    const int width = metrics.horizontalAdvance(m_preedit);
    // Text that would leave the view begins further left.
    const int left = qMax(kMargin, qMin(caret.left(), viewport()->width() - kMargin - width - 2));
    const QRect area(left, caret.top(), width + 2, m_painter.cellHeight());
    painter.fillRect(area, m_scheme.selection);
    painter.setPen(m_scheme.foreground);
    painter.setFont(font());
    painter.drawText(QPoint(left, caret.top() + m_painter.ascent()), m_preedit);
    painter.drawLine(area.left(), area.bottom(), area.right(), area.bottom());
    painter.fillRect(left + metrics.horizontalAdvance(m_preedit.left(m_preeditCursor)), area.top(), 2, area.height(), m_scheme.cursor);
}

} // namespace coldframe::ui
