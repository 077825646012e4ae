// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/key_encoder.h"

#include <optional>

class QKeyEvent;

namespace coldframe::ui {

/// What Qt says of a key, for the encoder; nothing for keys that terminals do not know, and for the releases that X11 makes up
/// between the repeats of a key that is held.
std::optional<terminal::KeyEvent> keyEventOf(const QKeyEvent& event);

} // namespace coldframe::ui
