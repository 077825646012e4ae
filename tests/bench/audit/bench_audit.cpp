// SPDX-License-Identifier: Apache-2.0
// What a long connection log costs: writing it entry by entry, the usual questions to it, and the aggregated view, each beside the time
// it should stay within. Argument: entries (default 1,000,000).
#include "audit/connection_log.h"
#include "audit/log_reader.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdlib.h>

using namespace coldframe;
using namespace coldframe::audit;

namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

Connection sample(std::int64_t i)
{
    Connection c;
    const std::int64_t host = i % 10 < 7 ? i % 20 : (i * 7919) % 2000; // a few hosts get most, as agents do
    c.sandbox = "5a1e00aa112233" + std::to_string(10 + i % 4);
    c.source = "process";
    c.kind = "name";
    c.process = i % 3 == 0 ? "node npm-cli.js" : "claude";
    c.host = "host" + std::to_string(host) + ".registry.example.com";
    c.port = 443;
    c.address = "203.0.113.7:443";
    c.method = i % 5 == 0 ? "POST" : "GET";
    c.path = i == 12345 ? "/needle-in-the-haystack" : "/packages/" + std::to_string(i) + "/archive.tgz";
    c.status = i % 50 == 0 ? 404 : 200;
    c.bytesIn = 5120;
    c.bytesOut = 640;
    c.durationMs = 35;
    c.verdict = i % 40 == 0 ? "denied" : "allowed";
    c.rule = "allow *.registry.example.com (preset)";
    c.reason = "A preset of Coldframe allows this host.";
    c.inspected = true;
    c.protocol = "https";
    c.how = "intercepted";
    return c;
}

bool g_failed = false;

template <typename F> void report(const char* what, double limitMilliseconds, F ask)
{
    const auto start = Clock::now();
    const auto found = ask();
    const double took = millisecondsSince(start);
    if (!found) {
        std::fprintf(stderr, "%s: %s\n", what, found.error().message.c_str());
        g_failed = true;
        return;
    }
    std::printf("  %-44s %9.1f ms   limit %6.0f ms   %5.2f of it   %zu rows\n", what, took, limitMilliseconds, took / limitMilliseconds, found->size());
}

} // namespace

int main(int argc, char** argv)
{
    const std::int64_t entries = argc > 1 ? std::atoll(argv[1]) : 1'000'000;
    char folder[] = "/var/tmp/bench_audit.XXXXXX";
    if (!::mkdtemp(folder)) {
        return 1;
    }
    const std::filesystem::path file = std::filesystem::path(folder) / "audit.sqlite";
    LogLimits limits;
    limits.maxBytes = std::int64_t{16} << 30;
    auto opened = ConnectionLog::open(file, limits);
    if (!opened) {
        return 1;
    }
    const auto start = Clock::now();
    double slowest = 0;
    for (std::int64_t i = 0; i < entries; ++i) {
        const auto one = Clock::now();
        if (!opened->log->append(sample(i))) {
            return 1;
        }
        slowest = std::max(slowest, millisecondsSince(one));
    }
    const double took = millisecondsSince(start);
    std::error_code ignored;
    std::printf("%lld entries written one by one: %.1f us each (limit 200), slowest %.1f ms, %.0f MiB\n", static_cast<long long>(entries),
                took * 1000 / static_cast<double>(entries), slowest, static_cast<double>(std::filesystem::file_size(file, ignored)) / 1048576);
    auto reader = LogReader::open(file);
    if (!reader) {
        return 1;
    }
    const auto query = [&](const char* what, double limit, auto change) {
        Query wanted;
        wanted.limit = 500;
        change(wanted);
        report(what, limit, [&] { return reader->find(wanted); });
    };
    std::printf("questions, 500 entries at most:\n");
    query("the newest of a sandbox", 50, [](Query& q) { q.sandbox = "5a1e00aa11223310"; });
    query("a page from the middle", 50, [&](Query& q) { q.beforeId = entries / 2; });
    query("blocked", 50, [](Query& q) { q.verdict = "denied"; });
    query("one rare host", 500, [](Query& q) { q.host = "host1999.registry.example.com"; });
    query("one busy host", 500, [](Query& q) { q.host = "host7.registry.example.com"; });
    query("hosts by a pattern", 500, [](Query& q) { q.host = "*9.registry.example.com"; });
    query("the last hour, status 4xx", 500, [](Query& q) {
        q.since = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count() - 3600;
        q.status = "4xx";
    });
    query("a text that is often there", 50, [](Query& q) { q.text = "archive"; });
    query("a text that is there once, long ago", 2000, [](Query& q) { q.text = "needle"; });
    std::printf("aggregated by host and rule:\n");
    const auto summary = [&](const char* what, double limit, auto change) {
        Query wanted;
        change(wanted);
        report(what, limit, [&] { return reader->summary(wanted); });
    };
    summary("all", 50, [](Query&) {});
    summary("one sandbox, blocked", 50, [](Query& q) {
        q.sandbox = "5a1e00aa11223310";
        q.verdict = "denied";
    });
    summary("by a text, counted from the entries", 4000, [](Query& q) { q.text = "archive"; });
    std::filesystem::remove_all(folder, ignored);
    return g_failed ? 1 : 0;
}
