// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace coldframe::terminal_tools {

/// Text as people write it in case files and scripts, to bytes: \e \n \r \t \b \a \s (a space) \\ \| \xHH \u{HEX} (UTF-8),
/// and \R{COUNT}{TEXT}, which is TEXT so many times over (TEXT is unescaped too; it holds no braces but those of \u).
/// Throws std::invalid_argument for what is none of these.
std::string unescaped(std::string_view text);

/// The opposite, for messages and expectations: printable ASCII and UTF-8 as they are, controls as \e or \xHH.
std::string escaped(std::string_view bytes);

/// UTF-8 of one character; U+FFFD for what is none.
std::string utf8(char32_t character);

} // namespace coldframe::terminal_tools
