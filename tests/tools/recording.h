// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::terminal_tools {

/// A recording in the form of asciicast v2: a line of JSON with the size, then a line for each event.
struct Recording
{
    struct Event
    {
        double seconds = 0;
        bool isResize = false;
        std::string output; ///< bytes
        int rows = 0;       ///< of a resize
        int columns = 0;
    };
    int rows = 0;
    int columns = 0;
    std::vector<Event> events;

    /// Throws std::runtime_error with the line that cannot be read.
    static Recording load(const std::string& path);
};

/// Writes one. The format holds text, so a character split between two reads is held back until it is whole, and what is no
/// UTF-8 becomes U+FFFD. Close events, which say nothing more to a terminal, are joined.
class Recorder
{
public:
    Recorder(const std::string& path, int rows, int columns);
    ~Recorder() { flush(); }
    void output(std::string_view bytes);
    void resize(int rows, int columns);

private:
    void flush();
    void event(const char* kind, const std::string& text);
    double now() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count(); }

    std::ofstream m_file;
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
    std::string m_held;
    double m_heldSince = 0;
};

} // namespace coldframe::terminal_tools
