// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/server.h"
#include "base/exec_frames.h"
#include "base/secret.h"

namespace coldframe::api {

/// For handlers of attachments. Deadline 30 s; at most SecretBuffer::kMaxSize bytes. The bytes of the one Stdin
/// frame go from a wiped buffer into locked memory and nowhere else (a Stdin frame is what PROTOCOL.md asks for;
/// anything else is a Protocol error).
asio::awaitable<Result<SecretBuffer>> receiveSecret(AttachmentSocket& socket);

/// Writes frames made by encodeExecFrame() and its like, whole.
asio::awaitable<Result<void>> writeFrames(AttachmentSocket& socket, std::string frames);

/// The last frame of a keys attachment: Exit 0, or Failure.
asio::awaitable<void> answerSecret(AttachmentSocket& socket, Result<void> outcome);

} // namespace coldframe::api
