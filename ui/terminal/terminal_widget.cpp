// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_widget.h"

#include "ui/terminal/search_bar.h"
#include "ui/terminal/terminal_accessible.h"
#include "ui/terminal/terminal_search.h"

#include <QAccessible>
#include <QFontDatabase>
#include <QScrollBar>
#include <QTimerEvent>
#include <algorithm>
#include <array>

namespace coldframe::ui {

using namespace terminal;

namespace {

constexpr int kBlinkMilliseconds = 530;
constexpr int kFlashMilliseconds = 120;

QFont chosenFont(const TerminalLooks& looks)
{
    QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    if (!looks.family.isEmpty()) {
        font.setFamily(looks.family);
    }
    font.setStyleHint(QFont::Monospace);
    font.setFixedPitch(true);
    return font;
}

int chosenPoints(const TerminalLooks& looks)
{
    const int system = qMax(10, QFontDatabase::systemFont(QFontDatabase::FixedFont).pointSize());
    return looks.points == 0 ? system : qBound(TerminalLooks::kMinPoints, looks.points, TerminalLooks::kMaxPoints);
}

} // namespace

TerminalWidget::TerminalWidget(QWidget* parent)
    : QAbstractScrollArea(parent), m_terminal(24, 80, makeCallbacks())
{
    installTerminalAccessibility();
    setObjectName(QStringLiteral("terminalWidget"));
    setAccessibleName(tr("Terminal"));
    setFocusPolicy(Qt::StrongFocus);
    setAttribute(Qt::WA_InputMethodEnabled);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);
    viewport()->setAcceptDrops(true);
    viewport()->setCursor(Qt::IBeamCursor);
    viewport()->setMouseTracking(true);
    viewport()->setAttribute(Qt::WA_OpaquePaintEvent);
    m_clock.start();
    m_search = new TerminalSearch(m_terminal, this);
    m_searchBar = new SearchBar(*m_search, this);
    m_searchBar->hide();
    connect(m_search, &TerminalSearch::changed, this, &TerminalWidget::updateAll);
    connect(m_search, &TerminalSearch::currentChanged, this, [this](qint64 row) {
        if (row < topRow() || row >= topRow() + rows()) {
            verticalScrollBar()->setValue(static_cast<int>(row - firstRow(m_terminal)) - rows() / 2);
        }
        updateAll();
    });
    connect(m_searchBar, &SearchBar::closed, this, [this] {
        setFocus();
        updateAll();
    });
    m_flash.setSingleShot(true);
    connect(&m_flash, &QTimer::timeout, this, &TerminalWidget::updateAll);
    m_points = chosenPoints(m_looks);
    updateMetrics();
    setColorScheme(ColorScheme::dark());
    connect(verticalScrollBar(), &QScrollBar::valueChanged, this, &TerminalWidget::updateChangedRows);
    m_blinkTimer.start(kBlinkMilliseconds, this);
}

TerminalWidget::~TerminalWidget() = default;

Callbacks TerminalWidget::makeCallbacks()
{
    Callbacks callbacks;
    callbacks.reply = [this](std::string_view bytes) { send(std::string(bytes)); };
    callbacks.title = [this](const std::string& title) { emit titleChanged(QString::fromStdString(title)); };
    callbacks.bell = [this] {
        emit bell();
        if (m_looks.visualBell && !m_flash.isActive()) {
            m_flash.start(kFlashMilliseconds);
            updateAll();
        }
    };
    callbacks.notification = [this](const std::string& title, const std::string& text) {
        emit programNotified(QString::fromStdString(title), QString::fromStdString(text));
    };
    callbacks.clipboardWrite = [this](const std::string& text) { emit clipboardOffered(QString::fromStdString(text)); };
    callbacks.progress = [this](int state, int percent) { emit progressChanged(state, percent); };
    callbacks.directory = [this](const std::string& path) {
        m_directory = QString::fromStdString(path);
        emit directoryChanged(m_directory);
    };
    return callbacks;
}

QSize TerminalWidget::sizeHint() const
{
    return QSize(m_painter.cellWidth() * 80 + 2 * kMargin, m_painter.cellHeight() * 24 + 2 * kMargin);
}

void TerminalWidget::setColorScheme(const ColorScheme& scheme)
{
    m_ownScheme = m_scheme = scheme;
    std::array<std::uint32_t, 16> palette{};
    std::transform(scheme.named.begin(), scheme.named.end(), palette.begin(), [](const QColor& color) { return color.rgb() & 0xFFFFFFu; });
    m_terminal.setDefaultPalette(palette);
    m_terminal.setDefaultColors(scheme.foreground.rgb() & 0xFFFFFFu, scheme.background.rgb() & 0xFFFFFFu);
    takeColors();
    updateAll();
}

void TerminalWidget::setLooks(const TerminalLooks& looks)
{
    const bool isOther = looks.family != m_looks.family || looks.points != m_looks.points || looks.ligatures != m_looks.ligatures;
    m_looks = looks;
    if (isOther) {
        m_points = chosenPoints(m_looks);
        updateMetrics();
        updateGrid();
    }
    updateAll();
}

void TerminalWidget::setReadOnly(bool readOnly)
{
    m_isReadOnly = readOnly;
    viewport()->setAcceptDrops(!readOnly);
    updateAll();
}

void TerminalWidget::updateMetrics()
{
    QFont font = chosenFont(m_looks);
    font.setPointSize(m_points);
    setFont(font);
    m_painter.setFont(font, m_looks.ligatures);
}

