// SPDX-License-Identifier: Apache-2.0
#include "ui/elided_label.h"

#include <QPainter>
#include <QStyle>
#include <algorithm>

namespace coldframe::ui {

namespace {
constexpr int kFewCharacters = 8;
} // namespace

ElidedLabel::ElidedLabel(QWidget* parent) : QLabel(parent) { setTextFormat(Qt::PlainText); }

QSize ElidedLabel::minimumSizeHint() const
{
    const QSize whole = QLabel::sizeHint();
    return {std::min(whole.width(), fontMetrics().averageCharWidth() * kFewCharacters), whole.height()};
}

void ElidedLabel::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    const QString line = fontMetrics().elidedText(text(), Qt::ElideMiddle, contentsRect().width());
    style()->drawItemText(&painter, contentsRect(), static_cast<int>(QStyle::visualAlignment(layoutDirection(), alignment())), palette(), isEnabled(),
                          line, foregroundRole());
}

} // namespace coldframe::ui
