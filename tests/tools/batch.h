// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>

namespace coldframe::terminal_tools {

/// Streams for the differential test, a line of JSON each: {"rows", "columns", "steps": [["o", BYTES] | ["r", ROWS, COLUMNS]…]},
/// BYTES being text whose characters U+0000…U+00FF stand for bytes. The answer to each is a line: what TerminalView::dump gives,
/// and "history", the rows of the scrollback. Lines are answered as they come, so that a partner can talk with it.
void runBatch(std::istream& in, std::ostream& out);

} // namespace coldframe::terminal_tools
