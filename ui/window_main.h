// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::ui {

/// Runs the desktop application until it is quit; returns the process's exit status. Arguments (an optional word
/// `window` first): `--new-sandbox FOLDER` opens New Sandbox for the folder. A second start hands its wish to the window
/// that runs already. Sandboxes go on when it ends.
int runWindow(int argc, char** argv);

} // namespace coldframe::ui
