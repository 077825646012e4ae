// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/terminal/terminal_widget.h"

#include <QSignalSpy>
#include <QtTest>
#include <memory>

namespace coldframe::ui {

/// A test with a terminal in a window of its own.
class TerminalTest : public QObject
{
    Q_OBJECT

protected:
    void makeWidget(int width = 800, int height = 500)
    {
        m_widget = std::make_unique<TerminalWidget>();
        m_widget->resize(width, height);
        m_widget->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_widget.get()));
        m_widget->activateWindow();
        m_widget->setFocus();
        QTRY_VERIFY(m_widget->hasFocus());
    }
    /// All that is fed is parsed and a frame of it was painted.
    void settle()
    {
        QTRY_COMPARE(m_widget->queuedBytes(), 0);
        const quint64 frames = m_widget->framesPainted();
        m_widget->feed("\x1b[0m");
        QTRY_VERIFY(m_widget->framesPainted() > frames);
        QCoreApplication::processEvents();
    }
    /// Feeds and waits until it is parsed, which on a busy machine may take more than a turn of the event loop.
    void show(const QByteArray& bytes)
    {
        m_widget->feed(bytes);
        while (m_widget->queuedBytes() > 0) {
            QCoreApplication::processEvents();
        }
    }
    QImage image() const { return m_widget->viewport()->grab().toImage(); }
    QPoint at(int row, int column) const { return m_widget->cellRect(row, column).center(); }
    /// The left border of a cell, where a selection of characters begins.
    QPoint before(int row, int column) const { return m_widget->cellRect(row, column).topLeft() + QPoint(1, 5); }
    void drag(const QPoint& from, const QPoint& to, Qt::KeyboardModifiers modifiers = {})
    {
        QTest::mousePress(m_widget->viewport(), Qt::LeftButton, modifiers, from);
        move(from + QPoint(1, 0), modifiers, Qt::LeftButton);
        move(to, modifiers, Qt::LeftButton);
        QTest::mouseRelease(m_widget->viewport(), Qt::LeftButton, modifiers, to);
    }
    void move(const QPoint& to, Qt::KeyboardModifiers modifiers = {}, Qt::MouseButtons buttons = Qt::NoButton)
    {
        QMouseEvent event(QEvent::MouseMove, to, m_widget->viewport()->mapToGlobal(to), Qt::NoButton, buttons, modifiers);
        QCoreApplication::sendEvent(m_widget->viewport(), &event);
    }
    static QByteArray all(const QSignalSpy& typed)
    {
        QByteArray bytes;
        for (const auto& call : typed) {
            bytes += call.at(0).toByteArray();
        }
        return bytes;
    }

    std::unique_ptr<TerminalWidget> m_widget;
};

} // namespace coldframe::ui
