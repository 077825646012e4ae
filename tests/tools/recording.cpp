// SPDX-License-Identifier: Apache-2.0
#include "tools/recording.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace coldframe::terminal_tools {
namespace {

constexpr double kJoin = 0.02; // seconds

/// How many bytes at the end are the beginning of a character.
std::size_t unfinished(std::string_view bytes)
{
    for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
        const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
        if (byte >= 0xC0) {
            const std::size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
            return length > back ? back : 0;
        }
        if (byte < 0x80) {
            return 0;
        }
    }
    return 0;
}

} // namespace

Recording Recording::load(const std::string& path)
{
    std::ifstream file(path);
    std::string line;
    Recording recording;
    for (int number = 1; std::getline(file, line); ++number) {
        try {
            const auto json = nlohmann::json::parse(line);
            if (number == 1) {
                recording.rows = json.at("height");
                recording.columns = json.at("width");
                continue;
            }
            Event event;
            event.seconds = json.at(0);
            const std::string kind = json.at(1);
            const std::string text = json.at(2);
            if (kind == "o") {
                event.output = text;
            } else if (kind == "r") {
                event.isResize = true;
                if (std::sscanf(text.c_str(), "%dx%d", &event.columns, &event.rows) != 2) {
                    throw std::runtime_error("no size");
                }
            } else {
                continue;
            }
            recording.events.push_back(std::move(event));
        } catch (const std::exception& error) {
            throw std::runtime_error(path + ":" + std::to_string(number) + ": " + error.what());
        }
    }
    if (recording.rows < 1 || recording.columns < 1) {
        throw std::runtime_error(path + " is no recording");
    }
    return recording;
}

Recorder::Recorder(const std::string& path, int rows, int columns) : m_file(path)
{
    if (!m_file) {
        throw std::runtime_error("cannot write " + path);
    }
    m_file << R"({"version":2,"width":)" << columns << R"(,"height":)" << rows << R"(,"env":{"TERM":"xterm-256color"}})" << '\n';
}

void Recorder::event(const char* kind, const std::string& text)
{
    const nlohmann::json line = {std::round((kind[0] == 'o' ? m_heldSince : now()) * 1000) / 1000, kind, text};
    m_file << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void Recorder::flush()
{
    const std::size_t keep = unfinished(m_held);
    if (m_held.size() > keep) {
        const std::string rest = m_held.substr(m_held.size() - keep);
        m_held.resize(m_held.size() - keep);
        event("o", m_held);
        m_held = rest;
    }
}

void Recorder::output(std::string_view bytes)
{
    if (!m_held.empty() && now() - m_heldSince > kJoin) {
        flush();
    }
    if (m_held.empty()) {
        m_heldSince = now();
    }
    m_held += bytes;
}

void Recorder::resize(int rows, int columns)
{
    flush();
    event("r", std::to_string(columns) + "x" + std::to_string(rows));
}

} // namespace coldframe::terminal_tools
