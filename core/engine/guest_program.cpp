// SPDX-License-Identifier: Apache-2.0
#include "engine/guest_program.h"

#include "api/protocol.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/deadline.h"

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::uint32_t kCancel = 8; // RFC 9113, section 7

/// What the two coroutines beside the reader tell it.
struct Course
{
    bool isOver = false;   ///< the reader is through
    bool feederEnded = false;
    bool watcherEnded = false;
    std::optional<Error> inputError;
};

asio::awaitable<void> feed(asio::thread_pool& pool, channel::StreamPtr stream, std::function<Result<std::string>()> input,
                           std::shared_ptr<Course> course)
{
    while (input && !course->isOver) {
        auto read = [input] { return input(); };
        Result<std::string> piece = co_await onPool(pool, std::move(read));
        if (!piece) {
            course->inputError = piece.error();
            stream->reset(kCancel);
        }
        if (!piece || piece->empty()) {
            break;
        }
        const std::string frames = encodeExecFrame(ExecFrameType::Stdin, *piece);
        const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(frames.data()), frames.size());
        const Result<void> written = co_await stream->write(bytes);
        if (!written) {
            break;
        }
    }
    if (!course->isOver && !course->inputError) {
        const std::string end = encodeExecFrame(ExecFrameType::StdinEnd, "");
        const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(end.data()), end.size());
        (void)co_await stream->write(bytes);
    }
    course->feederEnded = true;
}

asio::awaitable<void> watch(channel::StreamPtr stream, Steps steps, std::shared_ptr<Course> course)
{
    while (!course->isOver && !steps.isCancelled()) {
        co_await pause(100ms);
    }
    if (!course->isOver) {
        stream->reset(kCancel);
    }
    course->watcherEnded = true;
}

asio::awaitable<Result<ExecExit>> readToEnd(channel::StreamPtr stream, asio::thread_pool& pool,
                                              std::function<void(std::string_view)> output,
                                              std::function<Result<void>(std::string_view)> take)
{
    ExecFrameDecoder decoder;
    std::array<std::uint8_t, 32 * 1024> buffer;
    for (;;) {
        const Result<std::size_t> got = co_await stream->read(buffer);
        if (!got || *got == 0) {
            co_return fail(ErrorCode::Closed, "The microVM ended while a program ran in it.", got ? std::string() : got.error().message);
        }
        decoder.feed({reinterpret_cast<const char*>(buffer.data()), *got});
        for (;;) {
            Result<std::optional<ExecFrame>> frame = decoder.next();
            if (!frame) {
                co_return tl::unexpected(frame.error());
            }
            if (!*frame) {
                break;
            }
            const ExecFrame& taken = **frame;
            if (taken.type == ExecFrameType::Exit) {
                co_return decodeExit(taken.payload);
            }
            if (taken.type == ExecFrameType::Failure) {
                co_return tl::unexpected(api::decodeFailure(taken.payload));
            }
            if (take && taken.type == ExecFrameType::Stdout) {
                auto give = [&take, &taken] { return take(taken.payload); };
                const Result<void> given = co_await onPool(pool, std::move(give));
                if (!given) {
                    stream->reset(kCancel);
                    co_return tl::unexpected(given.error());
                }
                continue;
            }
            if (output && (taken.type == ExecFrameType::Stdout || taken.type == ExecFrameType::Stderr)) {
                output(taken.payload);
            }
        }
    }
}

} // namespace

asio::awaitable<Result<ExecExit>> runInGuest(EngineParts& parts, std::shared_ptr<Sandbox> sandbox, GuestProgram program, Steps steps)
{
    json specification{{"id", randomHex(8)},        {"argv", program.argv}, {"environment", program.environment},
                       {"cwd", program.folder},     {"tty", false},         {"user", program.asAgent ? "agent" : "root"},
                       {"waitWorkspace", false}};
    Result<channel::StreamPtr> stream = co_await sandbox->exec(std::move(specification));
    if (!stream) {
        co_return tl::unexpected(stream.error());
    }
    const auto course = std::make_shared<Course>();
    asio::co_spawn(parts.io, feed(parts.pool, *stream, program.input, course), asio::detached);
    asio::co_spawn(parts.io, watch(*stream, steps, course), asio::detached);
    Result<ExecExit> ended = co_await readToEnd(*stream, parts.pool, program.output, program.take);
    course->isOver = true;
    if (!course->feederEnded) {
        (*stream)->reset(kCancel); // the program is through and needs no more
    }
    // Both use what the caller owns.
    while (!course->feederEnded || !course->watcherEnded) {
        co_await pause(10ms);
    }
    if (steps.isCancelled()) {
        co_return fail(ErrorCode::Cancelled, "It was stopped.");
    }
    if (course->inputError) {
        co_return tl::unexpected(*course->inputError);
    }
    co_return ended;
}

} // namespace coldframe::engine
