// SPDX-License-Identifier: Apache-2.0
#include "terminal_attach.h"

#include "api/protocol.h"
#include "base/exec_frames.h"
#include "interrupts.h"
#include "output.h"
#include "raw_terminal.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace coldframe::cli {

namespace {

constexpr int kHoldMilliseconds = 500; ///< a first detach key waits so long for the second
constexpr std::size_t kMaxPending = 256 * 1024; ///< unsent input; more is left in the pipe it comes from

/// The state of one attachment. Single-threaded.
class Attached
{
public:
    Attached(int socket, AttachOptions options) : m_socket(socket), m_options(std::move(options)) {}
    ~Attached();
    Attached(const Attached&) = delete;
    Attached& operator=(const Attached&) = delete;
    Result<int> run();

private:
    void sendSize();
    void readInput();
    void passOn(std::string_view typed);
    void leaveSession();
    void handleSignals();
    Result<void> sendPending();
    Result<void> receive();
    Result<void> handleFrame(const ExecFrame& frame);
    void writeOut(int fd, std::string_view data);

    int m_socket;
    AttachOptions m_options;
    std::unique_ptr<RawTerminal> m_raw;
    ExecFrameDecoder m_decoder;
    std::string m_pending;
    std::optional<int> m_exitCode;
    int m_interruptsForwarded = 0;
    bool m_inputOpen = false;
    bool m_isDetached = false;
};

Result<int> Attached::run()
{
    ::fcntl(m_socket, F_SETFL, ::fcntl(m_socket, F_GETFL) | O_NONBLOCK);
    Interrupts::clear();
    const int signals = Interrupts::fd();
    if (m_options.recording) {
        const TerminalSize size = terminalSize();
        m_options.recording->begin(size.rows, size.columns, m_options.title);
        printNote("Recording what is shown here to " + m_options.recording->file() + ".");
    }
    if (m_options.tty) {
        sendSize();
        if (m_options.interactive && ::isatty(STDIN_FILENO)) {
            m_raw = std::make_unique<RawTerminal>();
        }
    }
    m_inputOpen = m_options.interactive;
    if (!m_inputOpen && !m_options.readOnly) {
        m_pending += encodeExecFrame(ExecFrameType::StdinEnd, {});
    }
    while (!m_exitCode) {
        const bool takeInput = m_inputOpen && m_pending.size() < kMaxPending;
        std::array<pollfd, 3> watched{
            pollfd{m_socket, static_cast<short>(m_pending.empty() ? POLLIN : POLLIN | POLLOUT), 0},
            pollfd{signals, POLLIN, 0}, pollfd{takeInput ? STDIN_FILENO : -1, POLLIN, 0}};
        const int ready = ::poll(watched.data(), watched.size(), m_options.detachKeys.isHolding() ? kHoldMilliseconds : -1);
        if (ready < 0 && errno != EINTR) {
            return failErrno("Waiting for the terminal failed.", errno);
        }
        if (ready == 0) {
            passOn(m_options.detachKeys.release());
        }
        handleSignals();
        if (watched[2].revents != 0) {
            readInput();
        }
        if (!m_pending.empty()) {
            COLDFRAME_CHECK(sendPending());
        }
        if (watched[0].revents & (POLLIN | POLLHUP | POLLERR)) {
            COLDFRAME_CHECK(receive());
        }
    }
    if (m_isDetached) {
        m_raw.reset();
        RawTerminal::resetScreen();
        printNote("Left the session; it goes on." + (m_options.attachAgain.empty() ? std::string() : " To come back: " + m_options.attachAgain));
    }
    return *m_exitCode;
}

Attached::~Attached()
{
    m_raw.reset(); // the note is for a terminal in its usual state
    if (!m_options.recording) {
        return;
    }
    if (const Result<void> finished = m_options.recording->finish(); !finished) {
        printError(finished.error());
    } else {
        printNote("Recorded to " + m_options.recording->file() + ". To see it: coldframe replay " + m_options.recording->file());
    }
}

void Attached::sendSize()
{
    const TerminalSize size = terminalSize();
    m_pending += encodeResize(size.rows, size.columns);
    if (m_options.recording) {
        m_options.recording->resize(size.rows, size.columns);
    }
}

void Attached::readInput()
{
    std::array<char, 16384> buffer;
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size > 0) {
        const std::string_view typed(buffer.data(), static_cast<std::size_t>(size));
        if (!m_raw) {
            passOn(typed);
            return;
        }
        const DetachKeys::Taken taken = m_options.detachKeys.take(typed);
        passOn(taken.passed);
        if (taken.isDetached) {
            leaveSession();
        }
    } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
        m_inputOpen = false;
        if (!m_options.readOnly) {
            m_pending += encodeExecFrame(ExecFrameType::StdinEnd, {});
        }
    }
}

