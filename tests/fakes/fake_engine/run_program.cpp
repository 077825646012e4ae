// SPDX-License-Identifier: Apache-2.0
#include "fake_engine.h"

#include "api/attachment_io.h"
#include "base/exec_frames.h"

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::fakes {

using nlohmann::json;

namespace {

/// The program and its ends here. Without a PTY stdin, stdout and stderr are pipes.
struct Program
{
    explicit Program(const asio::any_io_executor& executor, api::AttachmentSocket peer)
        : socket(std::move(peer)), input(executor), output(executor), errors(executor)
    {
    }
    api::AttachmentSocket socket;
    asio::posix::stream_descriptor input;
    asio::posix::stream_descriptor output;
    asio::posix::stream_descriptor errors;
    pid_t pid = -1;
    bool tty = false;
    int openOutputs = 0;
    bool writing = false;
    bool ended = false; ///< the client is gone
    std::string unsent;
};

[[noreturn]] void execProgram(const json& request)
{
    std::vector<std::string> words = request["argv"].get<std::vector<std::string>>();
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    const json environment = request.value("environment", json::object());
    for (const auto& [name, value] : environment.items()) {
        ::setenv(name.c_str(), value.get<std::string>().c_str(), 1);
    }
    const std::string cwd = request.value("cwd", "");
    if (!cwd.empty() && ::chdir(cwd.c_str()) != 0) {
        ::_exit(126);
    }
    ::signal(SIGPIPE, SIG_DFL);
    ::execvp(arguments[0], arguments.data());
    ::_exit(errno == ENOENT ? 127 : 126);
}

bool startProgram(Program& program, const json& request)
{
    program.tty = request.value("tty", false);
    if (program.tty) {
        struct winsize size{};
        size.ws_row = static_cast<unsigned short>(request.value("rows", 24));
        size.ws_col = static_cast<unsigned short>(request.value("columns", 80));
        int master = -1;
        program.pid = ::forkpty(&master, nullptr, nullptr, &size);
        if (program.pid == 0) {
            execProgram(request);
        }
        if (program.pid < 0) {
            return false;
        }
        ::fcntl(master, F_SETFD, FD_CLOEXEC);
        program.input.assign(::fcntl(master, F_DUPFD_CLOEXEC, 3));
        program.output.assign(master);
        program.openOutputs = 1;
        return true;
    }
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0 ||
        ::pipe2(err.data(), O_CLOEXEC) != 0) {
        return false;
    }
    program.pid = ::fork();
    if (program.pid == 0) {
        ::setsid();
        ::dup2(in[0], 0);
        ::dup2(out[1], 1);
        ::dup2(err[1], 2);
        execProgram(request);
    }
    ::close(in[0]);
    ::close(out[1]);
    ::close(err[1]);
    program.input.assign(in[1]);
    program.output.assign(out[0]);
    program.errors.assign(err[0]);
    program.openOutputs = 2;
    return program.pid > 0;
}

/// Both outputs and the exit share the socket: whoever finds no write under way drains what has gathered.
asio::awaitable<void> sendFrames(std::shared_ptr<Program> program, std::string frames)
{
    program->unsent += frames;
    while (!program->writing && !program->unsent.empty() && !program->ended) {
        program->writing = true;
        std::string batch = std::exchange(program->unsent, {});
        Result<void> sent = co_await api::writeFrames(program->socket, std::move(batch));
        program->writing = false;
        program->ended = program->ended || !sent;
    }
}

asio::awaitable<void> pumpOutput(std::shared_ptr<Program> program, bool isErrors)
{
    asio::posix::stream_descriptor& source = isErrors ? program->errors : program->output;
    const ExecFrameType type = isErrors ? ExecFrameType::Stderr : ExecFrameType::Stdout;
    std::array<char, 16384> buffer;
    for (;;) {
        std::error_code error;
        const std::size_t size = co_await source.async_read_some(asio::buffer(buffer),
                                                                 asio::redirect_error(asio::use_awaitable, error));
        if (error || size == 0) {
            break;
        }
        co_await sendFrames(program, encodeExecFrame(type, {buffer.data(), size}));
    }
    if (--program->openOutputs > 0) {
        co_return;
    }
    int status = 0;
    asio::steady_timer pause(program->socket.get_executor());
    while (::waitpid(program->pid, &status, WNOHANG) == 0) {
        std::error_code ignored;
        pause.expires_after(std::chrono::milliseconds(5));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    program->pid = -1;
    const bool signalled = WIFSIGNALED(status);
    const int code = signalled ? 0 : WEXITSTATUS(status);
    if (code == 127 || code == 126) {
        const Error error{code == 127 ? ErrorCode::NotFound : ErrorCode::NotAllowed,
                          code == 127 ? "The program was not found in the sandbox."
                                      : "The program cannot be run in the sandbox.",
                          {}};
        co_await sendFrames(program, encodeExecFrame(ExecFrameType::Failure, api::encodeFailure(error)));
    } else {
        co_await sendFrames(program, encodeExit(code, signalled ? WTERMSIG(status) : 0));
    }
    std::error_code ignored;
    program->socket.shutdown(asio::socket_base::shutdown_both, ignored);
}

asio::awaitable<void> handleFrame(std::shared_ptr<Program> program, ExecFrame frame)
{
    std::error_code error;
    if (frame.type == ExecFrameType::Stdin && program->input.is_open()) {
        co_await asio::async_write(program->input, asio::buffer(frame.payload),
                                   asio::redirect_error(asio::use_awaitable, error));
    } else if (frame.type == ExecFrameType::StdinEnd && program->input.is_open() && !program->tty) {
        program->input.close(error);
    } else if (frame.type == ExecFrameType::Resize) {
        const Result<ExecResize> resize = decodeResize(frame.payload);
        if (resize && program->tty) {
            struct winsize size{};
            size.ws_row = static_cast<unsigned short>(resize->rows);
            size.ws_col = static_cast<unsigned short>(resize->columns);
            ::ioctl(program->output.native_handle(), TIOCSWINSZ, &size);
        }
    } else if (frame.type == ExecFrameType::Signal && frame.payload.size() == 1 && program->pid > 0) {
        ::kill(-program->pid, static_cast<unsigned char>(frame.payload[0]));
    }
}

} // namespace

asio::awaitable<void> runProgram(api::AttachmentSocket socket, json request)
{
    const asio::any_io_executor executor = socket.get_executor();
    auto program = std::make_shared<Program>(executor, std::move(socket));
    if (!startProgram(*program, request)) {
        co_return;
    }
    asio::co_spawn(executor, pumpOutput(program, false), asio::detached);
    if (!program->tty) {
        asio::co_spawn(executor, pumpOutput(program, true), asio::detached);
    }
    ExecFrameDecoder decoder;
    std::array<char, 16384> buffer;
    for (;;) {
        std::error_code error;
        const std::size_t size = co_await program->socket.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error || size == 0) {
            break;
        }
        decoder.feed({buffer.data(), size});
        for (;;) {
            Result<std::optional<ExecFrame>> frame = decoder.next();
            if (!frame || !frame->has_value()) {
                break;
            }
            co_await handleFrame(program, std::move(**frame));
        }
    }
    program->ended = true;
    if (program->pid > 0) {
        ::kill(-program->pid, SIGHUP);
    }
}

} // namespace coldframe::fakes
