// SPDX-License-Identifier: Apache-2.0
#include "sync/digest.h"

#include <cstring>
#include <new>
#include <xxhash.h>

namespace coldframe::sync {

struct Hasher::State
{
    State() : state(XXH3_createState())
    {
        if (state == nullptr) {
            throw std::bad_alloc();
        }
        XXH3_128bits_reset(state);
    }
    ~State() { XXH3_freeState(state); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    XXH3_state_t* state;
};

namespace {

Digest toDigest(XXH128_hash_t hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    Digest digest;
    std::memcpy(digest.data(), canonical.digest, digest.size());
    return digest;
}

} // namespace

Hasher::Hasher() : m_state(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::string_view bytes) { XXH3_128bits_update(m_state->state, bytes.data(), bytes.size()); }
Digest Hasher::finish() const { return toDigest(XXH3_128bits_digest(m_state->state)); }
void Hasher::reset() { XXH3_128bits_reset(m_state->state); }

Digest digestOf(std::string_view bytes) { return toDigest(XXH3_128bits(bytes.data(), bytes.size())); }
std::uint64_t checksum64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

} // namespace coldframe::sync
