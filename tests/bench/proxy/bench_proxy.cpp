// SPDX-License-Identifier: Apache-2.0
// The proxy beside nginx, haproxy and mitmproxy (those that are installed), TLS to TLS, each on one processor, with the same
// client and origin on the others. Usage: bench_proxy [seconds per figure]; mitmproxy joins from one second on.
// The client side of the channel (a guest's part) runs in this process. Figures: a second by the clock, and a second of the
// proxy's own processor time, which says what one processor does also where the clients are too slow to fill it, or the machine busy.
#include "http2_peer.h"
#include "peers.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace proxytest;
using namespace proxybench;

namespace {

using Clock = std::chrono::steady_clock;
using Open = std::function<std::unique_ptr<Wire>()>;

constexpr std::size_t kBulk = 100u << 20;
constexpr std::size_t kShortBulk = 10u << 20;
const std::string kHost = "api.example.com";
const std::string kGet = "GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n";

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Figure
{
    double perSecond = 0;
    double perProcessorSecond = 0;
};

/// `work` in each of `threads` until the time is over; it returns how much it did, negative = failure.
Figure measure(int pid, double seconds, int threads, const std::function<double(const std::function<bool()>&)>& work)
{
    const double before = pid > 0 ? processorSeconds(pid) : 0;
    const auto start = Clock::now();
    std::vector<double> done(static_cast<std::size_t>(threads));
    std::vector<std::thread> workers;
    for (double& mine : done) {
        workers.emplace_back([&mine, &work, start, seconds] { mine = work([start, seconds] { return since(start) < seconds; }); });
    }
    double total = 0;
    for (std::size_t i = 0; i < workers.size(); ++i) {
        workers[i].join();
        total = done[i] < 0 || total < 0 ? -1 : total + done[i];
    }
    const double used = pid > 0 ? processorSeconds(pid) - before : 0;
    return {total / since(start), used > 0 ? total / used : 0};
}

double requests(const Open& open, const std::function<bool()>& more)
{
    const auto wire = open();
    double count = 0;
    while (more()) {
        if (!wire || !wire->write(kGet) || wire->readReply().status != 200) {
            return -1;
        }
        ++count;
    }
    return count;
}

double connections(const Open& open, const std::function<bool()>& more)
{
    double count = 0;
    while (more()) {
        const auto wire = open();
        if (!wire || !wire->write(kGet) || wire->readReply().status != 200) {
            return -1;
        }
        ++count;
    }
    return count;
}

double download(const Open& open, std::size_t size)
{
    const auto wire = open();
    if (!wire || !wire->write("GET /bulk-" + std::to_string(size) + " HTTP/1.1\r\nHost: api.example.com\r\n\r\n") || wire->readHead().empty()) {
        return -1;
    }
    std::size_t total = 0;
    while (total < size) {
        const std::string piece = wire->readSome();
        if (piece.empty()) {
            return -1;
        }
        total += piece.size();
    }
    return static_cast<double>(total) / 1e6;
}

/// The median of one request after the other on one connection, in microseconds.
double latency(const Open& open, double seconds)
{
    const auto wire = open();
    std::vector<double> times;
    const auto start = Clock::now();
    while (wire && (since(start) < seconds || times.size() < 20)) {
        const auto begun = Clock::now();
        if (!wire->write(kGet) || wire->readReply().status != 200) {
            return -1;
        }
        times.push_back(since(begun) * 1e6);
    }
    if (times.empty()) {
        return -1;
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

void answer(Wire& wire, Origin&)
{
    static const std::string small(1024, 's');
    static const std::string block(1u << 20, 'b');
    while (true) {
        const std::string head = wire.readHead();
        if (head.empty()) {
            return;
        }
        const bool isBulk = head.starts_with("GET /bulk-");
        const std::size_t size = isBulk ? std::stoul(head.substr(10)) : small.size();
        const std::string reply =
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
        wire.write(isBulk ? reply : reply + small);
        for (std::size_t sent = 0; isBulk && sent < size; sent += block.size()) {
            wire.write(block);
        }
    }
}

struct Row
{
    std::string name;
    Figure keepAlive;
    Figure fresh;
    Figure bulk;
    double median = 0;
};

Row run(const std::string& name, int pid, const Open& open, double seconds)
{
    Row row{.name = name, .keepAlive = {}, .fresh = {}, .bulk = {}};
    (void)requests(open, [first = true]() mutable { return std::exchange(first, false); }); // warm
    row.keepAlive = measure(pid, seconds, 8, [&](const auto& more) { return requests(open, more); });
    row.fresh = measure(pid, seconds, 4, [&](const auto& more) { return connections(open, more); });
    const int rounds = seconds < 1 ? 1 : 4;
    row.bulk = measure(pid, 0, 1, [&](const auto&) {
        double total = 0;
        for (int i = 0; i < rounds && total >= 0; ++i) {
            const double one = download(open, seconds < 1 ? kShortBulk : kBulk);
            total = one < 0 ? -1 : total + one;
        }
        return total;
    });
    row.median = latency(open, seconds);
    std::printf("%-10s %9.0f %9.0f   %8.0f %8.0f   %7.0f %7.0f   %7.0f\n", name.c_str(), row.keepAlive.perSecond,
                row.keepAlive.perProcessorSecond, row.fresh.perSecond, row.fresh.perProcessorSecond, row.bulk.perSecond,
                row.bulk.perProcessorSecond, row.median);
    std::fflush(stdout);
    return row;
}

/// 1,000 requests of HTTP/2 that have begun to be answered and go on: what the proxy's memory grows to.
long streamsMemory(Harness& harness, int streams)
{
    std::vector<std::unique_ptr<Wire>> wires;
    std::vector<std::unique_ptr<Http2Peer>> peers;
    std::vector<Http2StreamPtr> open;
    while (static_cast<int>(open.size()) < streams) {
        auto opened = harness.connect(kHost + ":8443");
        if (!opened.wire || !opened.wire->startTls(kHost, harness.caPem(), "h2")) {
            return -1;
        }
        wires.push_back(std::move(opened.wire));
        peers.push_back(std::make_unique<Http2Peer>(*wires.back(), coldframe::proxy::Http2Codec::Role::Client));
        Http2Peer& peer = *peers.back();
        const std::size_t first = open.size();
        for (int i = 0; i < 100; ++i) {
            open.push_back(peer.request("GET", kHost, "/events", false, {{"accept", "text/event-stream"}}));
        }
        const bool begun = peer.until([&] {
            return std::all_of(open.begin() + static_cast<std::ptrdiff_t>(first), open.end(),
                               [](const Http2StreamPtr& stream) { return stream && !stream->inbound().empty(); });
        });
        if (!begun) {
            return -1;
        }
    }
    return memoryKiB(harness.processId(), "VmRSS");
}

} // namespace

int main(int argc, char** argv)
{
    const double seconds = argc > 1 ? std::atof(argv[1]) : 3.0;
    std::string folder = (std::filesystem::temp_directory_path() / "coldframe-bench-XXXXXX").string();
    if (!::mkdtemp(folder.data())) {
        return 1;
    }
    const Certificate ca = makeCertificate({.name = "Bench CA", .isCa = true});
    const Certificate leaf = makeCertificate({.name = kHost, .issuer = &ca});
    std::ofstream(folder + "/own.pem") << leaf.certificatePem << leaf.keyPem;
    std::ofstream(folder + "/own.crt") << leaf.certificatePem;
    std::ofstream(folder + "/own.key") << leaf.keyPem;
    std::ofstream(folder + "/ca.pem") << ca.certificatePem;
    pin(0, -1);
    Origin origin(leaf, answer);
    Origin events(leaf, [](Wire& wire, Origin&) {
        Http2Peer peer(wire, coldframe::proxy::Http2Codec::Role::Server);
        std::vector<Http2StreamPtr> open;
        while (const Http2StreamPtr stream = peer.accept()) {
            (void)peer.codec().respond(stream, 200, fields({{"content-type", "text/event-stream"}}), false);
            peer.send(stream, "data: x\n\n", false);
            open.push_back(stream);
        }
    }, "h2");
    Harness::Setup setup;
    setup.command = PROXY_COMMAND;
    setup.policy = policyJson("locked", {kHost});
    setup.trusted = {ca.certificatePem};
    Harness harness(setup);
    pin(harness.processId(), 0);
    harness.route(kHost + ":443", origin.port());
    harness.route(kHost + ":8443", events.port());
    const long idle = memoryKiB(harness.processId(), "VmRSS");
    const auto over = [&](std::uint16_t port, const std::string& trusted) -> std::unique_ptr<Wire> {
        auto fd = connectTo(port);
        auto wire = fd ? std::make_unique<Wire>(std::move(fd)) : nullptr;
        return wire && wire->startTls(kHost, trusted) ? std::move(wire) : nullptr;
    };
    std::printf("           keep-alive, 1 KiB     new TLS connection   download, MB      median\n");
    std::printf("           1/s     1/s of CPU    1/s   1/s of CPU    1/s   1/s of CPU   us\n");
    const Row direct = run("direct", 0, [&] { return over(origin.port(), ca.certificatePem); }, seconds);
    const Row own = run("coldframe", harness.processId(), [&]() -> std::unique_ptr<Wire> {
        auto opened = harness.connect(kHost + ":443");
        return opened.wire && opened.wire->startTls(kHost, harness.caPem()) ? std::move(opened.wire) : nullptr;
    }, seconds);
    for (const char* name : {"nginx", "haproxy", "mitmproxy"}) {
        const bool slow = std::string_view(name) == "mitmproxy";
        Peer peer(name, folder, origin.port());
        if ((slow && seconds < 1) || !peer.start()) {
            std::printf("%-10s %s\n", name, slow && seconds < 1 ? "left out of the short form" : "not installed, or did not start");
            continue;
        }
        const Row other = run(name, peer.processId(), [&] { return over(peer.port(), ca.certificatePem); }, seconds);
        std::printf("  coldframe beside it, for each second of CPU: requests %.2f, connections %.2f, download %.2f\n",
                    own.keepAlive.perProcessorSecond / other.keepAlive.perProcessorSecond,
                    own.fresh.perProcessorSecond / other.fresh.perProcessorSecond,
                    own.bulk.perProcessorSecond / other.bulk.perProcessorSecond);
    }
    std::printf("added to the median: %.0f us\n", own.median - direct.median);
    const long before = memoryKiB(harness.processId(), "VmRSS");
    const long held = streamsMemory(harness, seconds < 1 ? 200 : 1000);
    std::printf("memory: %ld KiB idle, %ld KiB after the above, %ld KiB with %d streams of HTTP/2 open\n", idle, before, held,
                seconds < 1 ? 200 : 1000);
    std::filesystem::remove_all(folder);
    const bool worked = own.keepAlive.perSecond > 0 && own.fresh.perSecond > 0 && own.bulk.perSecond > 0 && own.median > 0 && held > 0;
    return worked ? 0 : 1;
}
