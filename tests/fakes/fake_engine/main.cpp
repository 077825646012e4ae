// SPDX-License-Identifier: Apache-2.0
// fake-coldframed [--populate] [--tick MS] [--stage MS] [--emulate] [--no-image] [--kept-session] [--connections N] [--record FILE] [--socket PATH]
// Prints "ready" when it serves. Ends on SIGTERM, SIGINT, engine.shutdown, or when its standard input closes with
// --stdin-life.
#include "fake_engine.h"

#include "base/log.h"

#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <cstdio>
#include <string_view>
#include <unistd.h>

using namespace coldframe;

int main(int argc, char** argv)
{
    fakes::FakeOptions options;
    api::ServerOptions serverOptions;
    bool stdinLife = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word(argv[i]);
        const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
        if (word == "--populate") {
            options.populate = true;
        } else if (word == "--connections") {
            options.moreConnections = std::stoi(value());
        } else if (word == "--tick") {
            options.tickMilliseconds = std::stoi(value());
        } else if (word == "--stage") {
            options.stageMilliseconds = std::stoi(value());
        } else if (word == "--emulate") {
            options.emulate = true;
        } else if (word == "--no-image") {
            options.imageMissing = true;
        } else if (word == "--kept-session") {
            options.keptSession = true;
        } else if (word == "--record") {
            options.record = value();
        } else if (word == "--socket") {
            serverOptions.socketPath = value();
        } else if (word == "--stdin-life") {
            stdinLife = true;
        } else {
            std::fprintf(stderr, "fake-coldframed: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    asio::io_context io;
    fakes::FakeEngine engine(io, options);
    api::Server server(io, engine, serverOptions);
    if (const Result<void> started = server.start(); !started) {
        std::fprintf(stderr, "fake-coldframed: %s\n", started.error().message.c_str());
        return 1;
    }
    engine.attachTo(server);
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&io](std::error_code, int) { io.stop(); });
    asio::posix::stream_descriptor input(io);
    char byte = 0;
    if (stdinLife) {
        // A test that dies takes its engine along.
        input.assign(::dup(STDIN_FILENO));
        input.async_read_some(asio::buffer(&byte, 1), [&io](std::error_code, std::size_t) { io.stop(); });
    }
    std::puts("ready");
    std::fflush(stdout);
    topCatchAll("fake-coldframed", [&io] { io.run(); });
    server.stop();
    return 0;
}
