// SPDX-License-Identifier: Apache-2.0
#include "peers.h"

#include "base/process.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>
#ifdef WITH_VTERM
#include <vterm.h>
#endif

namespace coldframe::bench {

#ifdef WITH_VTERM
namespace {

constexpr unsigned kLimit = 8; // seconds, after which it hangs

double vtermSpeed(const Payload& payload, int rows, int columns, double seconds)
{
    VTerm* terminal = vterm_new(rows, columns);
    vterm_set_utf8(terminal, 1);
    vterm_screen_enable_altscreen(vterm_obtain_screen(terminal), 1);
    vterm_screen_reset(vterm_obtain_screen(terminal), 1);
    vterm_input_write(terminal, payload.setup.data(), payload.setup.size());
    const auto start = std::chrono::steady_clock::now();
    std::size_t bytes = 0;
    std::chrono::duration<double> took{};
    do {
        for (std::size_t at = 0; at < payload.payload.size() && took.count() < seconds; at += 16384) {
            const std::size_t size = std::min<std::size_t>(16384, payload.payload.size() - at);
            vterm_input_write(terminal, payload.payload.data() + at, size);
            bytes += size;
            took = std::chrono::steady_clock::now() - start;
        }
    } while (took.count() < seconds);
    return static_cast<double>(bytes) / 1e6 / took.count();
}

} // namespace

Figure vtermFigure(const Payload& payload, int rows, int columns, double seconds)
{
    int ends[2];
    if (::pipe(ends) != 0) {
        return {std::nullopt, "no pipe"};
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(kLimit);
        const double speed = vtermSpeed(payload, rows, columns, seconds);
        ::_exit(::write(ends[1], &speed, sizeof speed) == sizeof speed ? 0 : 1);
    }
    ::close(ends[1]);
    double speed = 0;
    const bool told = ::read(ends[0], &speed, sizeof speed) == sizeof speed;
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (told) {
        return {speed, ""};
    }
    return {std::nullopt, WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hung" : "crashed"};
}
#else
Figure vtermFigure(const Payload&, int, int, double) { return {std::nullopt, "not built in"}; }
#endif

XtermFigures xtermFigures(const std::vector<std::pair<int, int>>& sizes, double seconds, std::string& why)
{
    namespace fs = std::filesystem;
    SystemProcessRunner runner;
    ProcessSpec find;
    find.arguments = {"/usr/bin/python3", XTERM_HEADLESS, NPM_CACHE};
    find.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
    find.timeout = std::chrono::minutes(3);
    const auto found = runner.run(find);
    if (!found || found->exitCode != 0) {
        why = found ? found->standardError.substr(0, found->standardError.find('\n')) : "xterm.js is left out: " + found.error().message;
        return {};
    }
    std::string pattern = (fs::temp_directory_path() / "coldframe-bench-XXXXXX").native();
    const fs::path folder = ::mkdtemp(pattern.data());
    std::ofstream jobs(folder / "jobs");
    for (const auto& [rows, columns] : sizes) {
        for (const Payload& payload : payloads(rows, columns)) {
            const std::string base = (folder / (payload.name + std::to_string(rows))).native();
            std::ofstream(base + ".setup") << payload.setup;
            std::ofstream(base + ".payload") << payload.payload;
            jobs << payload.name << ' ' << rows << ' ' << columns << ' ' << seconds << ' ' << base << ".setup " << base << ".payload\n";
        }
    }
    jobs.close();
    ProcessSpec measure;
    std::string modules = found->standardOutput;
    modules.erase(modules.find_last_not_of('\n') + 1);
    measure.arguments = {"node", XTERM_BENCH, modules, (folder / "jobs").native()};
    measure.timeout = std::chrono::minutes(10);
    const auto done = runner.run(measure);
    fs::remove_all(folder);
    if (!done || done->exitCode != 0) {
        why = "xterm.js failed: " + (done ? done->standardError.substr(0, 500) : done.error().message);
        return {};
    }
    XtermFigures figures;
    std::istringstream lines(done->standardOutput);
    std::string name;
    int rows = 0;
    int columns = 0;
    double speed = 0;
    while (lines >> name >> rows >> columns >> speed) {
        figures[{name, rows, columns}] = speed;
    }
    return figures;
}

} // namespace coldframe::bench
