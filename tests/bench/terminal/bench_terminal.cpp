// SPDX-License-Identifier: Apache-2.0
// Throughput of parser and grid: bench_terminal [MiB per payload]. Beside it the limit: reading the same bytes once.
#include "terminal/terminal.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace coldframe::terminal;

namespace {

std::string repeated(const std::string& unit, std::size_t bytes)
{
    std::string all;
    while (all.size() < bytes) {
        all += unit;
    }
    return all;
}

template <typename F> double megabytesPerSecond(std::size_t bytes, F&& f)
{
    const auto start = std::chrono::steady_clock::now();
    f();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(bytes) / 1e6 / took.count();
}

} // namespace

int main(int argc, char** argv)
{
    const std::size_t bytes = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 16) << 20;
    const struct
    {
        const char* name;
        std::string unit;
    } payloads[] = {
        {"scroll", "y\r\n"},
        {"log", "\x1b[32m[ 42%]\x1b[0m Building CXX object \x1b[1msrc/engine/sandbox.cpp.o\x1b[0m with -Wall -O2\r\n"},
        {"dense", "\x1b[38;2;1;2;3m\x1b[48;5;17mx\x1b[1;4my"},
        {"unicode", "\xE2\x94\x82 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80 "},
    };
    std::printf("%-10s %12s %14s %8s\n", "payload", "ours MB/s", "limit MB/s", "ratio");
    for (const auto& payload : payloads) {
        const std::string input = repeated(payload.unit, bytes);
        volatile unsigned sum = 0;
        const double limit = megabytesPerSecond(input.size(), [&] {
            unsigned local = 0;
            for (const char c : input) {
                local += static_cast<unsigned char>(c);
            }
            sum = local;
        });
        Terminal terminal(60, 200, {});
        const double ours = megabytesPerSecond(input.size(), [&] {
            for (std::size_t at = 0; at < input.size(); at += 65536) {
                terminal.feed(std::string_view(input).substr(at, 65536));
            }
        });
        std::printf("%-10s %12.1f %14.1f %8.3f\n", payload.name, ours, limit, ours / limit);
    }
    return 0;
}
