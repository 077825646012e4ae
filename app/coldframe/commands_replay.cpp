// SPDX-License-Identifier: Apache-2.0
// replay: plays a recording in this terminal.
#include "commands.h"
#include "interrupts.h"
#include "output.h"
#include "raw_terminal.h"

#include "terminal/asciicast.h"
#include "terminal/redraw.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <chrono>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <unistd.h>

namespace coldframe::cli {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::size_t kMaxFile = std::size_t{1} << 30;
constexpr microseconds kFrame{33'000};

/// Plays into a terminal of its own and draws what that shows: so nothing in a recording, which may come from anybody, can ask
/// this terminal anything, touch its clipboard or change its keyboard.
class Player
{
public:
    Player(const terminal::CastReader& cast, const ReplayOptions& options)
        : m_cast(cast), m_options(options), m_screen(cast.header().rows, cast.header().columns, {}, terminal::ScrollbackLimits{0, 0})
    {
    }

    int play()
    {
        const RawTerminal raw;
        Interrupts::clear();
        print("\x1b[?1049h");
        std::int64_t shown = 0; // of the recording, microseconds
        Clock::time_point last = Clock::now();
        draw();
        while (m_next < m_cast.events().size() && !m_isOver) {
            wait();
            const Clock::time_point now = Clock::now();
            if (!m_isPaused) {
                shown += static_cast<std::int64_t>(static_cast<double>(std::chrono::duration_cast<microseconds>(now - last).count()) * m_options.speed);
                shown = std::max(shown, m_cast.events()[m_next].microseconds - longestWait());
                feedUntil(shown);
            }
            last = now;
        }
        RawTerminal::resetScreen();
        return m_signal == 0 ? kOk : 128 + m_signal;
    }

private:
    std::int64_t longestWait() const { return static_cast<std::int64_t>(m_options.longestWait * 1e6); }

    void feedUntil(std::int64_t time)
    {
        const std::size_t first = m_next;
        for (; m_next < m_cast.events().size() && m_cast.events()[m_next].microseconds <= time; ++m_next) {
            const terminal::CastEvent& event = m_cast.events()[m_next];
            if (event.kind == terminal::CastEvent::Kind::Resize) {
                m_screen.resize(event.rows, event.columns);
            } else {
                m_screen.feed(event.output);
            }
        }
        if (m_next != first) {
            draw();
        }
    }

    void draw()
    {
        const TerminalSize size = terminalSize();
        terminal::ViewOptions view;
        view.rows = size.rows;
        view.columns = size.columns;
        print(terminal::drawView(m_screen, view));
    }

    /// One frame, or until a key.
    void wait()
    {
        std::array<pollfd, 2> watched{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{Interrupts::fd(), POLLIN, 0}};
        ::poll(watched.data(), watched.size(), static_cast<int>(kFrame.count() / 1000));
        while (const int signal = Interrupts::take()) {
            if (signal == SIGWINCH) {
                print("\x1b[2J");
                draw();
            } else if (signal != SIGCONT && signal != SIGTSTP) {
                m_signal = signal;
                m_isOver = true;
            }
        }
        if ((watched[0].revents & (POLLIN | POLLHUP)) == 0) {
            return;
        }
        std::array<char, 64> keys;
        const ssize_t size = ::read(STDIN_FILENO, keys.data(), keys.size());
        m_isOver = m_isOver || size == 0;
        for (ssize_t i = 0; i < size; ++i) {
            const char key = keys[static_cast<std::size_t>(i)];
            m_isPaused = m_isPaused != (key == ' ');
            m_isOver = m_isOver || key == 'q' || key == '\x03' || key == '\x04';
        }
    }

    static void print(std::string_view text)
    {
        while (!text.empty()) {
            const ssize_t size = ::write(STDOUT_FILENO, text.data(), text.size());
            if (size > 0) {
                text.remove_prefix(static_cast<std::size_t>(size));
            } else if (errno != EINTR && errno != EAGAIN) {
                return;
            }
        }
    }

    const terminal::CastReader& m_cast;
    ReplayOptions m_options;
    terminal::Terminal m_screen;
    std::size_t m_next = 0;
    bool m_isPaused = false;
    bool m_isOver = false;
    int m_signal = 0;
};

} // namespace

Result<int> replayCommand(const ReplayOptions& options)
{
    if (!::isatty(STDIN_FILENO) || !::isatty(STDOUT_FILENO)) {
        return fail(ErrorCode::InvalidArgument, "A recording is played in a terminal, and here is none.");
    }
    std::ifstream file(options.file, std::ios::binary | std::ios::ate);
    if (!file) {
        return failErrno("The recording " + options.file + " cannot be read.", errno);
    }
    if (file.tellg() < 0 || static_cast<std::size_t>(file.tellg()) > kMaxFile) {
        return fail(ErrorCode::InvalidArgument, options.file + " is too large for a recording: more than 1 GiB.");
    }
    file.seekg(0);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    COLDFRAME_TRY(const terminal::CastReader cast, terminal::CastReader::read(text));
    const int code = Player(cast, options).play();
    if (cast.isCut()) {
        printNote("The end of " + options.file + " was left out: it is damaged, or too long.");
    }
    return code;
}

void addReplayOptions(CLI::App& command, ReplayOptions& options)
{
    command.add_option("FILE", options.file, "A recording in the format asciicast v2")->required();
    command.add_option("--speed", options.speed, "Times as fast (default: 1)")->check(CLI::Range(0.1, 100.0));
    command.add_option("--longest-wait", options.longestWait, "Wait at most this many seconds for what comes next (default: 3)")->check(CLI::Range(0.0, 86400.0));
    command.footer("Space stops it and lets it go on, q ends it.");
}

} // namespace coldframe::cli
