// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/key_encoder.h"
#include "terminal/terminal.h"
#include "ui/terminal/color_scheme.h"
#include "ui/terminal/links.h"
#include "ui/terminal/row_painter.h"
#include "ui/terminal/selection.h"
#include "ui/terminal/terminal_looks.h"

#include <QAbstractScrollArea>
#include <QBasicTimer>
#include <QElapsedTimer>
#include <QTimer>
#include <deque>
#include <optional>
#include <vector>

class QMenu;
class QMimeData;

namespace coldframe::ui {

class SearchBar;
class TerminalSearch;

/// Shows a terminal and takes its input. Knows nothing of where the bytes come from: feed() what the program wrote, send what
/// bytesTyped() says, tell the other end about sizeChanged(). GUI thread.
///
/// What is fed is parsed some milliseconds at a time, the rest waits for the next turn of the event loop, and backlogged() asks
/// for a pause above kMaxQueued. Repaints what changed, at most 60 times a second, sooner after a key; holds a frame while the
/// program asks for synchronized output (at most 150 ms). A screen reader sees it as a terminal with the text of the screen.
///
/// Its own keys: Ctrl+Shift with C copies, V pastes, F searches, Up and Down go from prompt to prompt;
/// Shift+Insert pastes, Shift+PageUp and PageDown scroll, Ctrl with plus, minus and 0 zooms. All others are the program's.
/// Shift makes the mouse the window's where the program has it; Ctrl points at links; Alt selects a block.
class TerminalWidget : public QAbstractScrollArea
{
    Q_OBJECT

public:
    static constexpr int kMargin = 4; ///< pixels around the grid
    static constexpr qsizetype kMaxQueued = 64 << 10;

    explicit TerminalWidget(QWidget* parent = nullptr);
    ~TerminalWidget() override;

    void feed(const QByteArray& bytes);
    /// Bytes that are fed and not parsed yet.
    qsizetype queuedBytes() const { return m_queuedBytes; }
    void clear();
    void setColorScheme(const ColorScheme& scheme);
    void setLooks(const TerminalLooks& looks);
    /// Nothing is typed, pasted or answered: a recording, or a session that is only looked at.
    void setReadOnly(bool readOnly);
    bool isReadOnly() const { return m_isReadOnly; }
    /// A size that the window's does not change; 0: the window's.
    void setFixedGrid(int rows, int columns);

