// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace coldframe {

/// Bytes of a key: kept in memory locked against swapping, excluded from core dumps, wiped when destroyed
/// or moved from. Move-only. At most 64 KiB. Not thread-safe.
class SecretBuffer
{
public:
    static constexpr std::size_t kMaxSize = 65536;

    SecretBuffer() = default;
    explicit SecretBuffer(std::string_view bytes);
    SecretBuffer(SecretBuffer&& other) noexcept;
    SecretBuffer& operator=(SecretBuffer&& other) noexcept;
    SecretBuffer(const SecretBuffer&) = delete;
    SecretBuffer& operator=(const SecretBuffer&) = delete;
    ~SecretBuffer();

    std::string_view view() const { return {m_data, m_size}; }
    bool empty() const { return m_size == 0; }
    SecretBuffer clone() const { return SecretBuffer(view()); }
    void clear();

private:
    char* m_data = nullptr;
    std::size_t m_size = 0;
    std::size_t m_mapped = 0;
};

/// explicit_bzero on a std::string's whole capacity, then clear.
void wipe(std::string& text);

/// PR_SET_DUMPABLE=0 and a soft RLIMIT_CORE of 0 for processes that hold keys (engine, proxy).
void forbidCoreDumps();

} // namespace coldframe
