// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exec_frames.h"
#include "base/result.h"
#include "channel/connection.h"
#include "guest/agent/event.h"
#include "guest/agent/output_ring.h"
#include "guest/agent/requests.h"
#include "guest/agent/spawn.h"
#include "terminal/terminal.h"

#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::guest {

/// One program with its terminal or pipes. It outlives the streams that look at it: a terminal is drained while nobody is
/// attached, and the exit status waits until it was fetched. On the io_context's thread; owned by shared_ptr.
///
/// A terminal may have several viewers. What they see is kept as a screen (terminal::Terminal), so that a new one is shown the
/// screen as it stands and then what follows, and one that fell too far behind the same. The terminal has the size of the viewer
/// that was used last; for those of another size its screen is drawn anew after each change. Without a terminal there is one
/// viewer at a time, the newest, which first gets the ring again.
class ExecSession : public std::enable_shared_from_this<ExecSession>
{
public:
    static constexpr std::size_t kRingBytes = 256 * 1024;
    static constexpr std::size_t kMaxViewers = 8; ///< one more, and the oldest is let go
    static constexpr std::size_t kScrollbackLines = 1000;

    /// `spec` carries argv, environment, cwd and account; terminal and pipes are made here.
    static Result<std::shared_ptr<ExecSession>> start(asio::io_context& io, Reaper& reaper,
                                                      const ExecRequest& request, SpawnSpec spec);
    explicit ExecSession(asio::io_context& io) : m_io(io), m_changed(io), m_room(io), m_inputReady(io) {}

    /// Serves the stream until it ends. The stream's clean end leaves a terminal to itself.
    asio::awaitable<void> attach(channel::StreamPtr stream, AttachRequest how);
    /// As when a terminal is closed for good: hang-up, then, two seconds later, the end. Nobody needs to fetch the status.
    asio::awaitable<void> end();

    /// Why a program may have failed, as a sentence, or nothing.
    using Remark = std::function<std::string()>;
    void explainFailureBy(Remark reason) { m_reason = std::move(reason); }
    /// A line beside the program's own output, where that is lines on a terminal.
    void say(const std::string& text);

    bool hasTerminal() const { return m_tty; }
    /// It goes on without a viewer.
    bool isKept() const { return m_keepOpen; }
    bool hasEnded() const { return m_ended; }
    /// The Exit frame was written to an attached stream, or nobody wants it.
    bool isDelivered() const { return m_delivered; }
    std::size_t viewerCount() const { return m_viewers.size(); }
    int rows() const;
    int columns() const;
    /// As the Exit frame says it; after the end.
    ExecExit exit() const;

private:
    using Descriptor = asio::posix::stream_descriptor;
    struct Viewer;
    using ViewerPtr = std::shared_ptr<Viewer>;

    static asio::awaitable<void> drain(std::shared_ptr<ExecSession> self, Descriptor& from,
                                       ExecFrameType type);
    static asio::awaitable<void> feed(std::shared_ptr<ExecSession> self);
    static asio::awaitable<void> conclude(std::shared_ptr<ExecSession> self);
    static asio::awaitable<void> endGroup(std::shared_ptr<ExecSession> self, int signal);
    void makeScreen(int rows, int columns);
    void explainFailure();
    void apply(const ExecFrame& frame);
    void setSize(int rows, int columns);
    void signalForeground(int signal);
    void killGroup(int signal);

    // exec_viewers.cpp
    static asio::awaitable<void> sendOutput(std::shared_ptr<ExecSession> self, ViewerPtr viewer);
    static asio::awaitable<void> sayGoodbye(ViewerPtr viewer);
    ViewerPtr addViewer(channel::StreamPtr stream, const AttachRequest& how);
    void take(const ViewerPtr& viewer, const ExecFrame& frame);
    void lead(const ViewerPtr& viewer);
    void fitViewers();
    void leave(const ViewerPtr& viewer, bool lost);
    bool hasWriter() const;
    bool isBacklogged() const;
    std::string nextFrames(Viewer& viewer, std::uint64_t& end);
    std::string nextView(Viewer& viewer, std::uint64_t& end);

    asio::io_context& m_io;
    Event m_changed;                    ///< ring, end or viewers changed
    Event m_room;                       ///< a reader of the ring or the program's input moved on
    Event m_inputReady;                 ///< m_input or m_inputEnded changed
    std::optional<Descriptor> m_input;  ///< the terminal, or the pipe to standard input
    std::optional<Descriptor> m_output; ///< without a terminal
    std::optional<Descriptor> m_error;
    bool m_tty = false;
    bool m_keepOpen = false;
    pid_t m_pid = -1;
    int m_openOutputs = 0;
    OutputRing m_ring;
    std::unique_ptr<terminal::Terminal> m_screen; ///< with a terminal: what its viewers see
    std::string m_title;
    Remark m_reason;
    std::string m_pendingInput;
    bool m_inputEnded = false;
    std::vector<ViewerPtr> m_viewers; ///< the oldest first
    ViewerPtr m_leader;               ///< whose size the terminal has
    bool m_wasSeen = false;           ///< had a viewer
    std::optional<int> m_status;      ///< of waitpid
    bool m_ended = false;
    bool m_delivered = false;
};

/// Input that is nothing but a terminal's answers to a program's questions (cursor position, attributes, modes, colours,
/// focus lost): with several viewers each of their terminals answers, and only one may be heard.
bool isTerminalReply(std::string_view input);

} // namespace coldframe::guest
