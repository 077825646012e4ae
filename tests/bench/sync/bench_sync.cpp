// SPDX-License-Identifier: Apache-2.0
// Figures beside a peer's from the same run: the first copy beside `cp -a` and rsync, the latency of one file both
// ways, and a cycle with nothing to do. Usage: bench_sync [FILES [BYTES-PER-FILE]]
#include "base/process.h"
#include "sync/endpoint.h"
#include "sync/session.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

using namespace coldframe;
using namespace coldframe::sync;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double timed(std::vector<std::string> arguments)
{
    SystemProcessRunner runner;
    ProcessSpec spec;
    spec.arguments = std::move(arguments);
    const auto start = Clock::now();
    const auto result = runner.run(spec);
    return result && result->exitCode == 0 ? since(start) : -1;
}

double latency(const fs::path& from, const fs::path& to)
{
    std::vector<double> all;
    for (int i = 0; i < 30; ++i) {
        const std::string name = "bench-" + from.filename().native() + std::to_string(i);
        const auto start = Clock::now();
        std::ofstream(from / name) << "x";
        while (!fs::exists(to / name)) {
            std::this_thread::sleep_for(std::chrono::microseconds(300));
        }
        all.push_back(since(start) * 1000);
    }
    std::sort(all.begin(), all.end());
    return all[28];
}

} // namespace

int main(int count, char** arguments)
{
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const int files = count > 1 ? std::atoi(arguments[1]) : 5000;
    const std::size_t bytes = count > 2 ? static_cast<std::size_t>(std::atoi(arguments[2])) : 6000;
    std::string pattern = (fs::temp_directory_path() / "coldframe-bench-XXXXXX").native();
    const fs::path base = ::mkdtemp(pattern.data());
    const fs::path host = base / "host";
    const fs::path guest = base / "guest";
    for (int i = 0; i < files; ++i) {
        const fs::path path = host / ("d" + std::to_string(i % (files / 10 + 1))) / ("f" + std::to_string(i));
        fs::create_directories(path.parent_path());
        std::ofstream(path) << i << std::string(bytes, static_cast<char>('a' + i % 26));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50)); // so that no file is too young for its stamp
    const double cp = timed({"cp", "-a", host.native(), (base / "copy").native()});
    const double rsync = timed({"rsync", "-a", host.native() + "/", (base / "rsync").native()});

    SessionOptions options;
    options.root = host;
    options.stateFolder = base / "state";
    options.trashFolder = base / "trash";
    auto session = Session::open(std::move(options));
    int pair[2];
    if (!session || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return 1;
    }
    auto start = Clock::now();
    std::thread endpoint([&] {
        EndpointOptions guestOptions;
        guestOptions.stagingFolder = base / "guest-staging";
        runEndpoint(pair[1], guest, guestOptions);
    });
    (*session)->start(UniqueFd(pair[0]), {"disk", "g"});
    while (!(*session)->status().workspaceComplete) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const double first = since(start);
    (void)(*session)->flush(std::chrono::minutes(2));
    const double flushed = since(start);
    start = Clock::now();
    for (int i = 0; i < 10; ++i) {
        (void)(*session)->flush(std::chrono::minutes(1));
    }
    const double quiet = since(start) / 10;
    std::printf("files                      %d x %zu bytes\n", files, bytes);
    std::printf("first copy                 %.2f s (flushed to disk %.2f s)\n", first, flushed);
    std::printf("cp -a                      %.2f s   ratio %.1f\n", cp, first / cp);
    if (rsync > 0) {
        std::printf("rsync -a                   %.2f s   ratio %.1f\n", rsync, first / rsync);
    }
    std::printf("cycle with nothing to do   %.0f ms (with both flushes)\n", quiet * 1000);
    std::printf("one file, host to guest    %.0f ms p95\n", latency(host, guest));
    std::printf("one file, guest to host    %.0f ms p95\n", latency(guest, host));
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf("memory, both sides         %ld MB\n", usage.ru_maxrss / 1024);
    (*session)->stop();
    endpoint.join();
    session->reset();
    fs::remove_all(base);
    return 0;
}
