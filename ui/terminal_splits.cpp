// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_splits.h"

#include "ui/terminal_session.h"

#include <QApplication>
#include <QSplitter>
#include <QVBoxLayout>

namespace coldframe::ui {

TerminalSplits::TerminalSplits(TerminalSession* first, QWidget* parent) : QWidget(parent), m_current(first)
{
    setObjectName(QStringLiteral("terminalSplits"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    auto* root = new QSplitter(Qt::Horizontal, this);
    root->setChildrenCollapsible(false);
    root->addWidget(first);
    layout->addWidget(root);
    setFocusProxy(first);
    connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) { follow(now); });
}

QList<TerminalSession*> TerminalSplits::sessions() const { return findChildren<TerminalSession*>(); }

TerminalSession* TerminalSplits::current() const { return m_current ? m_current.data() : sessions().value(0); }

void TerminalSplits::follow(QWidget* focused)
{
    for (QWidget* widget = focused; widget && widget != this; widget = widget->parentWidget()) {
        auto* session = qobject_cast<TerminalSession*>(widget);
        if (session && isAncestorOf(session) && session != m_current) {
            m_current = session;
            setFocusProxy(session);
            emit currentChanged();
            return;
        }
    }
}

void TerminalSplits::split(TerminalSession* added, Qt::Orientation direction)
{
    TerminalSession* beside = current();
    auto* around = qobject_cast<QSplitter*>(beside->parentWidget());
    if (!around) {
        return;
    }
    const int index = around->indexOf(beside);
    const QList<int> sizes = around->sizes();
    QSplitter* into = around;
    if (around->orientation() != direction && around->count() > 1) {
        into = new QSplitter(direction);
        into->setChildrenCollapsible(false);
        around->replaceWidget(index, into);
        into->addWidget(beside);
        into->addWidget(added);
        around->setSizes(sizes);
        into->setSizes({1000, 1000});
    } else {
        around->setOrientation(direction);
        around->insertWidget(index + 1, added);
        QList<int> halves = sizes;
        halves[index] = qMax(2, sizes.value(index)) / 2;
        halves.insert(index + 1, halves[index]);
        around->setSizes(halves);
    }
    beside->show();
    added->show();
    m_current = added;
    setFocusProxy(added);
    added->setFocus();
    emit currentChanged();
}

bool TerminalSplits::drop(TerminalSession* session)
{
    const QList<TerminalSession*> all = sessions();
    if (all.size() < 2) {
        return false;
    }
    auto* around = qobject_cast<QSplitter*>(session->parentWidget());
    const bool hadFocus = session == current();
    session->hide();
    session->setParent(nullptr);
    session->deleteLater();
    // A splitter that holds one thing is in the way of the next split.
    if (around && around->count() == 1) {
        if (auto* outer = qobject_cast<QSplitter*>(around->parentWidget())) {
            const QList<int> sizes = outer->sizes();
            outer->replaceWidget(outer->indexOf(around), around->widget(0));
            outer->setSizes(sizes);
            around->deleteLater();
        }
    }
    if (hadFocus) {
        const qsizetype was = all.indexOf(session);
        m_current = sessions().value(qMax<qsizetype>(0, was - 1));
        setFocusProxy(m_current);
        m_current->setFocus();
        emit currentChanged();
    }
    return true;
}

void TerminalSplits::moveFocus(int step)
{
    const QList<TerminalSession*> all = sessions();
    const qsizetype at = all.indexOf(current());
    all[(at + step + all.size()) % all.size()]->setFocus();
}

} // namespace coldframe::ui
