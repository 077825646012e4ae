// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/key_encoder.h"
#include "terminal/terminal.h"
#include "ui/terminal/color_scheme.h"

#include <QAbstractScrollArea>
#include <QBasicTimer>
#include <QElapsedTimer>
#include <optional>

namespace coldframe::ui {

/// Shows a terminal and takes its input. Knows nothing of where the bytes come from: feed() what the program wrote,
/// send what bytesTyped() says, tell the other end about sizeChanged(). GUI thread. Repaints at most 60 times
/// a second, and holds a frame while the program asks for synchronized output (at most 150 ms).
/// A screen reader sees it as a terminal with the text of the screen.
/// Copy: Ctrl+Shift+C; paste: Ctrl+Shift+V or Shift+Insert; Shift+PageUp/PageDown scrolls; Shift overrides mouse grabs.
class TerminalWidget : public QAbstractScrollArea
{
    Q_OBJECT

public:
    static constexpr int kMargin = 4; ///< pixels around the grid

    explicit TerminalWidget(QWidget* parent = nullptr);

    void feed(const QByteArray& bytes);
    void setColorScheme(const ColorScheme& scheme);
    void clear();
    int rows() const;
    int columns() const;
    const terminal::Terminal& terminal() const { return m_terminal; }
    /// What is on the screen as text, for tests and screen readers.
    QString screenText() const;
    int cursorOffset() const; ///< in screenText()
    QRect cellRect(int row, int column) const; ///< in the viewport, while it is not scrolled back
    QString selectedText() const;
    bool hasSelection() const { return m_selection.has_value(); }
    QSize sizeHint() const override;

public slots:
    void copySelection();
    void paste();
    void zoom(int steps);

signals:
    void bytesTyped(const QByteArray& bytes);
    void sizeChanged(int rows, int columns);
    void titleChanged(const QString& title);
    void bell();
    void programNotified(const QString& text);
    /// The program put text on the clipboard (OSC 52), while this widget had the focus.
    void clipboardWritten(const QString& text);
    /// Several lines are about to be pasted into a program that did not ask for bracketed paste; the owner may
    /// call confirmPaste(text) after asking.
    void pasteNeedsConfirmation(const QString& text);

public slots:
    void confirmPaste(const QString& text);

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void inputMethodEvent(QInputMethodEvent* event) override;
    QVariant inputMethodQuery(Qt::InputMethodQuery query) const override;
    void timerEvent(QTimerEvent* event) override;
    bool focusNextPrevChild(bool next) override;

private:
    /// A cell counted from the first line ever written, so that a selection survives scrolling.
    struct Spot
    {
        qint64 line = 0;
        int column = 0;
        auto operator<=>(const Spot&) const = default;
    };
    struct Selection
    {
        Spot anchor;
        Spot head;
    };

    void send(const std::string& bytes);
    void updateMetrics();
    void updateGrid();
    void updateScrollBar();
    void schedulePaint();
    qint64 firstLine() const; ///< absolute number of the oldest kept line
    qint64 topLine() const;   ///< absolute number of the line at the top of the view
    Spot spotAt(const QPoint& point) const;
    bool reportMouse(QMouseEvent* event, terminal::MouseAction action);
    bool handleShortcut(QKeyEvent* event);
    void paintLine(QPainter& painter, const terminal::Row& line, int y, qint64 number);
    terminal::Row screenRow(int row) const;
    void paintCursor(QPainter& painter);
    QRect cursorRect() const;
    QString drawn(const terminal::Row& row, int column) const;
    void tellReaders();

    terminal::Terminal m_terminal;
    ColorScheme m_scheme;
    int m_cellWidth = 8;
    int m_cellHeight = 16;
    int m_ascent = 12;
    std::optional<Selection> m_selection;
    bool m_selecting = false;
    QBasicTimer m_paintTimer;
    QBasicTimer m_blinkTimer;
    bool m_blinkOn = true;
    QElapsedTimer m_heldSince;
    QString m_preedit;
    QString m_told; ///< the screen as screen readers were told of it
};

} // namespace coldframe::ui
