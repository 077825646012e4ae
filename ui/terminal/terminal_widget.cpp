// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_widget.h"

#include "terminal/text_safety.h"
#include "ui/terminal/cell_text.h"
#include "ui/terminal/terminal_accessible.h"

#include <QAccessible>
#include <QApplication>
#include <QClipboard>
#include <QFontDatabase>
#include <QKeyEvent>
#include <QScrollBar>
#include <QTimerEvent>
#include <QtMath>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr int kPaintInterval = 16;
constexpr int kMaxHoldMilliseconds = 150;

Modifiers modifiersOf(Qt::KeyboardModifiers m)
{
    return {m.testFlag(Qt::ShiftModifier), m.testFlag(Qt::AltModifier), m.testFlag(Qt::ControlModifier)};
}

} // namespace

TerminalWidget::TerminalWidget(QWidget* parent)
    : QAbstractScrollArea(parent),
      m_terminal(24, 80,
                 Callbacks{[this](std::string_view bytes) { send(std::string(bytes)); },
                           [this](const std::string& title) { emit titleChanged(QString::fromStdString(title)); },
                           [this] { emit bell(); },
                           [this](const std::string&, const std::string& text) { emit programNotified(QString::fromStdString(text)); },
                           [this](const std::string& text) {
                               // Only the terminal in use may touch the clipboard, and the owner says so.
                               if (hasFocus()) {
                                   const QString copied = QString::fromStdString(text);
                                   QGuiApplication::clipboard()->setText(copied);
                                   emit clipboardWritten(copied);
                               }
                           },
                           {}, {}, {}}),
      m_scheme(ColorScheme::dark())
{
    installTerminalAccessibility();
    setObjectName(QStringLiteral("terminalWidget"));
    setAccessibleName(tr("Terminal"));
    setFocusPolicy(Qt::StrongFocus);
    setAttribute(Qt::WA_InputMethodEnabled);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);
    viewport()->setCursor(Qt::IBeamCursor);
    viewport()->setMouseTracking(true);
    QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    font.setStyleHint(QFont::Monospace);
    if (font.pointSize() < 10) {
        font.setPointSize(10);
    }
    setFont(font);
    updateMetrics();
    setColorScheme(m_scheme);
    connect(verticalScrollBar(), &QScrollBar::valueChanged, viewport(), qOverload<>(&QWidget::update));
    m_blinkTimer.start(530, this);
}

QSize TerminalWidget::sizeHint() const { return QSize(m_cellWidth * 80 + 2 * kMargin, m_cellHeight * 24 + 2 * kMargin); }

void TerminalWidget::setColorScheme(const ColorScheme& scheme)
{
    m_scheme = scheme;
    m_terminal.setDefaultColors(scheme.foreground.rgb() & 0xFFFFFFu, scheme.background.rgb() & 0xFFFFFFu);
    viewport()->update();
}

int TerminalWidget::rows() const { return m_terminal.rows(); }
int TerminalWidget::columns() const { return m_terminal.columns(); }

void TerminalWidget::updateMetrics()
{
    const QFontMetricsF metrics(font());
    m_cellWidth = qMax(4, qRound(metrics.horizontalAdvance(QLatin1Char('M'))));
    m_cellHeight = qMax(6, qCeil(metrics.height()));
    m_ascent = qRound(metrics.ascent());
}

void TerminalWidget::updateGrid()
{
    const int newRows = qBound(1, (viewport()->height() - 2 * kMargin) / m_cellHeight, 1000);
    const int newColumns = qBound(2, (viewport()->width() - 2 * kMargin) / m_cellWidth, 1000);
    if (newRows != rows() || newColumns != columns()) {
        m_terminal.resize(newRows, newColumns);
        emit sizeChanged(newRows, newColumns);
    }
    updateScrollBar();
}

void TerminalWidget::resizeEvent(QResizeEvent*) { updateGrid(); }

void TerminalWidget::zoom(int steps)
{
    QFont larger = font();
    larger.setPointSize(qBound(6, larger.pointSize() + steps, 48));
    setFont(larger);
    updateMetrics();
    updateGrid();
    viewport()->update();
}

