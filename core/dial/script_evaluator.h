// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <string>
#include <string_view>

namespace coldframe::dial {

/// Proxy auto-configuration scripts are programs of whoever runs the network. They are evaluated in a process of their own: one
/// that waits, and for each question a child of it, which loads libpacparser, may look names up (a script may ask for that) and
/// nothing else, and ends after its answer or five seconds. Nothing of a script is in the dialler, the proxy or the engine.
///
/// Forks the waiting process; call before threads exist and before confineDialler(). The descriptor speaks the frames below; the
/// process ends when it closes.
Result<UniqueFd> startScriptEvaluator();

/// One question: the script, the URL and the host, each with its length (4 bytes, big-endian) in front.
std::string makeScriptQuestion(std::string_view script, std::string_view url, std::string_view host);

/// The answer is 1 byte (1 = good, 0 = a problem's text), the length (4 bytes, big-endian, at most 64 KiB) and the text.
constexpr std::size_t kScriptAnswerHead = 5;
constexpr std::size_t kMaxScriptAnswer = 64 * 1024;

} // namespace coldframe::dial
