// SPDX-License-Identifier: Apache-2.0
// The part of TerminalWidget that takes the mouse: for the program, or to select, scroll and point at links.
#include "ui/terminal/terminal_widget.h"

#include <QApplication>
#include <QClipboard>
#include <QMouseEvent>
#include <QScrollBar>
#include <QStyleHints>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr int kAutoscrollMilliseconds = 40;

Modifiers modifiersOf(Qt::KeyboardModifiers m)
{
    return {m.testFlag(Qt::ShiftModifier), m.testFlag(Qt::AltModifier), m.testFlag(Qt::ControlModifier)};
}

} // namespace

/// The place at a point: the border between cells that is nearest, or the cell.
Spot TerminalWidget::spotAt(const QPoint& point, bool nearest) const
{
    const int width = m_painter.cellWidth();
    const int row = qBound(0, (point.y() - kMargin) / m_painter.cellHeight(), rows() - 1);
    const int column = nearest ? qBound(0, (point.x() - kMargin + width / 2) / width, columns())
                               : qBound(0, (point.x() - kMargin) / width, columns() - 1);
    return {topRow() + row, column};
}

Position TerminalWidget::cellAt(const QPoint& point) const
{
    return {qBound(0, (point.y() - kMargin) / m_painter.cellHeight(), rows() - 1),
            qBound(0, (point.x() - kMargin) / m_painter.cellWidth(), columns() - 1)};
}

bool TerminalWidget::reportMouse(QMouseEvent* event, MouseAction action)
{
    if (m_terminal.modes().mouse == MouseTracking::None || event->modifiers().testFlag(Qt::ShiftModifier) || m_isReadOnly) {
        return false;
    }
    const auto pressed = action == MouseAction::Move ? event->buttons() : Qt::MouseButtons(event->button());
    const int button = pressed.testFlag(Qt::LeftButton)     ? 0
                       : pressed.testFlag(Qt::MiddleButton) ? 1
                       : pressed.testFlag(Qt::RightButton)  ? 2
                                                            : 3;
    const std::string bytes = encodeMouse(action, button, cellAt(event->position().toPoint()), modifiersOf(event->modifiers()), m_terminal.modes());
    if (action != MouseAction::Move) {
        m_echoUntil = m_clock.nsecsElapsed() + 100'000'000;
    }
    send(bytes);
    return true;
}

void TerminalWidget::mousePressEvent(QMouseEvent* event)
{
    const QPoint point = event->position().toPoint();
    if (m_link && event->button() == Qt::LeftButton && event->modifiers().testFlag(Qt::ControlModifier)) {
        emit linkActivated(*m_link);
        return;
    }
    if (reportMouse(event, MouseAction::Press)) {
        return;
    }
    if (event->button() == Qt::MiddleButton) {
        pasteSelection();
    } else if (event->button() == Qt::LeftButton) {
        const bool third = m_lastDoubleClick.isValid() && m_lastDoubleClick.elapsed() < QGuiApplication::styleHints()->mouseDoubleClickInterval() &&
                           (point - m_doubleClickPoint).manhattanLength() < QApplication::startDragDistance();
        m_lastDoubleClick.invalidate();
        if (third) {
            startSelection(point, SelectionKind::Lines, false);
        } else {
            const bool block = event->modifiers().testFlag(Qt::AltModifier);
            // Shift goes on with what is selected; where the program has the mouse it only makes it the window's.
            const bool extend = event->modifiers().testFlag(Qt::ShiftModifier) && hasSelection() && m_terminal.modes().mouse == MouseTracking::None;
            startSelection(point, block ? SelectionKind::Block : SelectionKind::Characters, extend);
        }
    }
}

void TerminalWidget::startSelection(const QPoint& point, SelectionKind kind, bool extend)
{
    if (extend) {
        m_selection.extend(m_terminal, spotAt(point, m_selection.kind() == SelectionKind::Characters || m_selection.kind() == SelectionKind::Block));
    } else {
        m_selection.begin(m_terminal, spotAt(point, kind == SelectionKind::Characters || kind == SelectionKind::Block), kind);
    }
    m_isSelecting = true;
    m_dragPoint = point;
    updateAll();
}

