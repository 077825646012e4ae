// SPDX-License-Identifier: Apache-2.0
// The part of TerminalWidget that parses what is fed, and decides when a frame is painted.
#include "ui/terminal/terminal_search.h"
#include "ui/terminal/terminal_widget.h"

#include <QScrollBar>
#include <algorithm>

namespace coldframe::ui {

namespace {

constexpr qsizetype kSlice = 16 << 10;
constexpr qint64 kMillisecond = 1'000'000;
constexpr qint64 kTurn = 4 * kMillisecond;            ///< of parsing in one turn of the event loop
constexpr qint64 kFrame = 1'000'000'000 / 60;         ///< between frames
constexpr qint64 kEchoFrame = 4 * kMillisecond;       ///< while a key's echo is awaited
constexpr qint64 kEchoTime = 150 * kMillisecond;      ///< how long that is
constexpr int kMaxHoldMilliseconds = 150;
constexpr std::string_view kEndOfUpdate = "\x1b[?2026l";

} // namespace

void TerminalWidget::feed(const QByteArray& bytes)
{
    if (bytes.isEmpty()) {
        return;
    }
    m_queue.push_back(bytes);
    m_queuedBytes += bytes.size();
    parse();
}

void TerminalWidget::parse()
{
    while (!m_queue.empty() && m_turnNanoseconds < kTurn) {
        const qint64 began = m_clock.nsecsElapsed();
        parseSlice();
        m_turnNanoseconds += m_clock.nsecsElapsed() - began;
    }
    if (!m_parseTimer.isActive()) {
        m_parseTimer.start(0, this); // the next turn
    }
    if (const bool is = m_queuedBytes > (m_isBacklogged ? 0 : kMaxQueued); is != m_isBacklogged) {
        m_isBacklogged = is;
        emit backlogged(is);
    }
    scheduleFrame();
}

void TerminalWidget::parseSlice()
{
    const QByteArray& bytes = m_queue.front();
    const std::string_view rest(bytes.constData() + m_queueOffset, static_cast<std::size_t>(bytes.size() - m_queueOffset));
    std::string_view slice = rest.substr(0, static_cast<std::size_t>(kSlice));
    // A frame of the program's ends here: if one may be painted, it is this one and not half of the next.
    if (const std::size_t end = slice.find(kEndOfUpdate); end != std::string_view::npos && m_clock.nsecsElapsed() >= m_frameDue) {
        slice = slice.substr(0, end + kEndOfUpdate.size());
    }
    const auto size = static_cast<qsizetype>(slice.size());
    m_terminal.feed(slice);
    m_queuedBytes -= size;
    m_queueOffset += size;
    if (m_queueOffset >= bytes.size()) {
        m_queue.pop_front();
        m_queueOffset = 0;
    }
    if (!m_terminal.modes().synchronizedOutput) {
        if (m_heldSince.isValid() && m_clock.nsecsElapsed() >= m_frameDue) {
            m_heldSince.invalidate();
            endFrame();
        }
        m_heldSince.invalidate();
    } else if (!m_heldSince.isValid()) {
        m_heldSince.start();
    }
}

void TerminalWidget::clear()
{
    m_queue.clear();
    m_queueOffset = 0;
    m_queuedBytes = 0;
    m_terminal.feed("\x1b" "c");
    m_terminal.clearScrollback();
    m_selection.clear();
    m_search->restart();
    ++m_generation;
    parse(); // says that there is room again
    updateScrollBar();
    updateAll();
}

void TerminalWidget::scheduleFrame()
{
    const qint64 now = m_clock.nsecsElapsed();
    qint64 wanted = now < m_echoUntil ? std::min(m_frameDue, now + kEchoFrame) : m_frameDue;
    wanted = std::max(now, wanted);
    if (m_frameTimer.isActive() && m_frameWanted <= wanted) {
        return;
    }
    m_frameWanted = wanted;
    m_frameTimer.start(static_cast<int>((wanted - now + kMillisecond - 1) / kMillisecond), Qt::PreciseTimer, this);
}

void TerminalWidget::endFrame()
{
    if (m_heldSince.isValid()) {
        if (const qint64 left = kMaxHoldMilliseconds - m_heldSince.elapsed(); left > 0) { // the program is drawing
            m_frameWanted = m_clock.nsecsElapsed() + left * kMillisecond;
            m_frameTimer.start(static_cast<int>(left), Qt::PreciseTimer, this);
            return;
        }
        m_heldSince.restart();
    }
    const qint64 now = m_clock.nsecsElapsed();
    // From when it was due, so that a late timer does not make all frames later.
    const bool isLate = now >= m_frameDue && now - m_frameDue < kFrame;
    m_frameDue = (isLate ? m_frameDue : now) + kFrame;
    ++m_frames;
    takeColors();
    updateScrollBar();
    dropSelectionIfChanged();
    m_search->follow();
    updateChangedRows();
    tellReaders();
}

void TerminalWidget::typed(const std::string& bytes)
{
    if (m_isReadOnly) {
        return;
    }
    m_echoUntil = m_clock.nsecsElapsed() + kEchoTime;
    verticalScrollBar()->setValue(verticalScrollBar()->maximum());
    send(bytes);
}

void TerminalWidget::send(const std::string& bytes)
{
    if (!bytes.empty() && !m_isReadOnly) {
        emit bytesTyped(QByteArray::fromStdString(bytes));
    }
}

} // namespace coldframe::ui
