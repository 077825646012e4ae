// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace coldframe::secrets {

enum class KeychainState {
    NoBus,     ///< no session bus
    NoService, ///< nobody offers the service
    NoKeyring, ///< the service has no default keyring yet
    Locked,
    NoAnswer,  ///< not within 5 s
    Ready,
};

/// Looks over the session bus, without ever causing a prompt: "secret-service" asks for the default collection's Locked property,
/// "kwallet" for the daemon only (it cannot be asked without opening). Blocks for at most 5 s a question.
KeychainState probeKeychain(const std::string& backend);

/// "secret-service", else "kwallet", else "none": what the session bus offers, whatever the desktop says it is.
std::string detectBackend();

} // namespace coldframe::secrets