/// Also by the timer, while the pointer rests above or below the view.
void TerminalWidget::dragTo(const QPoint& point)
{
    m_dragPoint = point;
    const int above = kMargin - point.y();
    const int below = point.y() - (viewport()->height() - kMargin);
    if (above > 0 || below > 0) {
        const int lines = 1 + qMax(above, below) / m_painter.cellHeight();
        verticalScrollBar()->setValue(verticalScrollBar()->value() + (above > 0 ? -lines : lines));
        if (!m_autoscroll.isActive()) {
            m_autoscroll.start(kAutoscrollMilliseconds, this);
        }
    } else {
        m_autoscroll.stop();
    }
    m_selection.extend(m_terminal, spotAt(point, m_selection.kind() == SelectionKind::Characters || m_selection.kind() == SelectionKind::Block));
    updateAll();
}

void TerminalWidget::mouseMoveEvent(QMouseEvent* event)
{
    const QPoint point = event->position().toPoint();
    m_lastMouse = point;
    if (m_isSelecting) {
        dragTo(point);
        return;
    }
    pointAt(point, event->modifiers());
    if (!m_link) {
        reportMouse(event, MouseAction::Move);
    }
}

void TerminalWidget::mouseReleaseEvent(QMouseEvent* event)
{
    if (!m_isSelecting) {
        if (!m_link) {
            reportMouse(event, MouseAction::Release);
        }
        return;
    }
    endSelection();
}

void TerminalWidget::endSelection()
{
    m_isSelecting = false;
    m_autoscroll.stop();
    if (!m_selection.isActive()) {
        m_selection.clear();
    }
    selectionChanged();
}

void TerminalWidget::selectionChanged()
{
    m_selectedText = selectedText();
    updateAll();
    if (m_selectedText.isEmpty()) {
        return;
    }
    QClipboard* clipboard = QGuiApplication::clipboard();
    if (clipboard->supportsSelection()) {
        clipboard->setText(m_selectedText, QClipboard::Selection);
    }
    if (m_looks.copyOnSelect) {
        clipboard->setText(m_selectedText);
    }
}

void TerminalWidget::mouseDoubleClickEvent(QMouseEvent* event)
{
    if (reportMouse(event, MouseAction::Press) || event->button() != Qt::LeftButton) {
        return;
    }
    const QPoint point = event->position().toPoint();
    m_lastDoubleClick.start();
    m_doubleClickPoint = point;
    startSelection(point, SelectionKind::Words, false);
}

void TerminalWidget::wheelEvent(QWheelEvent* event)
{
    event->accept();
    const int steps = event->angleDelta().y() / 40;
    const Modes& modes = m_terminal.modes();
    if (steps == 0) {
        return;
    }
    if (event->modifiers().testFlag(Qt::ControlModifier)) {
        zoom(steps > 0 ? 1 : -1);
    } else if (modes.mouse != MouseTracking::None && !event->modifiers().testFlag(Qt::ShiftModifier) && !m_isReadOnly) {
        m_echoUntil = m_clock.nsecsElapsed() + 100'000'000;
        for (int i = 0; i < qMax(1, qAbs(steps) / 3); ++i) {
            send(encodeMouse(MouseAction::Press, steps > 0 ? 64 : 65, cellAt(event->position().toPoint()), modifiersOf(event->modifiers()), modes));
        }
    } else if (modes.alternateScreen && modes.alternateScroll) {
        for (int i = 0; i < qAbs(steps); ++i) {
            send(encodeKey(steps > 0 ? Key::Up : Key::Down, {}, modes));
        }
    } else {
        verticalScrollBar()->setValue(verticalScrollBar()->value() - steps);
    }
}

void TerminalWidget::leaveEvent(QEvent* event)
{
    m_lastMouse = {-1, -1};
    forgetLink();
    QAbstractScrollArea::leaveEvent(event);
}

} // namespace coldframe::ui
