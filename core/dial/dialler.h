// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "dial/resolver.h"

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace coldframe::dial {

struct DialLimits
{
    std::size_t maxPending = 256;  ///< connections being made at once
    unsigned perSecond = 200;      ///< sustained rate
    unsigned burst = 400;
    std::chrono::milliseconds resolveTimeout{10000};
    std::chrono::milliseconds connectTimeout{10000};
    std::chrono::milliseconds nextAddressAfter{250}; ///< RFC 8305 5, "connection attempt delay"
};

/// The one process of a sandbox that may connect. It trusts the engine (engineFd, SOCK_STREAM, JSON lines) and not
/// the proxy (proxyFd, SOCK_SEQPACKET): each request is decided again here by name, the name is looked up only when
/// allowed, every address is checked, and the connected, non-blocking descriptor goes back with SCM_RIGHTS.
///
/// What the engine writes before it answers the proxy counts for the proxy's next request: pending engine lines are read
/// before each decision. "Ask" is a refusal here, so an approval reaches the dialler as a rule first.
/// Behind a proxy of the user's network names are looked up and addresses chosen by that proxy. So only what a rule names passes:
/// neither a mode nor a rule for everything is enough; and its own host's addresses and the exempt names go the checked way.
/// Without a policy everything is refused. When the engine goes, the last policy stays and asking means no; when the
/// proxy goes, `finished` is called. Single-threaded: the io_context's thread.
class Dialler
{
public:
    /// `finished` also comes when the engine sends {"type":"shutdown"}.
    /// `scripts` comes from startScriptEvaluator(); invalid: proxy scripts cannot be used.
    Dialler(asio::io_context& io, UniqueFd engineFd, UniqueFd proxyFd, std::unique_ptr<Resolver> resolver,
            DialLimits limits, std::function<void()> finished, UniqueFd scripts = UniqueFd());
    ~Dialler();

    void start();

private:
    class Impl;
    std::shared_ptr<Impl> m_impl;
};

/// no_new_privs, not dumpable, where the kernel has Landlock no file of the user's, and a seccomp filter without exec, fork, ptrace, file writing and the like; sockets and reading stay,
/// as looking names up needs them. Call before threads exist. Unavailable when the kernel refuses.
enum class MayFork { No, Yes };
Result<void> confineDialler(MayFork mayFork = MayFork::No);

} // namespace coldframe::dial
