// SPDX-License-Identifier: Apache-2.0
#include "terminal/asciicast.h"

#include "terminal/text_safety.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace coldframe::terminal {

using nlohmann::json;

namespace {

constexpr int kMaxSide = 1000;
constexpr double kMaxSeconds = 1e8; ///< three years

/// How many of the last bytes are the beginning of a character that is not whole.
std::size_t cutBytes(std::string_view text)
{
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto c = static_cast<unsigned char>(text[text.size() - back]);
        if ((c & 0xC0) == 0x80) {
            continue;
        }
        const std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

std::string asJson(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

} // namespace

std::string CastWriter::begin(const CastHeader& header)
{
    json first{{"version", 2}, {"width", header.columns}, {"height", header.rows}, {"env", {{"TERM", "xterm-256color"}}}};
    if (header.timestamp > 0) {
        first["timestamp"] = header.timestamp;
    }
    if (!header.title.empty()) {
        first["title"] = header.title;
    }
    std::string text = asJson(first) + "\n";
    m_written += text.size();
    return text;
}

std::string CastWriter::line(std::int64_t microseconds, char kind, std::string_view text)
{
    m_last = std::max(m_last, microseconds);
    char time[48];
    std::snprintf(time, sizeof time, "[%lld.%06lld, \"%c\", ", static_cast<long long>(m_last / 1000000), static_cast<long long>(m_last % 1000000), kind);
    std::string made = time + asJson(std::string(text)) + "]\n";
    if (m_written + made.size() > kMaxBytes) {
        m_written = kMaxBytes;
        return {};
    }
    m_written += made.size();
    return made;
}

std::string CastWriter::output(std::int64_t microseconds, std::string_view bytes)
{
    std::string text = m_cut;
    text += bytes;
    const std::size_t cut = cutBytes(text);
    m_cut = text.substr(text.size() - cut);
    text.resize(text.size() - cut);
    return text.empty() ? std::string() : line(microseconds, 'o', text);
}

std::string CastWriter::resize(std::int64_t microseconds, int rows, int columns)
{
    return line(microseconds, 'r', std::to_string(columns) + "x" + std::to_string(rows));
}

std::string CastWriter::end(std::int64_t microseconds)
{
    const std::string cut = std::move(m_cut);
    m_cut.clear();
    return cut.empty() ? std::string() : line(microseconds, 'o', cut);
}

Result<CastReader> CastReader::read(std::string_view text)
{
    CastReader reader;
    bool isFirst = true;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.size() > kMaxLine) {
            if (isFirst) {
                break;
            }
            reader.m_isCut = true;
            continue;
        }
        if (isFirst) {
            const json first = json::parse(line, nullptr, false);
            const auto number = [&](const char* key) -> std::int64_t {
                return first.is_object() && first.contains(key) && first[key].is_number_integer() ? first[key].get<std::int64_t>() : 0;
            };
            if (number("version") != 2 || number("width") < 1 || number("height") < 1) {
                break;
            }
            reader.m_header.columns = static_cast<int>(std::clamp<std::int64_t>(number("width"), 2, kMaxSide));
            reader.m_header.rows = static_cast<int>(std::clamp<std::int64_t>(number("height"), 1, kMaxSide));
            reader.m_header.timestamp = std::max<std::int64_t>(0, number("timestamp"));
            if (first.contains("title") && first["title"].is_string()) {
                reader.m_header.title = cleanForTitle(first["title"].get<std::string>(), 200);
            }
            isFirst = false;
        } else if (!line.empty() && (reader.m_events.size() >= kMaxEvents || !reader.takeEvent(line))) {
            reader.m_isCut = true;
            break;
        }
    }
    if (isFirst) {
        return fail(ErrorCode::InvalidArgument, "This is no recording of a terminal (asciicast, version 2).");
    }
    return reader;
}

/// False: damaged or too much; what comes after it is not read.
bool CastReader::takeEvent(std::string_view line)
{
    // Nested values would cost memory and stack; an event has none.
    int depth = 0;
    const json event = json::parse(line, [&depth](int level, json::parse_event_t, json&) { return depth = std::max(depth, level), level < 3; }, false);
    if (!event.is_array() || event.size() < 3 || depth > 2 || !event[0].is_number() || !event[1].is_string() || !event[2].is_string()) {
        return false;
    }
    const double seconds = event[0].get<double>();
    if (!std::isfinite(seconds) || seconds < 0 || seconds > kMaxSeconds) {
        return false;
    }
    CastEvent made;
    made.microseconds = std::max(duration(), static_cast<std::int64_t>(seconds * 1e6));
    const std::string kind = event[1].get<std::string>();
    std::string data = event[2].get<std::string>();
    if (kind == "o") {
        m_bytes += data.size();
        if (m_bytes > kMaxOutput) {
            return false;
        }
        made.output = std::move(data);
    } else if (kind == "r") {
        made.kind = CastEvent::Kind::Resize;
        const std::size_t x = data.find('x');
        const char* end = data.data() + data.size();
        if (x == std::string::npos || std::from_chars(data.data(), data.data() + x, made.columns).ptr != data.data() + x ||
            std::from_chars(data.data() + x + 1, end, made.rows).ptr != end || made.columns < 1 || made.rows < 1) {
            return true; // a size that is none changes nothing
        }
        made.columns = std::clamp(made.columns, 2, kMaxSide);
        made.rows = std::clamp(made.rows, 1, kMaxSide);
    } else {
        return true;
    }
    m_events.push_back(std::move(made));
    return true;
}

} // namespace coldframe::terminal
