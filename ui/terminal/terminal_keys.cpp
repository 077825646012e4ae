// SPDX-License-Identifier: Apache-2.0
// The part of TerminalWidget that takes keys and input methods.
#include "ui/terminal/terminal_widget.h"

#include "ui/terminal/key_event.h"

#include <QCursor>
#include <QKeyEvent>
#include <QScrollBar>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr Qt::KeyboardModifiers kOwn = Qt::ControlModifier | Qt::ShiftModifier;

} // namespace

bool TerminalWidget::focusNextPrevChild(bool) { return false; } // Tab belongs to the program

bool TerminalWidget::event(QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride) {
        // Keys are the program's, Ctrl+N, Ctrl+Q and Alt+letter too; the window's are those that no program is sent:
        // with Control and Shift, and Control with the page keys.
        const auto* key = static_cast<QKeyEvent*>(event);
        const auto modifiers = key->modifiers() & ~Qt::KeypadModifier;
        const bool page = key->key() == Qt::Key_PageUp || key->key() == Qt::Key_PageDown;
        if (modifiers != kOwn && !(modifiers == Qt::ControlModifier && page)) {
            event->accept();
            return true;
        }
    }
    return QAbstractScrollArea::event(event);
}

bool TerminalWidget::handleShortcut(QKeyEvent* event)
{
    const auto modifiers = event->modifiers() & ~Qt::KeypadModifier;
    const int key = event->key();
    if (modifiers == kOwn) {
        switch (key) {
        case Qt::Key_C: copySelection(); return true;
        case Qt::Key_V: paste(); return true;
        case Qt::Key_F: openSearch(); return true;
        case Qt::Key_Up: jumpToPrompt(-1); return true;
        case Qt::Key_Down: jumpToPrompt(1); return true;
        default: break;
        }
    }
    if (modifiers == Qt::ShiftModifier) {
        if (key == Qt::Key_Insert) {
            paste();
            return true;
        }
        if ((key == Qt::Key_PageUp || key == Qt::Key_PageDown) && !m_terminal.modes().alternateScreen) {
            verticalScrollBar()->triggerAction(key == Qt::Key_PageUp ? QScrollBar::SliderPageStepSub
                                                                     : QScrollBar::SliderPageStepAdd);
            return true;
        }
    }
    if (modifiers.testFlag(Qt::ControlModifier) && !modifiers.testFlag(Qt::AltModifier)) {
        if (key == Qt::Key_Plus || key == Qt::Key_Equal || (key == Qt::Key_Minus && !modifiers.testFlag(Qt::ShiftModifier))) {
            zoom(key == Qt::Key_Minus ? -1 : 1);
            return true;
        }
        if (key == Qt::Key_0 && modifiers == Qt::ControlModifier) {
            zoom(0);
            return true;
        }
    }
    return false;
}

void TerminalWidget::keyPressEvent(QKeyEvent* event)
{
    event->accept();
    if (event->key() == Qt::Key_Control) {
        pointAt(m_lastMouse, event->modifiers() | Qt::ControlModifier);
    }
    if (handleShortcut(event)) {
        return;
    }
    if (const std::optional<KeyEvent> key = keyEventOf(*event)) {
        if (const std::string bytes = encodeKey(*key, m_terminal.modes()); !bytes.empty()) {
            m_blinkOn = true; // a caret that moves is seen
            typed(bytes);
        }
    }
}

void TerminalWidget::keyReleaseEvent(QKeyEvent* event)
{
    if (event->key() == Qt::Key_Control) {
        forgetLink();
    }
    event->accept();
    if (const std::optional<KeyEvent> key = keyEventOf(*event)) {
        send(encodeKey(*key, m_terminal.modes())); // only programs that asked for it are told
    }
}

void TerminalWidget::inputMethodEvent(QInputMethodEvent* event)
{
    event->accept();
    if (m_isReadOnly) {
        return;
    }
    m_preedit = event->preeditString().left(256);
    m_preeditCursor = static_cast<int>(m_preedit.size());
    for (const QInputMethodEvent::Attribute& attribute : event->attributes()) {
        if (attribute.type == QInputMethodEvent::Cursor) {
            m_preeditCursor = qBound(0, attribute.start, static_cast<int>(m_preedit.size()));
        }
    }
    if (!event->commitString().isEmpty()) {
        typed(event->commitString().toStdString());
    }
    viewport()->update();
}

QVariant TerminalWidget::inputMethodQuery(Qt::InputMethodQuery query) const
{
    switch (query) {
    case Qt::ImEnabled: return !m_isReadOnly;
    case Qt::ImCursorRectangle: {
        QRect caret = cursorRect().translated(viewport()->pos());
        if (!m_preedit.isEmpty()) {
            const QFontMetrics metrics(font());
            const int width = metrics.horizontalAdvance(m_preedit);
            const int left = qMax(kMargin, qMin(caret.left(), viewport()->width() - kMargin - width - 2));
            caret.moveLeft(left + metrics.horizontalAdvance(m_preedit.left(m_preeditCursor)));
        }
        return caret;
    }
    case Qt::ImHints: return QVariant::fromValue(static_cast<int>(Qt::ImhNoAutoUppercase | Qt::ImhNoPredictiveText));
    default: return QAbstractScrollArea::inputMethodQuery(query);
    }
}

void TerminalWidget::focusInEvent(QFocusEvent* event)
{
    if (m_terminal.modes().focusEvents) {
        send("\x1b[I");
    }
    m_blinkOn = true;
    updateCursor();
    QAbstractScrollArea::focusInEvent(event);
}

void TerminalWidget::focusOutEvent(QFocusEvent* event)
{
    if (m_terminal.modes().focusEvents) {
        send("\x1b[O");
    }
    m_preedit.clear();
    forgetLink();
    viewport()->update();
    QAbstractScrollArea::focusOutEvent(event);
}

} // namespace coldframe::ui
