// SPDX-License-Identifier: Apache-2.0
// coldframe-dial: see core/dial/dialler.h. Started by the engine with two inherited descriptors; never by hand.
#include "base/log.h"
#include "dial/dialler.h"
#include "dial/script_evaluator.h"

#include <asio/post.hpp>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <unistd.h>

namespace {

/// The descriptor given as `--name N`, or -1.
int descriptorArgument(int argc, char** argv, const char* name)
{
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], name) == 0) {
            int fd = -1;
            const char* end = argv[i + 1] + std::strlen(argv[i + 1]);
            const auto result = std::from_chars(argv[i + 1], end, fd);
            if (result.ec == std::errc() && result.ptr == end && fd > 2 && ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
                return fd;
            }
        }
    }
    return -1;
}

int run(int argc, char** argv)
{
    coldframe::UniqueFd engineFd(descriptorArgument(argc, argv, "--engine-fd"));
    coldframe::UniqueFd proxyFd(descriptorArgument(argc, argv, "--proxy-fd"));
    if (!engineFd || !proxyFd || engineFd.get() == proxyFd.get()) {
        coldframe::logError("dial", "coldframe-dial is started by the engine, with --engine-fd and --proxy-fd");
        return 2;
    }
    // Names are absolute: the host's search list must not turn one allowed name into another.
    ::setenv("LOCALDOMAIN", "", 1);
    ::setenv("RES_OPTIONS", "timeout:3 attempts:2", 1);
    // TLS towards a proxy reads no file later; its configuration file is not read at all.
    ::OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    auto scripts = coldframe::dial::startScriptEvaluator();
    if (!scripts) {
        coldframe::logWarning("dial", scripts.error().message + ": " + scripts.error().detail);
    }
    if (const auto confined = coldframe::dial::confineDialler(); !confined) {
        coldframe::logError("dial", confined.error().message + ": " + confined.error().detail);
        return 1;
    }
    asio::io_context io(1);
    const auto work = asio::make_work_guard(io);
    auto resolver = coldframe::dial::makeSystemResolver(
        [&io](std::function<void()> call) { asio::post(io, std::move(call)); });
    coldframe::dial::Dialler dialler(io, std::move(engineFd), std::move(proxyFd), std::move(resolver), {},
                                     [&io] { io.stop(); }, scripts ? std::move(*scripts) : coldframe::UniqueFd());
    dialler.start();
    io.run();
    // A look-up may hang for seconds, and there is nothing to tidy up.
    ::_exit(0);
}

} // namespace

int main(int argc, char** argv)
{
    int status = 1;
    coldframe::topCatchAll("dial", [&] { status = run(argc, argv); });
    return status;
}
