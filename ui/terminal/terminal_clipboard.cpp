// SPDX-License-Identifier: Apache-2.0
// The part of TerminalWidget that copies, pastes and takes drops, with its menu and the marks of the shell.
#include "terminal/text_safety.h"
#include "ui/terminal/paste.h"
#include "ui/terminal/terminal_widget.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QDropEvent>
#include <QGuiApplication>
#include <QMenu>
#include <QMetaMethod>
#include <QMimeData>
#include <QScrollBar>
#include <QUrl>
#include <algorithm>

namespace coldframe::ui {

using namespace terminal;

void TerminalWidget::copySelection()
{
    const QString text = selectedText();
    if (!text.isEmpty()) {
        QGuiApplication::clipboard()->setText(text);
    }
}

void TerminalWidget::selectAll()
{
    m_selection.selectAll(m_terminal);
    selectionChanged();
}

/// What was selected must be what is copied: when a program writes over it, it is selected no more.
void TerminalWidget::dropSelectionIfChanged()
{
    if (m_isSelecting || !m_selection.isActive() || m_selection.to().row < firstRow(m_terminal) + static_cast<qint64>(m_terminal.scrollbackRows())) {
        return;
    }
    if (m_selection.from().row < firstRow(m_terminal) || selectedText() != m_selectedText) {
        m_selection.clear();
        updateAll();
    }
}

void TerminalWidget::paste() { pasteText(QGuiApplication::clipboard()->text()); }
void TerminalWidget::pasteSelection() { pasteText(QGuiApplication::clipboard()->text(QClipboard::Selection)); }

void TerminalWidget::pasteText(const QString& text)
{
    if (text.isEmpty() || m_isReadOnly) {
        return;
    }
    if (pasteNeedsAsking(text, m_terminal.modes().bracketedPaste) && isSignalConnected(QMetaMethod::fromSignal(&TerminalWidget::pasteNeedsConfirmation))) {
        emit pasteNeedsConfirmation(text);
        return;
    }
    confirmPaste(text);
}

void TerminalWidget::confirmPaste(const QString& text) { typed(encodePaste(text.toStdString(), m_terminal.modes().bracketedPaste)); }

QString TerminalWidget::droppedText(const QMimeData* data)
{
    QStringList paths;
    for (const QUrl& url : data->urls()) {
        if (url.isLocalFile()) {
            paths << quotedForShell(url.toLocalFile());
        }
    }
    return !paths.isEmpty() ? paths.join(QLatin1Char(' ')) + QLatin1Char(' ') : data->text();
}

void TerminalWidget::dragEnterEvent(QDragEnterEvent* event)
{
    if (!m_isReadOnly && (event->mimeData()->hasUrls() || event->mimeData()->hasText())) {
        event->setDropAction(Qt::CopyAction);
        event->accept();
    }
}

void TerminalWidget::dragMoveEvent(QDragMoveEvent* event)
{
    event->setDropAction(Qt::CopyAction);
    event->accept();
}

void TerminalWidget::dropEvent(QDropEvent* event)
{
    event->setDropAction(Qt::CopyAction);
    event->accept();
    setFocus();
    pasteText(droppedText(event->mimeData()));
}

// --- what the shell marked (OSC 133)

void TerminalWidget::jumpToPrompt(int direction)
{
    Row row;
    const qint64 end = endRow(m_terminal);
    for (qint64 number = topRow() + direction; number >= firstRow(m_terminal) && number < end; number += direction) {
        readRowAt(m_terminal, number, row);
        if (row.mark() == RowMark::Prompt) {
            verticalScrollBar()->setValue(static_cast<int>(number - firstRow(m_terminal)));
            return;
        }
    }
    if (direction > 0) {
        verticalScrollBar()->setValue(verticalScrollBar()->maximum());
    }
}

QString TerminalWidget::lastCommandOutput() const
{
    Row row;
    qint64 end = endRow(m_terminal); // of the output: the prompt that follows it
    for (qint64 number = end - 1; number >= firstRow(m_terminal); --number) {
        readRowAt(m_terminal, number, row);
        if (row.mark() == RowMark::Prompt) {
            end = number;
        } else if (row.mark() == RowMark::Output) {
            Selection output;
            output.select({number, 0}, {end - 1, columns()});
            QString text = output.text(m_terminal);
            while (text.endsWith(QLatin1Char('\n'))) {
                text.chop(1);
            }
            return text;
        }
    }
    return {};
}

void TerminalWidget::copyLastOutput()
{
    if (const QString text = lastCommandOutput(); !text.isEmpty()) {
        QGuiApplication::clipboard()->setText(text);
    }
}

void TerminalWidget::contextMenuEvent(QContextMenuEvent* event)
{
    if (m_terminal.modes().mouse != MouseTracking::None && !event->modifiers().testFlag(Qt::ShiftModifier) && event->reason() == QContextMenuEvent::Mouse &&
        !m_isReadOnly) {
        return; // the program has the mouse
    }
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("terminalMenu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    const auto add = [&](const QString& text, const char* name, bool enabled, auto action) {
        QAction* made = menu->addAction(text, this, action);
        made->setObjectName(QString::fromLatin1(name));
        made->setEnabled(enabled);
        return made;
    };
    const std::optional<Link> link = event->reason() == QContextMenuEvent::Mouse ? linkAt(m_terminal, spotAt(event->pos(), false)) : std::nullopt;
    if (link) {
        add(tr("Open Link"), "menuOpenLink", true, [this, found = *link] { emit linkActivated(found); });
        add(tr("Copy Link Address"), "menuCopyLink", true, [found = *link] { QGuiApplication::clipboard()->setText(found.target); });
        menu->addSeparator();
    }
    add(tr("Copy") + QStringLiteral("\tCtrl+Shift+C"), "menuCopy", hasSelection(), &TerminalWidget::copySelection);
    add(tr("Paste") + QStringLiteral("\tCtrl+Shift+V"), "menuPaste", !m_isReadOnly && !QGuiApplication::clipboard()->text().isEmpty(), &TerminalWidget::paste);
    add(tr("Copy Output of the Last Command"), "menuCopyOutput", !lastCommandOutput().isEmpty(), &TerminalWidget::copyLastOutput);
    add(tr("Select All"), "menuSelectAll", true, &TerminalWidget::selectAll);
    add(tr("Search") + QStringLiteral("\tCtrl+Shift+F"), "menuSearch", true, &TerminalWidget::openSearch);
    emit menuAboutToShow(menu);
    menu->popup(event->globalPos());
}

} // namespace coldframe::ui