void Attached::passOn(std::string_view typed)
{
    if (!typed.empty() && !m_options.readOnly) {
        m_pending += encodeExecFrame(ExecFrameType::Stdin, typed);
    }
}

/// The socket's end tells the sandbox; the program goes on there.
void Attached::leaveSession()
{
    m_isDetached = true;
    m_exitCode = kOk;
    (void)sendPending();
}

void Attached::handleSignals()
{
    while (const int signal = Interrupts::take()) {
        switch (signal) {
        case SIGWINCH:
        case SIGCONT:
            if (m_options.tty) {
                if (m_raw) {
                    m_raw->enter();
                }
                sendSize();
            }
            break;
        case SIGTSTP:
            if (m_raw) {
                m_raw->leave();
            }
            ::raise(SIGSTOP);
            break;
        default:
            // Without a terminal of its own the program gets the signal as if it ran here; who insists leaves it behind.
            if (m_options.tty || signal == SIGHUP || m_interruptsForwarded++ > 0) {
                m_exitCode = 128 + signal;
            } else {
                const char byte = static_cast<char>(signal);
                m_pending += encodeExecFrame(ExecFrameType::Signal, {&byte, 1});
                Interrupts::clear();
            }
            break;
        }
    }
}

Result<void> Attached::sendPending()
{
    const ssize_t size = ::send(m_socket, m_pending.data(), m_pending.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0) {
        m_pending.erase(0, static_cast<std::size_t>(size));
    } else if (size < 0 && errno == EPIPE) {
        m_pending.clear(); // the program's end is still to be read
        m_inputOpen = false;
    } else if (size < 0 && errno != EAGAIN && errno != EINTR) {
        return failErrno("The connection to the sandbox broke.", errno);
    }
    return {};
}

Result<void> Attached::receive()
{
    std::array<char, 65536> buffer;
    const ssize_t size = ::recv(m_socket, buffer.data(), buffer.size(), 0);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        return fail(ErrorCode::Closed, "The connection to the sandbox broke; the program may still be running there.");
    }
    m_decoder.feed({buffer.data(), static_cast<std::size_t>(size > 0 ? size : 0)});
    while (!m_exitCode) {
        COLDFRAME_TRY(const std::optional<ExecFrame> frame, m_decoder.next());
        if (!frame) {
            break;
        }
        COLDFRAME_CHECK(handleFrame(*frame));
    }
    return {};
}

Result<void> Attached::handleFrame(const ExecFrame& frame)
{
    switch (frame.type) {
    case ExecFrameType::Stdout:
        if (m_options.recording) {
            m_options.recording->output(frame.payload);
        }
        writeOut(STDOUT_FILENO, frame.payload);
        break;
    case ExecFrameType::Stderr: writeOut(STDERR_FILENO, frame.payload); break;
    case ExecFrameType::Exit: {
        COLDFRAME_TRY(const ExecExit exit, decodeExit(frame.payload));
        m_exitCode = exit.signal != 0 ? 128 + exit.signal : exit.exitCode;
        break;
    }
    case ExecFrameType::Failure: return tl::unexpected(api::decodeFailure(frame.payload));
    default: break;
    }
    return {};
}

void Attached::writeOut(int fd, std::string_view data)
{
    while (!data.empty() && !m_exitCode) {
        const ssize_t size = ::write(fd, data.data(), data.size());
        if (size > 0) {
            data.remove_prefix(static_cast<std::size_t>(size));
        } else if (errno == EAGAIN) {
            pollfd writable{fd, POLLOUT, 0};
            ::poll(&writable, 1, 1000);
        } else if (errno != EINTR) {
            // The reader is gone (`| head`): as if the signal had ended us, since nothing more can be shown.
            m_exitCode = 128 + SIGPIPE;
        }
        if (Interrupts::shouldEnd()) {
            handleSignals();
        }
    }
}

} // namespace

Result<int> attachStreams(int socket, AttachOptions options)
{
    const std::string again = options.attachAgain;
    const bool tty = options.tty;
    Attached attached(socket, std::move(options));
    Result<int> code = attached.run();
    // An end that the program did not choose leaves the screen in whatever mode it had set.
    if (tty && (!code || *code > 128) && Interrupts::shouldEnd()) {
        RawTerminal::resetScreen();
    } else if (tty && !code && code.error().code == ErrorCode::Closed) {
        RawTerminal::resetScreen();
        if (!again.empty()) {
            printNote("A session outlives this. To come back: " + again);
        }
    }
    return code;
}

int attachExitCode(const Error& error)
{
    switch (error.code) {
    case ErrorCode::NotFound: return kNoProgram;
    case ErrorCode::NotAllowed: return kCannotRun;
    default: return kStreamFailed;
    }
}

} // namespace coldframe::cli
