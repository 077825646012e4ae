// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/box_drawing.h"
#include "ui/terminal/cell_text.h"
#include "ui/terminal/terminal_widget.h"

#include <QFontMetrics>
#include <QPainter>
#include <QScrollBar>
#include <array>
#include <utility>

namespace coldframe::ui {

using namespace terminal;

namespace {

/// Symbols that agents use and that few fonts have, each with one of the same meaning that nearly all have.
constexpr std::array<std::pair<char32_t, char32_t>, 6> kStandIns = {{
    {0x23BF, 0x2514}, // bracket before a tool's result
    {0x23F4, 0x25C0},
    {0x23F5, 0x25B6},
    {0x23F8, 0x2016},
    {0x23F9, 0x25A0},
    {0x23FA, 0x25CF},
}};

} // namespace

QString TerminalWidget::drawn(const Row& row, int column) const
{
    for (const auto& [symbol, standIn] : kStandIns) {
        if (row.text(column) == std::u32string_view(&symbol, 1) && !QFontMetrics(font()).inFontUcs4(symbol)) {
            return QString::fromUcs4(&standIn, 1);
        }
    }
    return cellText(row, column);
}

void TerminalWidget::paintEvent(QPaintEvent*)
{
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), m_terminal.modes().reverseVideo ? m_scheme.foreground : m_scheme.background);
    painter.setFont(font());
    const bool alternate = m_terminal.modes().alternateScreen;
    const std::size_t offset = alternate ? m_terminal.scrollbackRows() : static_cast<std::size_t>(verticalScrollBar()->value());
    Row line;
    for (int row = 0; row < rows(); ++row) {
        const std::size_t number = offset + static_cast<std::size_t>(row);
        m_terminal.readRow(number, line);
        paintLine(painter, line, kMargin + row * m_cellHeight, firstLine() + static_cast<qint64>(number));
    }
    paintCursor(painter);
}

void TerminalWidget::paintLine(QPainter& painter, const Row& line, int y, qint64 number)
{
    Spot from;
    Spot to;
    if (m_selection) {
        from = qMin(m_selection->anchor, m_selection->head);
        to = qMax(m_selection->anchor, m_selection->head);
    }
    QFont face = font();
    const int count = qMin(columns(), line.columns());
    for (int column = 0; column < count; ++column) {
        const std::u32string_view text = line.text(column);
        if (line.width(column) == 0) {
            continue;
        }
        const Style& style = line.style(column);
        QColor ink = m_scheme.resolve(style.foreground, true, style.bold);
        QColor paper = m_scheme.resolve(style.background, false, false);
        if (style.inverse != m_terminal.modes().reverseVideo) {
            std::swap(ink, paper);
        }
        if (style.dim) {
            ink = QColor((ink.red() * 2 + paper.red()) / 3, (ink.green() * 2 + paper.green()) / 3, (ink.blue() * 2 + paper.blue()) / 3);
        }
        const Spot here{number, column};
        if (m_selection && here >= from && here < to) {
            paper = m_scheme.selection;
        }
        const QRect box(kMargin + column * m_cellWidth, y, m_cellWidth * line.width(column), m_cellHeight);
        if (paper != m_scheme.background) {
            painter.fillRect(box, paper);
        }
        if (!text.empty() && text != U" " && !style.hidden) {
            if (face.bold() != style.bold || face.italic() != style.italic) {
                face.setBold(style.bold);
                face.setItalic(style.italic);
                painter.setFont(face);
            }
            if (text.size() > 1 || !drawBoxCharacter(painter, box, text[0], ink)) {
                painter.setPen(ink);
                painter.drawText(QPoint(box.left(), y + m_ascent), drawn(line, column));
            }
        }
        if (style.underline != Underline::None || style.strike) {
            painter.setPen(ink);
            if (style.strike) {
                painter.drawLine(box.left(), y + m_cellHeight / 2, box.right(), y + m_cellHeight / 2);
            }
            if (style.underline != Underline::None) {
                painter.drawLine(box.left(), y + m_ascent + 2, box.right(), y + m_ascent + 2);
            }
            if (style.underline == Underline::Double) {
                painter.drawLine(box.left(), y + m_ascent + 4, box.right(), y + m_ascent + 4);
            }
        }
    }
}

QRect TerminalWidget::cursorRect() const
{
    const Position cursor = m_terminal.cursor();
    const int hidden = verticalScrollBar()->maximum() - verticalScrollBar()->value();
    return QRect(kMargin + cursor.column * m_cellWidth, kMargin + (cursor.row + hidden) * m_cellHeight, m_cellWidth, m_cellHeight);
}

void TerminalWidget::paintCursor(QPainter& painter)
{
    const Modes& modes = m_terminal.modes();
    QRect box = cursorRect();
    if (!m_preedit.isEmpty()) {
        painter.setFont(font());
        const QRect area(box.topLeft(), QSize(QFontMetrics(font()).horizontalAdvance(m_preedit) + 2, m_cellHeight));
        painter.fillRect(area, m_scheme.selection);
        painter.setPen(m_scheme.foreground);
        painter.drawText(QPoint(box.left(), box.top() + m_ascent), m_preedit);
        return;
    }
    if (!modes.cursorVisible || (modes.cursorBlink && hasFocus() && !m_blinkOn)) {
        return;
    }
    if (!hasFocus()) {
        painter.setPen(m_scheme.cursor);
        painter.drawRect(box.adjusted(0, 0, -1, -1));
        return;
    }
    if (modes.cursorShape == CursorShape::Bar) {
        box.setWidth(2);
    } else if (modes.cursorShape == CursorShape::Underline) {
        box.setTop(box.bottom() - 1);
    } else {
        const Position cursor = m_terminal.cursor();
        const Row line = screenRow(cursor.row);
        const std::u32string_view text = line.text(cursor.column);
        painter.fillRect(box, m_scheme.cursor);
        if (!text.empty() && (text.size() > 1 || !drawBoxCharacter(painter, box, text[0], m_scheme.background))) {
            painter.setPen(m_scheme.background);
            painter.setFont(font());
            painter.drawText(QPoint(box.left(), box.top() + m_ascent), drawn(line, cursor.column));
        }
        return;
    }
    painter.fillRect(box, m_scheme.cursor);
}

} // namespace coldframe::ui
