// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::ui {

/// Lets Qt make an accessible object with text for each TerminalWidget. Once is enough, more does no harm.
void installTerminalAccessibility();

} // namespace coldframe::ui
