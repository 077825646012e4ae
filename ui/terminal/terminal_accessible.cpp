// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_accessible.h"

#include "ui/terminal/terminal_widget.h"

#include <QAccessibleWidget>

namespace coldframe::ui {

namespace {

/// The screen (without the scrollback) as read-only text, a line per row.
class TerminalAccessible : public QAccessibleWidget, public QAccessibleTextInterface
{
public:
    explicit TerminalAccessible(TerminalWidget* widget) : QAccessibleWidget(widget, QAccessible::Terminal) {}

    void* interface_cast(QAccessible::InterfaceType type) override
    {
        return type == QAccessible::TextInterface ? static_cast<QAccessibleTextInterface*>(this)
                                                  : QAccessibleWidget::interface_cast(type);
    }

    QString text(QAccessible::Text kind) const override
    {
        return kind == QAccessible::Value ? view()->screenText() : QAccessibleWidget::text(kind);
    }

    // The children of a scroll area are of no use to a reader.
    int childCount() const override { return 0; }
    QAccessibleInterface* child(int) const override { return nullptr; }
    int indexOfChild(const QAccessibleInterface*) const override { return -1; }

    QAccessible::State state() const override
    {
        QAccessible::State state = QAccessibleWidget::state();
        state.multiLine = true;
        state.focusable = true;
        return state;
    }

    QString text(int from, int to) const override { return view()->screenText().mid(from, to - from); }
    int characterCount() const override { return static_cast<int>(view()->screenText().size()); }
    int cursorPosition() const override { return view()->cursorOffset(); }
    void setCursorPosition(int) override {}

    void selection(int, int* from, int* to) const override { *from = *to = 0; }
    int selectionCount() const override { return 0; }
    void addSelection(int, int) override {}
    void removeSelection(int) override {}
    void setSelection(int, int, int) override {}
    void scrollToSubstring(int, int) override {}

    QString attributes(int offset, int* from, int* to) const override
    {
        *from = offset;
        *to = characterCount();
        return {};
    }

    QRect characterRect(int offset) const override
    {
        const QString before = view()->screenText().left(offset);
        const auto row = static_cast<int>(before.count(QLatin1Char('\n')));
        const auto column = static_cast<int>(before.size() - (before.lastIndexOf(QLatin1Char('\n')) + 1));
        const QRect cell = view()->cellRect(row, column);
        return {view()->viewport()->mapToGlobal(cell.topLeft()), cell.size()};
    }

    int offsetAtPoint(const QPoint& point) const override
    {
        const QPoint inside = view()->viewport()->mapFromGlobal(point);
        const QRect first = view()->cellRect(0, 0);
        if (!view()->viewport()->rect().contains(inside)) {
            return -1;
        }
        const QStringList lines = view()->screenText().split(QLatin1Char('\n'));
        const int row = qBound(0, (inside.y() - first.y()) / first.height(), static_cast<int>(lines.size()) - 1);
        const int column = qMax(0, (inside.x() - first.x()) / first.width());
        qsizetype offset = 0;
        for (int i = 0; i < row; ++i) {
            offset += lines[i].size() + 1;
        }
        return static_cast<int>(offset + qMin<qsizetype>(column, lines[row].size()));
    }

private:
    TerminalWidget* view() const { return static_cast<TerminalWidget*>(widget()); }
};

QAccessibleInterface* make(const QString&, QObject* object)
{
    auto* widget = qobject_cast<TerminalWidget*>(object);
    return widget ? new TerminalAccessible(widget) : nullptr;
}

} // namespace

void installTerminalAccessibility() { QAccessible::installFactory(make); } // Qt ignores one that it has

} // namespace coldframe::ui
