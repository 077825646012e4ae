// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox_list.h"

#include "ui/theme.h"

#include <QPainter>

namespace coldframe::ui {

void SandboxList::paintEvent(QPaintEvent* event)
{
    QListView::paintEvent(event);
    if (model() && model()->rowCount() == 0) {
        QPainter painter(viewport());
        painter.setPen(Theme::quiet(palette()));
        painter.drawText(viewport()->rect().adjusted(16, 16, -16, -16), Qt::AlignHCenter | Qt::AlignTop | Qt::TextWordWrap,
                         tr("No sandboxes yet"));
    }
}

} // namespace coldframe::ui
