// SPDX-License-Identifier: Apache-2.0
// The proxy beside the same client talking to the same origin directly, in one run. Usage: bench_proxy [seconds per figure].
// The client side of the channel (a guest's part) runs in this process and costs its share too.
#include "harness.h"

#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sys/socket.h>

using namespace proxytest;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBulk = 64u << 20;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::unique_ptr<Wire> direct(std::uint16_t port, const std::string& ca)
{
    coldframe::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0) {
        return nullptr;
    }
    auto wire = std::make_unique<Wire>(std::move(fd));
    return wire->startTls("api.example.com", ca) ? std::move(wire) : nullptr;
}

using Open = std::function<std::unique_ptr<Wire>()>;
const std::string kGet = "GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n";

double keepAlive(const Open& open, double seconds)
{
    const auto wire = open();
    const auto start = Clock::now();
    int count = 0;
    while (wire && since(start) < seconds && wire->write(kGet) && wire->readReply().status == 200) {
        ++count;
    }
    return count / since(start);
}

double newConnections(const Open& open, double seconds)
{
    const auto start = Clock::now();
    int count = 0;
    while (since(start) < seconds) {
        const auto wire = open();
        if (!wire || !wire->write(kGet) || wire->readReply().status != 200) {
            break;
        }
        ++count;
    }
    return count / since(start);
}

double bulk(const Open& open)
{
    const auto wire = open();
    if (!wire || !wire->write("GET /bulk HTTP/1.1\r\nHost: api.example.com\r\n\r\n") || wire->readHead().empty()) {
        return 0;
    }
    const auto start = Clock::now();
    std::size_t total = 0;
    while (total < kBulk) {
        const std::string piece = wire->readSome();
        if (piece.empty()) {
            return 0;
        }
        total += piece.size();
    }
    return static_cast<double>(total) / since(start) / 1e6;
}

long residentKiB(int pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with("VmRSS:")) {
            return std::strtol(line.c_str() + 6, nullptr, 10);
        }
    }
    return 0;
}

void print(const char* name, double through, double straight, const char* unit)
{
    std::printf("%-28s proxy %10.1f %-6s direct %10.1f %-6s ratio %.2f\n", name, through, unit, straight, unit,
                straight > 0 ? through / straight : 0.0);
}

} // namespace

int main(int argc, char** argv)
{
    const double seconds = argc > 1 ? std::atof(argv[1]) : 3.0;
    const Certificate ca = makeCertificate({.name = "Bench CA", .isCa = true});
    Origin origin(makeCertificate({.name = "api.example.com", .issuer = &ca}), [](Wire& wire, Origin&) {
        static const std::string small(1024, 's');
        static const std::string block(1u << 20, 'b');
        while (true) {
            const std::string head = wire.readHead();
            if (head.empty()) {
                return;
            }
            const bool isBulk = head.starts_with("GET /bulk");
            wire.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(isBulk ? kBulk : small.size()) + "\r\n\r\n"
                       + (isBulk ? std::string() : small));
            for (std::size_t sent = 0; isBulk && sent < kBulk; sent += block.size()) {
                wire.write(block);
            }
        }
    });
    Harness::Setup setup;
    setup.command = PROXY_COMMAND;
    setup.policy = policyJson("locked", {"api.example.com"});
    setup.trusted = {ca.certificatePem};
    Harness harness(setup);
    harness.route("api.example.com:443", origin.port());
    const long idle = residentKiB(harness.processId());
    const Open through = [&] {
        auto opened = harness.connect("api.example.com:443");
        return opened.wire && opened.wire->startTls("api.example.com", harness.caPem()) ? std::move(opened.wire) : nullptr;
    };
    const Open straight = [&] { return direct(origin.port(), ca.certificatePem); };
    const double proxyRequests = keepAlive(through, seconds);
    print("keep-alive requests, 1 KiB", proxyRequests, keepAlive(straight, seconds), "1/s");
    const double proxyConnections = newConnections(through, seconds);
    print("new TLS connections", proxyConnections, newConnections(straight, seconds), "1/s");
    const double proxyBulk = bulk(through);
    print("download, one connection", proxyBulk, bulk(straight), "MB/s");
    std::printf("%-28s idle  %10ld KiB    after %11ld KiB\n", "resident memory", idle, residentKiB(harness.processId()));
    return proxyRequests > 0 && proxyConnections > 0 && proxyBulk > 0 && idle > 0 ? 0 : 1;
}
