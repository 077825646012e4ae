// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "image/image_store.h"
#include "vm/acceleration.h"
#include "vm/hypervisor.h"

#include <nlohmann/json_fwd.hpp>

/// What stands between this machine and a running sandbox, with what to do: the answer to engine.diagnose. Blocking.
coldframe::Result<nlohmann::json> diagnose(coldframe::vm::Hypervisor& hypervisor, coldframe::image::ImageStore& images,
                                           const coldframe::vm::AccelerationDecision& acceleration);
