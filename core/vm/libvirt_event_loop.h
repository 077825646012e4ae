// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::vm {

/// Starts the process's libvirt event loop on a thread of its own, once; call before the first connection. It runs until
/// the process ends.
///
/// It is our own implementation (virEventRegisterImpl) because libvirt's default one runs on GLib's default main
/// context, which Qt's event loop owns: with both in a process, events and keep-alives would stop.
void ensureLibvirtEventLoop();

} // namespace coldframe::vm
