// SPDX-License-Identifier: Apache-2.0
// The part of TerminalWidget that shows where a link leads before it is followed.
#include "terminal/text_safety.h"
#include "ui/terminal/terminal_widget.h"

#include <QToolTip>

namespace coldframe::ui {

void TerminalWidget::pointAt(const QPoint& point, Qt::KeyboardModifiers modifiers)
{
    if (!modifiers.testFlag(Qt::ControlModifier) || !viewport()->rect().contains(point) || m_isSelecting) {
        forgetLink();
        return;
    }
    std::optional<Link> found = linkAt(m_terminal, spotAt(point, false));
    if (!found) {
        forgetLink();
        return;
    }
    if (m_link && m_link->parts == found->parts && m_link->target == found->target) {
        return;
    }
    m_link = std::move(found);
    viewport()->setCursor(Qt::PointingHandCursor);
    // As text, not as markup, and without what turns text around.
    const QString target = QString::fromStdString(terminal::cleanForTitle(m_link->target.toStdString(), 400));
    QToolTip::showText(viewport()->mapToGlobal(point), QStringLiteral("<p style='white-space:pre-wrap'>%1</p>").arg(target.toHtmlEscaped()), viewport());
    updateAll();
    emit linkHovered(target);
}

void TerminalWidget::forgetLink()
{
    if (m_link) {
        m_link.reset();
        viewport()->setCursor(Qt::IBeamCursor);
        QToolTip::hideText();
        updateAll();
        emit linkHovered({});
    }
}

} // namespace coldframe::ui