void TerminalWidget::setFixedGrid(int newRows, int newColumns)
{
    m_fixedGrid = QSize(newColumns, newRows);
    updateGrid();
}

void TerminalWidget::updateGrid()
{
    if (!m_fixedGrid.isEmpty()) {
        setGrid(qBound(1, m_fixedGrid.height(), 1000), qBound(2, m_fixedGrid.width(), 1000));
    } else {
        setGrid(qBound(1, (viewport()->height() - 2 * kMargin) / m_painter.cellHeight(), 1000),
                qBound(2, (viewport()->width() - 2 * kMargin) / m_painter.cellWidth(), 1000));
    }
    m_searchBar->place();
    updateScrollBar();
    updateAll();
}

void TerminalWidget::setGrid(int newRows, int newColumns)
{
    if (newRows == rows() && newColumns == columns()) {
        return;
    }
    if (newColumns != columns()) { // rows are numbered anew
        m_selection.clear();
        forgetLink();
    }
    m_terminal.resize(newRows, newColumns);
    m_search->restart();
    ++m_generation;
    emit sizeChanged(newRows, newColumns);
}

void TerminalWidget::resizeEvent(QResizeEvent*) { updateGrid(); }

void TerminalWidget::zoom(int steps)
{
    m_points = steps == 0 ? chosenPoints(m_looks) : qBound(TerminalLooks::kMinPoints, m_points + steps, TerminalLooks::kMaxPoints);
    updateMetrics();
    updateGrid();
}

void TerminalWidget::openSearch() { m_searchBar->open(hasSelection() && !selectedText().contains(QLatin1Char('\n')) ? selectedText() : QString()); }

void TerminalWidget::timerEvent(QTimerEvent* event)
{
    const int id = event->timerId();
    if (id == m_frameTimer.timerId()) {
        m_frameTimer.stop();
        m_frameWanted = -1;
        endFrame();
    } else if (id == m_parseTimer.timerId()) {
        m_turnNanoseconds = 0;
        if (m_queue.empty()) {
            m_parseTimer.stop();
        } else {
            parse();
        }
    } else if (id == m_blinkTimer.timerId()) {
        m_blinkOn = !m_blinkOn;
        if (m_terminal.modes().cursorBlink && hasFocus()) {
            updateCursor();
        }
        for (std::size_t row = 0; m_blinks && row < m_rowBlinks.size(); ++row) {
            if (m_rowBlinks[row]) {
                viewport()->update(0, cellRect(static_cast<int>(row), 0).top(), viewport()->width(), m_painter.cellHeight());
            }
        }
    } else if (id == m_autoscroll.timerId()) {
        dragTo(m_dragPoint);
    } else {
        QAbstractScrollArea::timerEvent(event);
    }
}

qint64 TerminalWidget::topRow() const { return firstRow(m_terminal) + verticalScrollBar()->value(); }
bool TerminalWidget::isAtEnd() const { return verticalScrollBar()->value() >= verticalScrollBar()->maximum(); }

void TerminalWidget::updateScrollBar()
{
    const std::size_t scrollback = m_terminal.scrollbackRows();
    const qint64 first = firstRow(m_terminal);
    if (scrollback < m_lastScrollback && first == m_lastFirst) {
        ++m_generation; // it was cleared
    }
    QScrollBar* bar = verticalScrollBar();
    const bool atEnd = isAtEnd();
    // The view of what was written before stays where it is, though older rows are dropped.
    const int value = bar->value() - static_cast<int>(qBound(qint64{0}, first - m_lastFirst, qint64{bar->value()}));
    m_lastScrollback = scrollback;
    m_lastFirst = first;
    const QSignalBlocker quiet(bar);
    const int from = m_terminal.modes().alternateScreen ? static_cast<int>(scrollback) : 0;
    bar->setRange(from, static_cast<int>(scrollback));
    bar->setPageStep(rows());
    bar->setValue(atEnd ? static_cast<int>(scrollback) : value);
}

// --- text

QString TerminalWidget::screenText() const
{
    QStringList lines;
    Row row;
    for (int number = 0; number < rows(); ++number) {
        m_terminal.readScreenRow(number, row);
        lines << trimmedRight(rowText(row, 0, columns()));
    }
    return lines.join(QLatin1Char('\n'));
}

int TerminalWidget::cursorOffset() const
{
    const Position cursor = m_terminal.cursor();
    Row row;
    int offset = 0;
    for (int number = 0; number < cursor.row; ++number) {
        m_terminal.readScreenRow(number, row);
        offset += static_cast<int>(trimmedRight(rowText(row, 0, columns())).size()) + 1;
    }
    m_terminal.readScreenRow(cursor.row, row);
    return offset + static_cast<int>(qMin(rowText(row, 0, cursor.column).size(), trimmedRight(rowText(row, 0, columns())).size()));
}

QRect TerminalWidget::cellRect(int row, int column) const
{
    return QRect(kMargin + column * m_painter.cellWidth(), kMargin + row * m_painter.cellHeight(), m_painter.cellWidth(), m_painter.cellHeight());
}

QRect TerminalWidget::cursorRect() const
{
    const Position cursor = m_terminal.cursor();
    const int hidden = verticalScrollBar()->maximum() - verticalScrollBar()->value();
    Row row;
    m_terminal.readScreenRow(cursor.row, row);
    QRect box = cellRect(cursor.row + hidden, cursor.column);
    box.setWidth(box.width() * qMax(1, row.width(cursor.column)));
    return box;
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

} // namespace coldframe::ui
