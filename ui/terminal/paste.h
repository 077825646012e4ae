// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>

namespace coldframe::ui {

/// Whether a text may do something by being pasted: several lines to a program that would run each, or control characters (which
/// are left out in any case, but the text is then not what it seemed).
bool pasteNeedsAsking(const QString& text, bool bracketed);
/// The beginning of the text with control characters and marks that reorder text made visible.
QString pastePreview(const QString& text);
/// As one word of a POSIX shell.
QString quotedForShell(const QString& path);

} // namespace coldframe::ui