void TerminalWidget::feed(const QByteArray& bytes)
{
    m_terminal.feed(std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
    schedulePaint();
}

void TerminalWidget::clear()
{
    feed("\x1b" "c");
    m_terminal.clearScrollback();
    m_selection.reset();
    updateScrollBar();
}

void TerminalWidget::schedulePaint()
{
    if (m_terminal.modes().synchronizedOutput) {
        if (!m_heldSince.isValid()) {
            m_heldSince.start();
        }
    } else {
        m_heldSince.invalidate();
    }
    if (!m_paintTimer.isActive()) {
        m_paintTimer.start(kPaintInterval, this);
    }
}

void TerminalWidget::timerEvent(QTimerEvent* event)
{
    if (event->timerId() == m_paintTimer.timerId()) {
        if (m_heldSince.isValid() && m_heldSince.elapsed() < kMaxHoldMilliseconds) {
            return; // the program is drawing a whole frame
        }
        m_heldSince.invalidate();
        m_paintTimer.stop();
        updateScrollBar();
        viewport()->update();
        tellReaders();
    } else if (event->timerId() == m_blinkTimer.timerId()) {
        m_blinkOn = !m_blinkOn;
        if (m_terminal.modes().cursorBlink && hasFocus()) {
            viewport()->update(cursorRect());
        }
    } else {
        QAbstractScrollArea::timerEvent(event);
    }
}

qint64 TerminalWidget::firstLine() const { return static_cast<qint64>(m_terminal.droppedRows()); }
qint64 TerminalWidget::topLine() const { return firstLine() + verticalScrollBar()->value(); }

void TerminalWidget::updateScrollBar()
{
    const int kept = m_terminal.modes().alternateScreen ? 0 : static_cast<int>(m_terminal.scrollbackRows());
    QScrollBar* bar = verticalScrollBar();
    const bool atEnd = bar->value() >= bar->maximum();
    bar->setRange(0, kept);
    bar->setPageStep(rows());
    if (atEnd) {
        bar->setValue(kept);
    }
}

void TerminalWidget::send(const std::string& bytes)
{
    if (!bytes.empty()) {
        emit bytesTyped(QByteArray::fromStdString(bytes));
    }
}

// --- text

Row TerminalWidget::screenRow(int row) const
{
    Row read;
    m_terminal.readScreenRow(row, read);
    return read;
}

QString TerminalWidget::screenText() const
{
    QStringList lines;
    for (int row = 0; row < rows(); ++row) {
        lines << trimmedRight(lineText(screenRow(row), 0, columns()));
    }
    return lines.join(QLatin1Char('\n'));
}

int TerminalWidget::cursorOffset() const
{
    const Position cursor = m_terminal.cursor();
    int offset = 0;
    for (int row = 0; row < cursor.row; ++row) {
        offset += static_cast<int>(trimmedRight(lineText(screenRow(row), 0, columns())).size()) + 1;
    }
    const QString line = trimmedRight(lineText(screenRow(cursor.row), 0, columns()));
    return offset + static_cast<int>(qMin<qsizetype>(lineText(screenRow(cursor.row), 0, cursor.column).size(), line.size()));
}

QRect TerminalWidget::cellRect(int row, int column) const
{
    return QRect(kMargin + column * m_cellWidth, kMargin + row * m_cellHeight, m_cellWidth, m_cellHeight);
}

void TerminalWidget::tellReaders()
{
    if (!QAccessible::isActive()) {
        return;
    }
    const QString now = screenText();
    const qsizetype shorter = qMin(now.size(), m_told.size());
    qsizetype same = 0;
    while (same < shorter && now[same] == m_told[same]) {
        ++same;
    }
    qsizetype end = 0;
    while (end < shorter - same && now[now.size() - 1 - end] == m_told[m_told.size() - 1 - end]) {
        ++end;
    }
    if (now != m_told) {
        QAccessibleTextUpdateEvent change(this, static_cast<int>(same), m_told.mid(same, m_told.size() - same - end),
                                          now.mid(same, now.size() - same - end));
        m_told = now;
        QAccessible::updateAccessibility(&change);
    }
    QAccessibleTextCursorEvent cursor(this, cursorOffset());
    QAccessible::updateAccessibility(&cursor);
}

QString TerminalWidget::selectedText() const
{
    if (!m_selection) {
        return {};
    }
    const Spot from = qMin(m_selection->anchor, m_selection->head);
    const Spot to = qMax(m_selection->anchor, m_selection->head);
    QString text;
    for (qint64 number = qMax(from.line, firstLine()); number <= to.line; ++number) {
        const std::size_t index = static_cast<std::size_t>(number - firstLine());
        if (index >= m_terminal.totalRows()) {
            break;
        }
        Row line;
        m_terminal.readRow(index, line);
        const int start = number == from.line ? from.column : 0;
        const int end = number == to.line ? to.column : line.columns();
        const QString part = lineText(line, start, end);
        text += line.wrapped() && number != to.line ? part : trimmedRight(part);
        if (number != to.line && !line.wrapped()) {
            text += QLatin1Char('\n');
        }
    }
    return text;
}

void TerminalWidget::copySelection()
{
    const QString text = selectedText();
    if (!text.isEmpty()) {
        QGuiApplication::clipboard()->setText(text);
    }
}

void TerminalWidget::paste()
{
    const QString text = QGuiApplication::clipboard()->text();
    if (text.contains(QLatin1Char('\n')) && !m_terminal.modes().bracketedPaste &&
        receivers(SIGNAL(pasteNeedsConfirmation(QString))) > 0) {
        emit pasteNeedsConfirmation(text);
        return;
    }
    confirmPaste(text);
}

void TerminalWidget::confirmPaste(const QString& text)
{
    send(encodePaste(text.toStdString(), m_terminal.modes().bracketedPaste));
}

// --- keyboard

bool TerminalWidget::focusNextPrevChild(bool) { return false; } // Tab belongs to the program

bool TerminalWidget::event(QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride) {
        // Keys are the program's, Ctrl+N, Ctrl+Q and Alt+letter too; the window's are those that no program is sent:
        // with Control and Shift, and Control with the page keys.
        const auto* key = static_cast<QKeyEvent*>(event);
        const auto modifiers = key->modifiers() & ~Qt::KeypadModifier;
        const bool page = key->key() == Qt::Key_PageUp || key->key() == Qt::Key_PageDown;
        if (modifiers != (Qt::ControlModifier | Qt::ShiftModifier) && !(modifiers == Qt::ControlModifier && page)) {
            event->accept();
            return true;
        }
    }
    return QAbstractScrollArea::event(event);
}

