// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"

#include <asio/io_context.hpp>
#include <functional>

namespace coldframe::proxy {

/// The other work of the program coldframe-proxy: one POST to a token endpoint, for the engine, in a process that lives for nothing
/// else and holds no key but what is sent. `engine` brings a JSON line {"host","port","path","contentType","trusted":[PEM],"length"}
/// and as many bytes of body; it is answered {"status","length"} and the reply's body, or {"problem"}. `dial` leads to a dialler of its own.
/// `finished` is called once, when the answer is written or the engine has gone. The filter closes before anything is read from the net.
void startTokenClient(asio::io_context& io, UniqueFd engine, UniqueFd dial, std::function<void()> finished, bool filter = true);

} // namespace coldframe::proxy
