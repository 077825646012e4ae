// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exec_frames.h"
#include "base/result.h"
#include "channel/connection.h"
#include "guest/agent/event.h"
#include "guest/agent/output_ring.h"
#include "guest/agent/requests.h"
#include "guest/agent/spawn.h"

#include <asio/posix/stream_descriptor.hpp>
#include <memory>
#include <optional>
#include <string>

namespace coldframe::guest {

/// One program with its terminal or pipes. It outlives the stream that asked for it: a terminal is drained
/// into a ring while nobody is attached, and the exit status waits until it was fetched. A later attachment
/// replaces an earlier one and first gets the ring again. On the io_context's thread; owned by shared_ptr.
class ExecSession : public std::enable_shared_from_this<ExecSession>
{
public:
    static constexpr std::size_t kRingBytes = 256 * 1024;

    /// `spec` carries argv, environment, cwd and account; terminal and pipes are made here.
    static Result<std::shared_ptr<ExecSession>> start(asio::io_context& io, Reaper& reaper,
                                                      const ExecRequest& request, SpawnSpec spec);
    explicit ExecSession(asio::io_context& io) : m_io(io), m_changed(io), m_room(io), m_inputReady(io) {}

    /// Serves the stream until it ends or another attachment takes over.
    asio::awaitable<void> attach(channel::StreamPtr stream);

    bool hasEnded() const { return m_ended; }
    /// The Exit frame was written to an attached stream.
    bool isDelivered() const { return m_delivered; }
    /// The program's whole group.
    void killGroup(int signal);

private:
    using Descriptor = asio::posix::stream_descriptor;

    static asio::awaitable<void> drain(std::shared_ptr<ExecSession> self, Descriptor& from,
                                       ExecFrameType type);
    static asio::awaitable<void> feed(std::shared_ptr<ExecSession> self);
    static asio::awaitable<void> conclude(std::shared_ptr<ExecSession> self);
    static asio::awaitable<void> sendOutput(std::shared_ptr<ExecSession> self, channel::StreamPtr stream,
                                            std::uint64_t attachment);
    static asio::awaitable<void> endGroup(std::shared_ptr<ExecSession> self);
    void apply(const ExecFrame& frame);
    void detach(std::uint64_t attachment, bool lost);
    bool isBacklogged() const;

    asio::io_context& m_io;
    Event m_changed;                    ///< ring, end or attachment changed
    Event m_room;                       ///< the reader of the ring or the program's input moved on
    Event m_inputReady;                 ///< m_input or m_inputEnded changed
    std::optional<Descriptor> m_input;  ///< the terminal, or the pipe to standard input
    std::optional<Descriptor> m_output; ///< without a terminal
    std::optional<Descriptor> m_error;
    bool m_tty = false;
    bool m_keepOpen = false;
    pid_t m_pid = -1;
    int m_openOutputs = 0;
    OutputRing m_ring;
    std::string m_pendingInput;
    bool m_inputEnded = false;
    channel::StreamPtr m_stream;
    std::uint64_t m_attachment = 0; ///< counts attachments; 0 before the first
    std::uint64_t m_sent = 0;       ///< offset in the ring up to which the attached stream took it
    std::optional<int> m_status;    ///< of waitpid
    bool m_ended = false;
    bool m_delivered = false;
};

} // namespace coldframe::guest
