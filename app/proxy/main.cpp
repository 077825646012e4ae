// SPDX-License-Identifier: Apache-2.0
// coldframe-proxy: one per sandbox, started by the engine with inherited descriptors; and one for each request for tokens.
#include "base/log.h"
#include "base/secret.h"
#include "proxy/server.h"
#include "proxy/token_client.h"

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <csignal>
#include <openssl/ssl.h>
#include <sys/prctl.h>
#include <time.h>

int main(int argc, char** argv)
{
    int exitCode = 1;
    const bool clean = coldframe::topCatchAll("proxy", [&] {
        int engineFd = -1;
        int dialFd = -1;
        int netFd = -1;
        int adoptFd = -1;
        CLI::App app("The network proxy of one Coldframe sandbox; started by coldframed.", "coldframe-proxy");
        int exchangeFd = -1;
        CLI::Option* engine = app.add_option("--engine-fd", engineFd, "stream socket to the engine");
        app.add_option("--dial-fd", dialFd, "packet socket to coldframe-dial")->required();
        app.add_option("--net-fd", netFd, "the sandbox's net port")->needs(engine);
        app.add_option("--adopt-fd", adoptFd, "listening socket for a restarted engine")->needs(engine);
        app.add_option("--exchange-fd", exchangeFd, "instead of all but --dial-fd: one request for tokens")->excludes(engine);
        try {
            app.parse(argc, argv);
            if (exchangeFd < 0 && (engineFd < 0 || netFd < 0)) {
                throw CLI::RequiredError("--engine-fd and --net-fd");
            }
        } catch (const CLI::ParseError& error) {
            exitCode = app.exit(error);
            return;
        }
        coldframe::forbidCoreDumps();
        std::signal(SIGPIPE, SIG_IGN);
        // What would open files later is done now: time zone, OpenSSL's tables. Its configuration file is not read at all.
        ::tzset();
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);

        asio::io_context io(1);
        if (exchangeFd >= 0) {
            coldframe::proxy::startTokenClient(io, coldframe::UniqueFd(exchangeFd), coldframe::UniqueFd(dialFd), [&io] { io.stop(); });
            exitCode = 0;
            io.run();
            return;
        }
        coldframe::proxy::ProxyServer::Options options;
        options.onEnd = [&](int code) {
            exitCode = code;
            io.stop();
        };
        coldframe::proxy::ProxyDescriptors descriptors{coldframe::UniqueFd(engineFd), coldframe::UniqueFd(dialFd),
                                                       coldframe::UniqueFd(netFd), coldframe::UniqueFd(adoptFd)};
        coldframe::proxy::ProxyServer server(io, std::move(descriptors), std::move(options));
        server.start();
        exitCode = 0;
        io.run();
    });
    return clean ? exitCode : 1;
}
