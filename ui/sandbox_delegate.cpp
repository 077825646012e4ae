// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox_delegate.h"

#include "ui/sandbox_model.h"
#include "ui/theme.h"

#include <QApplication>
#include <QPainter>

namespace coldframe::ui {

namespace {
constexpr int kMargin = 10;
constexpr int kDot = 10;
} // namespace

void SandboxDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    QStyleOptionViewItem item = option;
    initStyleOption(&item, index);
    item.text.clear();
    const QStyle* style = item.widget ? item.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &item, painter, item.widget);

    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const bool selected = item.state.testFlag(QStyle::State_Selected);
    const QColor ink = item.palette.color(selected ? QPalette::HighlightedText : QPalette::Text);
    const auto state = static_cast<SandboxState>(index.data(SandboxModel::StateRole).toInt());
    const QRect box = item.rect.adjusted(kMargin, kMargin - 2, -kMargin, -kMargin + 2);

    QFont nameFont = item.font;
    nameFont.setBold(true);
    const QFontMetrics nameMetrics(nameFont);
    const QFontMetrics metrics(item.font);
    const QPointF center(box.left() + kDot / 2.0, box.top() + nameMetrics.height() / 2.0);
    painter->setPen(selected ? QPen(ink, 1.5) : Qt::NoPen);
    painter->setBrush(stateColor(state, item.palette));
    painter->drawEllipse(center, kDot / 2.0, kDot / 2.0);

    const int left = box.left() + kDot + 8;
    const int width = box.right() - left;
    painter->setPen(ink);
    painter->setFont(nameFont);
    painter->drawText(QRect(left, box.top(), width, nameMetrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                      nameMetrics.elidedText(index.data().toString(), Qt::ElideRight, width));
    painter->setFont(item.font);
    painter->setPen(selected ? ink : Theme::quiet(item.palette));
    const QString second = tr("%1 · %2").arg(index.data(SandboxModel::AgentRole).toString(), stateText(state));
    int top = box.top() + nameMetrics.height() + 2;
    painter->drawText(QRect(left, top, width, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                      metrics.elidedText(second, Qt::ElideRight, width));
    top += metrics.height();
    painter->drawText(QRect(left, top, width, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                      metrics.elidedText(index.data(SandboxModel::FolderRole).toString(), Qt::ElideMiddle, width));
    painter->restore();
}

QSize SandboxDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const
{
    QFont nameFont = option.font;
    nameFont.setBold(true);
    return {220, QFontMetrics(nameFont).height() + 2 * QFontMetrics(option.font).height() + 2 * kMargin - 2};
}

} // namespace coldframe::ui
