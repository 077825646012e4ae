// SPDX-License-Identifier: Apache-2.0
#include "peers.h"

#include "terminal/terminal.h"

#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::bench {
namespace {

double residentMegabytes()
{
    long pages = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        std::fclose(file);
    }
    return static_cast<double>(pages * ::sysconf(_SC_PAGESIZE)) / 1e6;
}

MemoryFigure measured(int rows, int columns)
{
    constexpr double kFed = 10;
    MemoryFigure figure;
    const double before = residentMegabytes();
    terminal::Terminal terminal(rows, columns, {});
    std::size_t lines = 0;
    for (; figure.megabytesFed < kFed; lines += 100) {
        const std::string log = buildLog(lines, 100);
        terminal.feed(log);
        figure.megabytesFed += static_cast<double>(log.size()) / 1e6;
    }
    figure.megabytesResident = residentMegabytes() - before;
    figure.megabytesKept = figure.megabytesFed * static_cast<double>(terminal.totalRows()) / static_cast<double>(lines);
    return figure;
}

} // namespace

MemoryFigure scrollbackMemory(int rows, int columns)
{
    MemoryFigure figure;
    int ends[2];
    if (::pipe(ends) != 0) {
        return figure;
    }
    // In a process of its own: what other cases left in the heap would hide what this one takes.
    const pid_t child = ::fork();
    if (child == 0) {
        const MemoryFigure told = measured(rows, columns);
        ::_exit(::write(ends[1], &told, sizeof told) == sizeof told ? 0 : 1);
    }
    ::close(ends[1]);
    if (::read(ends[0], &figure, sizeof figure) != sizeof figure) {
        figure = {};
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return figure;
}

} // namespace coldframe::bench