bool TerminalWidget::handleShortcut(QKeyEvent* event)
{
    const auto modifiers = event->modifiers() & ~Qt::KeypadModifier;
    const int key = event->key();
    if (modifiers == (Qt::ControlModifier | Qt::ShiftModifier)) {
        if (key == Qt::Key_C) {
            copySelection();
            return true;
        }
        if (key == Qt::Key_V) {
            paste();
            return true;
        }
    }
    if (modifiers == Qt::ShiftModifier) {
        if (key == Qt::Key_Insert) {
            paste();
            return true;
        }
        if ((key == Qt::Key_PageUp || key == Qt::Key_PageDown) && !m_terminal.modes().alternateScreen) {
            verticalScrollBar()->triggerAction(key == Qt::Key_PageUp ? QScrollBar::SliderPageStepSub
                                                                     : QScrollBar::SliderPageStepAdd);
            return true;
        }
    }
    if (modifiers.testFlag(Qt::ControlModifier) && (key == Qt::Key_Plus || key == Qt::Key_Equal || key == Qt::Key_Minus)) {
        zoom(key == Qt::Key_Minus ? -1 : 1);
        return true;
    }
    return false;
}

void TerminalWidget::keyPressEvent(QKeyEvent* event)
{
    event->accept();
    if (handleShortcut(event)) {
        return;
    }
    const Modifiers modifiers = modifiersOf(event->modifiers());
    const Modes& modes = m_terminal.modes();
    const auto named = [&](Key key) { send(encodeKey(key, modifiers, modes)); };
    const int key = event->key();
    verticalScrollBar()->setValue(verticalScrollBar()->maximum());
    switch (key) {
    case Qt::Key_Up: return named(Key::Up);
    case Qt::Key_Down: return named(Key::Down);
    case Qt::Key_Left: return named(Key::Left);
    case Qt::Key_Right: return named(Key::Right);
    case Qt::Key_Home: return named(Key::Home);
    case Qt::Key_End: return named(Key::End);
    case Qt::Key_PageUp: return named(Key::PageUp);
    case Qt::Key_PageDown: return named(Key::PageDown);
    case Qt::Key_Insert: return named(Key::Insert);
    case Qt::Key_Delete: return named(Key::Delete);
    case Qt::Key_Backspace: return named(Key::Backspace);
    case Qt::Key_Escape: return named(Key::Escape);
    case Qt::Key_Return:
    case Qt::Key_Enter: return named(Key::Enter);
    case Qt::Key_Tab: return named(Key::Tab);
    case Qt::Key_Backtab: return send(encodeKey(Key::Tab, {.shift = true}, modes));
    default: break;
    }
    if (key >= Qt::Key_F1 && key <= Qt::Key_F12) {
        send(encodeKey(Key::Function, modifiers, modes, key - Qt::Key_F1 + 1));
        return;
    }
    if (modifiers.control && key >= Qt::Key_Space && key <= Qt::Key_AsciiTilde) {
        // Qt gives upper case for letters; Control is about the key, not its case.
        const char32_t character = key >= Qt::Key_A && key <= Qt::Key_Z ? static_cast<char32_t>(key - Qt::Key_A + 'a')
                                                                        : static_cast<char32_t>(key);
        send(encodeCharacter(character, modifiers, modes));
        return;
    }
    const auto text = event->text().toUcs4();
    for (const uint character : text) {
        if (character >= 0x20 && character != 0x7F) {
            send(encodeCharacter(character, {.alt = modifiers.alt}, modes));
        }
    }
}

