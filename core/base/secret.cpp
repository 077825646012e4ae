// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <utility>

namespace coldframe {

SecretBuffer::SecretBuffer(std::string_view bytes)
{
    m_size = std::min(bytes.size(), kMaxSize);
    if (m_size == 0) {
        return;
    }
    m_mapped = (m_size + 4095) / 4096 * 4096;
    void* memory = ::mmap(nullptr, m_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::bad_alloc();
    }
    // Best effort: RLIMIT_MEMLOCK may be small; the memory is private and wiped either way.
    (void)::mlock(memory, m_mapped);
    (void)::madvise(memory, m_mapped, MADV_DONTDUMP);
    m_data = static_cast<char*>(memory);
    std::memcpy(m_data, bytes.data(), m_size);
}

SecretBuffer::SecretBuffer(SecretBuffer&& other) noexcept
    : m_data(std::exchange(other.m_data, nullptr)), m_size(std::exchange(other.m_size, 0)),
      m_mapped(std::exchange(other.m_mapped, 0))
{
}

SecretBuffer& SecretBuffer::operator=(SecretBuffer&& other) noexcept
{
    if (this != &other) {
        clear();
        m_data = std::exchange(other.m_data, nullptr);
        m_size = std::exchange(other.m_size, 0);
        m_mapped = std::exchange(other.m_mapped, 0);
    }
    return *this;
}

SecretBuffer::~SecretBuffer() { clear(); }

void SecretBuffer::clear()
{
    if (m_data) {
        ::explicit_bzero(m_data, m_mapped);
        ::munmap(m_data, m_mapped);
    }
    m_data = nullptr;
    m_size = 0;
    m_mapped = 0;
}

void wipe(std::string& text)
{
    text.resize(text.capacity());
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

void forbidCoreDumps()
{
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // The hard limit stays: libvirt, started from here, insists on raising its QEMUs' limit and cannot below a lower one.
    struct rlimit limit {};
    ::getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &limit);
}

} // namespace coldframe