    int rows() const { return m_terminal.rows(); }
    int columns() const { return m_terminal.columns(); }
    const terminal::Terminal& terminal() const { return m_terminal; }
    /// What is on the screen as text, for tests and screen readers.
    QString screenText() const;
    int cursorOffset() const; ///< in screenText()
    QRect cellRect(int row, int column) const; ///< in the viewport, of a row of the view
    QRect cursorRect() const;                  ///< in the viewport
    QString selectedText() const { return m_selection.text(m_terminal); }
    bool hasSelection() const { return m_selection.isActive(); }
    TerminalSearch& search() { return *m_search; }
    QString directory() const { return m_directory; } ///< as the program told it (OSC 7), or empty
    QString lastCommandOutput() const; ///< by the marks of the shell (OSC 133)
    quint64 framesPainted() const { return m_frames; }
    QSize sizeHint() const override;

public slots:
    void copySelection();
    void copyLastOutput();
    void selectAll();
    void paste();
    void pasteSelection(); ///< of the mouse (PRIMARY)
    void zoom(int steps);  ///< 0: the size that was set
    void openSearch();
    void jumpToPrompt(int direction);
    /// After pasteNeedsConfirmation().
    void confirmPaste(const QString& text);

signals:
    void bytesTyped(const QByteArray& bytes);
    void sizeChanged(int rows, int columns);
    /// True: what comes is kept and parsed later, and no more should be fed until false.
    void backlogged(bool is);
    void titleChanged(const QString& title);
    void directoryChanged(const QString& path);
    void bell();
    void programNotified(const QString& title, const QString& text);
    void progressChanged(int state, int percent); ///< OSC 9;4: 0 none, 1 so far, 2 failed, 3 busy, 4 paused
    /// The program wants to put text on the clipboard (OSC 52).
    void clipboardOffered(const QString& text);
    /// What is about to be pasted may be run, or holds control characters that are left out; the owner may call
    /// confirmPaste(text) after asking.
    void pasteNeedsConfirmation(const QString& text);
    void linkHovered(const QString& target); ///< empty: none any more
    void linkActivated(const coldframe::ui::Link& link);
    /// Below the widget's own entries; for the owner's.
    void menuAboutToShow(QMenu* menu);

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void keyReleaseEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void inputMethodEvent(QInputMethodEvent* event) override;
    QVariant inputMethodQuery(Qt::InputMethodQuery query) const override;
    void timerEvent(QTimerEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragMoveEvent(QDragMoveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    bool focusNextPrevChild(bool next) override;

private:
    terminal::Callbacks makeCallbacks();
    void setGrid(int rows, int columns);
    void updateMetrics();
    void updateGrid();
    void updateScrollBar();
    qint64 topRow() const; ///< of the view
    bool isAtEnd() const;

    // terminal_feed.cpp
    void parse();
    void parseSlice();
    void scheduleFrame();
    void endFrame();
    void send(const std::string& bytes); ///< typed by the user, or an answer

    // terminal_painting.cpp
    void updateChangedRows();
    void updateAll();
    void takeColors();
    std::vector<quint64> rowKeys() const;
    RowLook lookOf(qint64 row) const;
    void updateCursor();
    void paintCursor(QPainter& painter);
    void paintPreedit(QPainter& painter);
    bool isCursorOn() const;

    // terminal_keys.cpp
    bool handleShortcut(QKeyEvent* event);
    void typed(const std::string& bytes); ///< by a key: the answer is painted at once, the view goes to the end

    // terminal_mouse.cpp
    Spot spotAt(const QPoint& point, bool nearest) const;
    terminal::Position cellAt(const QPoint& point) const;
    bool reportMouse(QMouseEvent* event, terminal::MouseAction action);
    void startSelection(const QPoint& point, SelectionKind kind, bool extend);
    void dragTo(const QPoint& point);
    void endSelection();
    void selectionChanged();

    // terminal_clipboard.cpp
    void pasteText(const QString& text);
    void dropSelectionIfChanged();
    static QString droppedText(const QMimeData* data);

    // terminal_links.cpp
    void pointAt(const QPoint& point, Qt::KeyboardModifiers modifiers);
    void forgetLink();

    void tellReaders();

    terminal::Terminal m_terminal;
    ColorScheme m_ownScheme; ///< as it was set
    ColorScheme m_scheme;    ///< with what the program changed of it
    TerminalLooks m_looks;
    int m_points = 10;
    RowPainter m_painter;
    bool m_isReadOnly = false;
    QSize m_fixedGrid; ///< columns and rows
    QString m_directory;

    // What is fed.
    std::deque<QByteArray> m_queue;
    qsizetype m_queueOffset = 0; ///< in its first
    qsizetype m_queuedBytes = 0;
    bool m_isBacklogged = false;
    qint64 m_turnNanoseconds = 0; ///< spent on parsing in this turn of the event loop
    QBasicTimer m_parseTimer;

    // Frames.
    QElapsedTimer m_clock;
    QBasicTimer m_frameTimer;
    qint64 m_frameDue = 0;     ///< of m_clock, in nanoseconds: no frame before
    qint64 m_frameWanted = -1; ///< when the timer runs: for when
    qint64 m_echoUntil = 0;    ///< a key was pressed: frames come sooner
    quint64 m_frames = 0;
    QElapsedTimer m_heldSince;
    QBasicTimer m_blinkTimer;
    bool m_blinkOn = true;
    bool m_blinks = false;    ///< something that is shown does
    QTimer m_flash;           ///< of the visual bell
    std::vector<quint64> m_shownKeys;
    std::vector<bool> m_rowBlinks;
    QRect m_shownCursor;
    quint64 m_generation = 0; ///< of the rows' numbers
    std::size_t m_lastScrollback = 0;
    qint64 m_lastFirst = 0;

    Selection m_selection;
    QString m_selectedText; ///< when it was made
    bool m_isSelecting = false;
    QPoint m_dragPoint;
    QBasicTimer m_autoscroll;
    QElapsedTimer m_lastDoubleClick;
    QPoint m_doubleClickPoint;
    std::optional<Link> m_link; ///< that is pointed at
    QPoint m_lastMouse{-1, -1};
    TerminalSearch* m_search = nullptr;
    SearchBar* m_searchBar = nullptr;
    QString m_preedit;
    int m_preeditCursor = 0;
    QString m_told; ///< the screen as screen readers were told of it
};

} // namespace coldframe::ui