void TerminalWidget::inputMethodEvent(QInputMethodEvent* event)
{
    m_preedit = event->preeditString();
    if (!event->commitString().isEmpty()) {
        send(event->commitString().toStdString());
    }
    viewport()->update();
    event->accept();
}

QVariant TerminalWidget::inputMethodQuery(Qt::InputMethodQuery query) const
{
    if (query == Qt::ImCursorRectangle) {
        return cursorRect();
    }
    return query == Qt::ImEnabled ? QVariant(true) : QAbstractScrollArea::inputMethodQuery(query);
}

void TerminalWidget::focusInEvent(QFocusEvent* event)
{
    if (m_terminal.modes().focusEvents) {
        send("\x1b[I");
    }
    viewport()->update();
    QAbstractScrollArea::focusInEvent(event);
}

void TerminalWidget::focusOutEvent(QFocusEvent* event)
{
    if (m_terminal.modes().focusEvents) {
        send("\x1b[O");
    }
    viewport()->update();
    QAbstractScrollArea::focusOutEvent(event);
}

// --- mouse

TerminalWidget::Spot TerminalWidget::spotAt(const QPoint& point) const
{
    const int row = qBound(0, (point.y() - kMargin) / m_cellHeight, rows() - 1);
    const int column = qBound(0, (point.x() - kMargin + m_cellWidth / 2) / m_cellWidth, columns());
    return {topLine() + row, column};
}

