// SPDX-License-Identifier: Apache-2.0
// The part of ExecSession that serves those who look at it.
#include "guest/agent/exec_session.h"
#include "terminal/redraw.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

namespace coldframe::guest {

namespace {

constexpr std::size_t kMaxPendingInput = 256 * 1024;
constexpr std::uint32_t kCancel = 8; // RFC 9113, section 7
constexpr std::chrono::milliseconds kViewPause{40};

std::span<const std::uint8_t> bytesOf(const std::string& text)
{
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

/// The length of the reply at the front, 0 when there is none.
std::size_t replyLength(std::string_view input)
{
    if (input.size() < 3 || input[0] != '\x1b') {
        return 0;
    }
    if (input[1] == ']' || input[1] == 'P') { // OSC, DCS: a keyboard sends none
        const std::size_t st = input.find("\x1b\\", 2);
        const std::size_t bell = input.find('\a', 2);
        return st < bell ? st + 2 : bell != std::string_view::npos ? bell + 1 : 0;
    }
    if (input[1] != '[') {
        return 0;
    }
    const std::size_t final = input.find_first_not_of("?>=<0123456789;:$", 2);
    if (final == std::string_view::npos) {
        return 0;
    }
    const bool isPrivate = input[2] == '?' || input[2] == '>' || input[2] == '=';
    switch (input[final]) {
    case 'R': // cursor position; as a key it is F3 with a modifier, which then has to be pressed twice
    case 'n':
    case 't': return final > 2 ? final + 1 : 0;
    case 'c':
    case 'y': return final + 1;
    case 'u': return isPrivate ? final + 1 : 0; // without "?" it is a key of the kitty protocol
    case 'O': return final == 2 ? final + 1 : 0; // focus lost
    default: return 0;
    }
}

} // namespace

bool isTerminalReply(std::string_view input)
{
    while (!input.empty()) {
        const std::size_t length = replyLength(input);
        if (length == 0) {
            return false;
        }
        input.remove_prefix(length);
    }
    return true;
}

struct ExecSession::Viewer
{
    channel::StreamPtr stream;
    bool readOnly = false;
    int rows = 0; ///< of its terminal; 0: it did not say
    int columns = 0;
    std::uint64_t sent = 0;   ///< offset in the ring up to which the stream took it
    bool wantsRedraw = false; ///< the screen comes first
    bool hadRedraw = false;
    bool isDrawn = false; ///< its terminal has another size, so that the program's bytes would not fit
    bool isStale = false; ///< of a drawn one: something other than output changed
    std::string title;    ///< of a drawn one: the last that it was sent
    bool isGone = false;
    std::string farewell; ///< why it was let go
};

bool ExecSession::hasWriter() const
{
    return std::any_of(m_viewers.begin(), m_viewers.end(), [](const ViewerPtr& viewer) { return !viewer->readOnly; });
}

/// A program that writes faster than its viewers read is slowed down as by a real terminal, but only by the quickest of those
/// that may type. With nobody there it runs on.
bool ExecSession::isBacklogged() const
{
    return hasWriter() && std::all_of(m_viewers.begin(), m_viewers.end(), [this](const ViewerPtr& viewer) {
               return viewer->readOnly || m_ring.end() - viewer->sent > kRingBytes;
           });
}

ExecSession::ViewerPtr ExecSession::addViewer(channel::StreamPtr stream, const AttachRequest& how)
{
    const std::size_t room = m_tty ? kMaxViewers : 1;
    while (m_viewers.size() >= room) {
        const ViewerPtr oldest = m_viewers.front();
        if (m_tty) {
            oldest->farewell = "This session was opened in " + std::to_string(kMaxViewers) + " more places; it goes on without this one.";
        } else {
            oldest->stream->reset(kCancel);
        }
        leave(oldest, false);
    }
    auto viewer = std::make_shared<Viewer>();
    viewer->stream = std::move(stream);
    viewer->readOnly = how.readOnly;
    viewer->rows = how.rows;
    viewer->columns = how.columns;
    m_viewers.push_back(viewer);
    if (m_tty) {
        lead(viewer);
        fitViewers();
        // The first one sees everything from the start; for a later one what went before is drawn.
        viewer->wantsRedraw = m_wasSeen || m_ring.begin() > 0;
    }
    viewer->sent = viewer->wantsRedraw ? m_ring.end() : m_ring.begin();
    m_wasSeen = true;
    m_changed.notify();
    m_room.notify();
    return viewer;
}

/// The screen for a terminal of another size; empty: it shows that already.
std::string ExecSession::nextView(Viewer& viewer, std::uint64_t& end)
{
    end = m_ring.end();
    if (!viewer.isStale && viewer.sent == end) {
        return {};
    }
    terminal::ViewOptions options;
    options.rows = viewer.rows;
    options.columns = viewer.columns;
    if (viewer.title != m_title) {
        options.title = viewer.title = m_title;
    }
    viewer.isStale = false;
    viewer.hadRedraw = true;
    viewer.sent = end;
    return encodeExecFrame(ExecFrameType::Stdout, terminal::drawView(*m_screen, options));
}

/// What the viewer is sent next, with the offset in the ring that it then has reached; empty: nothing yet.
std::string ExecSession::nextFrames(Viewer& viewer, std::uint64_t& end)
{
    if (m_screen && viewer.isDrawn) {
        return nextView(viewer, end);
    }
    if (m_screen && viewer.sent < m_ring.begin()) {
        viewer.wantsRedraw = true; // it fell behind
    }
    if (viewer.wantsRedraw) {
        terminal::RedrawOptions options;
        options.afterGap = viewer.hadRedraw || viewer.sent < m_ring.begin();
        options.scrollbackLines = options.afterGap ? 0 : kScrollbackLines;
        options.title = m_title;
        viewer.wantsRedraw = false;
        viewer.hadRedraw = true;
        const std::uint64_t unfinished = std::min<std::uint64_t>(m_screen->unfinishedBytes(), m_ring.end() - m_ring.begin());
        end = viewer.sent = m_ring.end() - unfinished;
        return encodeExecFrame(ExecFrameType::Stdout, terminal::redraw(*m_screen, options));
    }
    const OutputRing::Piece piece = m_ring.from(viewer.sent, kMaxExecPayload);
    end = piece.end;
    return piece.data.empty() ? std::string() : encodeExecFrame(piece.type, piece.data);
}

asio::awaitable<void> ExecSession::sendOutput(std::shared_ptr<ExecSession> self, ViewerPtr viewer)
{
    while (!viewer->isGone) {
        std::uint64_t end = 0;
        std::string frames = self->nextFrames(*viewer, end);
        const bool isLast = frames.empty() && self->m_ended;
        if (isLast) {
            const ExecExit exit = self->exit();
            frames = encodeExit(exit.exitCode, exit.signal);
        }
        if (frames.empty()) {
            co_await self->m_changed.wait();
            continue;
        }
        const auto written = co_await viewer->stream->write(bytesOf(frames));
        if (!written) {
            self->leave(viewer, true);
            co_return;
        }
        if (isLast) {
            self->m_delivered = true;
            self->leave(viewer, false);
        } else {
            viewer->sent = end;
            self->m_room.notify();
        }
        if (viewer->isDrawn && !isLast) {
            co_await pause(self->m_io, kViewPause); // a whole screen for each line of output would be much
        }
    }
    co_await sayGoodbye(viewer);
}

asio::awaitable<void> ExecSession::sayGoodbye(ViewerPtr viewer)
{
    if (!viewer->farewell.empty()) {
        const nlohmann::json why{{"code", errorCodeName(ErrorCode::Closed)}, {"message", viewer->farewell}, {"detail", ""}};
        const std::string frame = encodeExecFrame(ExecFrameType::Failure, why.dump());
        (void)co_await viewer->stream->write(bytesOf(frame));
    }
    viewer->stream->finish();
}

asio::awaitable<void> ExecSession::attach(channel::StreamPtr stream, AttachRequest how)
{
    const auto self = shared_from_this();
    const ViewerPtr viewer = addViewer(stream, how);
    asio::co_spawn(m_io, sendOutput(self, viewer), asio::detached);

    ExecFrameDecoder decoder;
    std::string buffer(16 * 1024, '\0');
    while (!viewer->isGone) {
        auto got =
            co_await stream->read(std::span(reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()));
        if (viewer->isGone) {
            co_return;
        }
        if (!got) {
            leave(viewer, true);
            co_return;
        }
        if (*got == 0) {
            if (m_tty) {
                leave(viewer, false); // whoever looked at it closed it; the program goes on
                co_return;
            }
            // The host sends nothing more, the program's output goes on.
            apply({ExecFrameType::StdinEnd, {}});
            // A reset after this would only be noticed with the next output, so it is looked for.
            co_await pause(m_io, std::chrono::milliseconds(500));
            continue;
        }
        decoder.feed(std::string_view(buffer).substr(0, *got));
        for (;;) {
            auto frame = decoder.next();
            if (!frame) {
                stream->reset(kCancel);
                leave(viewer, true);
                co_return;
            }
            if (!*frame) {
                break;
            }
            take(viewer, **frame);
        }
        while (m_pendingInput.size() > kMaxPendingInput && !m_ended && !viewer->isGone) {
            co_await m_room.wait();
        }
    }
}

void ExecSession::take(const ViewerPtr& viewer, const ExecFrame& frame)
{
    if (frame.type == ExecFrameType::Resize) {
        if (const auto size = decodeResize(frame.payload); size && m_tty) {
            viewer->rows = size->rows;
            viewer->columns = size->columns;
            if (viewer == m_leader || !m_leader) {
                lead(viewer);
            }
            viewer->isStale = true;
            fitViewers();
        }
        return;
    }
    if (viewer->readOnly) {
        return;
    }
    if (m_tty && frame.type == ExecFrameType::Stdin && viewer != m_leader) {
        if (isTerminalReply(frame.payload)) {
            return;
        }
        lead(viewer);
    }
    apply(frame);
}

void ExecSession::lead(const ViewerPtr& viewer)
{
    if (!viewer->readOnly) {
        m_leader = viewer;
        setSize(viewer->rows, viewer->columns);
    }
}

/// After a change of the terminal's size or of a viewer's.
void ExecSession::fitViewers()
{
    for (const ViewerPtr& viewer : m_viewers) {
        const bool fits = !m_screen || viewer->rows < 1 || viewer->columns < 1 ||
                          (viewer->rows == m_screen->rows() && viewer->columns == m_screen->columns());
        if (fits && viewer->isDrawn) {
            viewer->wantsRedraw = true; // from here on the program's own bytes do
        }
        viewer->isDrawn = !fits;
        viewer->isStale = viewer->isStale || viewer->isDrawn;
    }
    m_changed.notify();
}

void ExecSession::leave(const ViewerPtr& viewer, bool lost)
{
    if (viewer->isGone) {
        return;
    }
    viewer->isGone = true;
    std::erase(m_viewers, viewer);
    if (m_leader == viewer) {
        m_leader.reset();
        const auto next = std::find_if(m_viewers.rbegin(), m_viewers.rend(), [](const ViewerPtr& other) { return !other->readOnly; });
        if (next != m_viewers.rend()) {
            lead(*next);
        }
    }
    if (m_viewers.empty()) {
        m_ring.trim(kRingBytes);
    }
    m_changed.notify();
    m_room.notify();
    if (lost && !m_keepOpen && !m_ended) {
        asio::co_spawn(m_io, endGroup(shared_from_this(), SIGTERM), asio::detached);
    }
}

} // namespace coldframe::guest
