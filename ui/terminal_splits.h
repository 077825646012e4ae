// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QList>
#include <QPointer>
#include <QWidget>

namespace coldframe::ui {

class TerminalSession;

/// The terminals of one tab, side by side or one above the other.
class TerminalSplits : public QWidget
{
    Q_OBJECT

public:
    explicit TerminalSplits(TerminalSession* first, QWidget* parent = nullptr);

    /// From left to right and from top to bottom.
    QList<TerminalSession*> sessions() const;
    /// The one that has, or last had, the focus.
    TerminalSession* current() const;
    /// Beside the current one: to its right, or below it.
    void split(TerminalSession* added, Qt::Orientation direction);
    /// Takes it out and deletes it. False: it was the last one.
    bool drop(TerminalSession* session);
    /// The focus goes to the next one, or the one before.
    void moveFocus(int step);

signals:
    void currentChanged();

private:
    void follow(QWidget* focused);

    QPointer<TerminalSession> m_current;
};

} // namespace coldframe::ui
