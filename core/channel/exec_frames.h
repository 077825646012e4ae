// SPDX-License-Identifier: Apache-2.0
#pragma once

// The frames are shared with the API's clients, which may not see core/channel; they live in core/base.
#include "base/exec_frames.h"

namespace coldframe::channel {

using coldframe::decodeExit;
using coldframe::decodeResize;
using coldframe::encodeExecFrame;
using coldframe::encodeExit;
using coldframe::encodeResize;
using coldframe::ExecExit;
using coldframe::ExecFrame;
using coldframe::ExecFrameDecoder;
using coldframe::ExecFrameType;
using coldframe::ExecResize;
using coldframe::kMaxExecPayload;

} // namespace coldframe::channel