bool TerminalWidget::reportMouse(QMouseEvent* event, MouseAction action)
{
    if (m_terminal.modes().mouse == MouseTracking::None || event->modifiers().testFlag(Qt::ShiftModifier)) {
        return false;
    }
    const auto pressed = action == MouseAction::Move ? event->buttons() : Qt::MouseButtons(event->button());
    const int button = pressed.testFlag(Qt::LeftButton)     ? 0
                       : pressed.testFlag(Qt::MiddleButton) ? 1
                       : pressed.testFlag(Qt::RightButton)  ? 2
                                                            : 3;
    const QPoint point = event->position().toPoint();
    const Position cell{qBound(0, (point.y() - kMargin) / m_cellHeight, rows() - 1),
                        qBound(0, (point.x() - kMargin) / m_cellWidth, columns() - 1)};
    send(encodeMouse(action, button, cell, modifiersOf(event->modifiers()), m_terminal.modes()));
    return true;
}

void TerminalWidget::mousePressEvent(QMouseEvent* event)
{
    if (reportMouse(event, MouseAction::Press)) {
        return;
    }
    if (event->button() == Qt::MiddleButton) {
        confirmPaste(QGuiApplication::clipboard()->text(QClipboard::Selection));
    } else if (event->button() == Qt::LeftButton) {
        const Spot spot = spotAt(event->position().toPoint());
        m_selection = Selection{spot, spot};
        m_selecting = true;
        viewport()->update();
    }
}

void TerminalWidget::mouseMoveEvent(QMouseEvent* event)
{
    if (m_selecting && m_selection) {
        m_selection->head = spotAt(event->position().toPoint());
        viewport()->update();
        return;
    }
    reportMouse(event, MouseAction::Move);
}

void TerminalWidget::mouseReleaseEvent(QMouseEvent* event)
{
    if (!m_selecting) {
        reportMouse(event, MouseAction::Release);
        return;
    }
    m_selecting = false;
    if (m_selection && m_selection->anchor == m_selection->head) {
        m_selection.reset();
        viewport()->update();
    } else if (QGuiApplication::clipboard()->supportsSelection()) {
        QGuiApplication::clipboard()->setText(selectedText(), QClipboard::Selection);
    }
}

void TerminalWidget::mouseDoubleClickEvent(QMouseEvent* event)
{
    if (reportMouse(event, MouseAction::Press)) {
        return;
    }
    const Spot spot = spotAt(event->position().toPoint());
    const std::size_t index = static_cast<std::size_t>(qMax<qint64>(0, spot.line - firstLine()));
    Row row;
    m_terminal.readRow(index, row);
    const QString text = lineText(row, 0, columns());
    const auto isWord = [&](int at) { return at >= 0 && at < text.size() && !text[at].isSpace(); };
    int from = spot.column;
    int to = spot.column;
    while (isWord(from - 1)) {
        --from;
    }
    while (isWord(to)) {
        ++to;
    }
    if (to > from) {
        m_selection = Selection{{spot.line, from}, {spot.line, to}};
        viewport()->update();
    }
}

void TerminalWidget::wheelEvent(QWheelEvent* event)
{
    const int steps = event->angleDelta().y() / 40;
    const Modes& modes = m_terminal.modes();
    if (event->modifiers().testFlag(Qt::ControlModifier)) {
        zoom(steps > 0 ? 1 : -1);
    } else if (modes.mouse != MouseTracking::None && !event->modifiers().testFlag(Qt::ShiftModifier)) {
        const QPoint point = event->position().toPoint();
        const Position cell{qBound(0, (point.y() - kMargin) / m_cellHeight, rows() - 1),
                            qBound(0, (point.x() - kMargin) / m_cellWidth, columns() - 1)};
        for (int i = 0; i < qMax(1, qAbs(steps) / 3); ++i) {
            send(encodeMouse(MouseAction::Press, steps > 0 ? 64 : 65, cell, {}, modes));
        }
    } else if (modes.alternateScreen && modes.alternateScroll) {
        for (int i = 0; i < qAbs(steps); ++i) {
            send(encodeKey(steps > 0 ? Key::Up : Key::Down, {}, modes));
        }
    } else {
        verticalScrollBar()->setValue(verticalScrollBar()->value() - steps);
    }
    event->accept();
}

} // namespace coldframe::ui
