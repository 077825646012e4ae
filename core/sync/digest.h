// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/entry.h"

#include <cstddef>
#include <memory>

namespace coldframe::sync {

/// XXH3-128 over a stream. Equal digests mean equal content for detecting changes; nothing is authorised by one.
class Hasher
{
public:
    Hasher();
    ~Hasher();
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;

    void update(std::string_view bytes);
    Digest finish() const;
    void reset();

private:
    struct State;
    std::unique_ptr<State> m_state;
};

Digest digestOf(std::string_view bytes);
std::uint64_t checksum64(std::string_view bytes);

} // namespace coldframe::sync
