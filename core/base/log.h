// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace coldframe {

enum class LogLevel { Debug, Info, Warning, Error };

/// One line to standard error: time, level, category, text. Control characters in `text` are escaped, so
/// guest-made strings are safe to pass; secrets must never be. Thread-safe.
/// The level comes from COLDFRAME_LOG (debug|info|warning|error; default info).
void log(LogLevel level, std::string_view category, std::string_view text);

inline void logDebug(std::string_view category, std::string_view text) { log(LogLevel::Debug, category, text); }
inline void logInfo(std::string_view category, std::string_view text) { log(LogLevel::Info, category, text); }
inline void logWarning(std::string_view category, std::string_view text) { log(LogLevel::Warning, category, text); }
inline void logError(std::string_view category, std::string_view text) { log(LogLevel::Error, category, text); }

/// C0, C1, DEL and invalid UTF-8 become \xNN; at most maxBytes, then "…". For guest strings shown anywhere.
std::string escapeForDisplay(std::string_view text, std::size_t maxBytes = 4096);

/// Runs f; an exception that escapes is logged under `where` and swallowed. The boundary of threads, slots, main.
template <typename F> bool topCatchAll(std::string_view where, F&& f) noexcept;

} // namespace coldframe

#include <exception>

template <typename F> bool coldframe::topCatchAll(std::string_view where, F&& f) noexcept
{
    try {
        f();
        return true;
    } catch (const std::exception& error) {
        log(LogLevel::Error, where, std::string("unexpected: ") + error.what());
    } catch (...) {
        log(LogLevel::Error, where, "unexpected exception");
    }
    return false;
}
