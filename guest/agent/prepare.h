// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::guest {

/// What a template's guest does before it is saved, so that every sandbox restored from it has it done: loads the
/// kernel modules of the network, and reads into memory what set-up and the first shell will read. It knows nothing of any
/// sandbox and keeps no randomness (core/ARCHITECTURE.md, "Templates").
void prepareTemplate();

} // namespace coldframe::guest
