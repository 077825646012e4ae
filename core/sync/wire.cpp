// SPDX-License-Identifier: Apache-2.0
#include "sync/wire.h"

#include <algorithm>

namespace coldframe::sync {

namespace {
constexpr std::size_t kMaxTextBytes = 4096;
} // namespace

void Writer::u8(std::uint8_t value) { m_data.push_back(static_cast<char>(value)); }

void Writer::u16(std::uint16_t value)
{
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value));
}

void Writer::u32(std::uint32_t value)
{
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value));
}

void Writer::u64(std::uint64_t value)
{
    u32(static_cast<std::uint32_t>(value >> 32));
    u32(static_cast<std::uint32_t>(value));
}

void Writer::bytes(std::string_view value)
{
    u32(static_cast<std::uint32_t>(value.size()));
    m_data.append(value);
}

void Writer::entry(const Entry& entry)
{
    u8(static_cast<std::uint8_t>(entry.kind));
    switch (entry.kind) {
    case Kind::File:
        u8(entry.executable ? 1 : 0);
        u64(entry.size);
        m_data.append(reinterpret_cast<const char*>(entry.digest.data()), entry.digest.size());
        break;
    case Kind::Symlink:
    case Kind::Untracked:
    case Kind::Problem:
        bytes(std::string_view(entry.text).substr(0, kMaxTextBytes));
        break;
    case Kind::None:
    case Kind::Directory:
        break;
    }
}

void Writer::record(const Record& record)
{
    bytes(record.path);
    entry(record.entry);
}

std::uint64_t Reader::integer(std::size_t width)
{
    if (!m_ok || m_data.size() < width) {
        m_ok = false;
        return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
        value = (value << 8) | static_cast<std::uint8_t>(m_data[i]);
    }
    m_data.remove_prefix(width);
    return value;
}

std::uint8_t Reader::u8() { return static_cast<std::uint8_t>(integer(1)); }
std::uint16_t Reader::u16() { return static_cast<std::uint16_t>(integer(2)); }
std::uint32_t Reader::u32() { return static_cast<std::uint32_t>(integer(4)); }
std::uint64_t Reader::u64() { return integer(8); }

std::string_view Reader::bytes(std::size_t maximum)
{
    const std::uint32_t length = u32();
    if (!m_ok || length > maximum || length > m_data.size()) {
        m_ok = false;
        return {};
    }
    const std::string_view value = m_data.substr(0, length);
    m_data.remove_prefix(length);
    return value;
}

std::string_view Reader::rest()
{
    const std::string_view value = m_ok ? m_data : std::string_view();
    m_data = {};
    return value;
}

Entry Reader::entry()
{
    Entry entry;
    const std::uint8_t kind = u8();
    if (kind > static_cast<std::uint8_t>(Kind::Problem)) {
        m_ok = false;
        return {};
    }
    entry.kind = static_cast<Kind>(kind);
    switch (entry.kind) {
    case Kind::File: {
        const std::uint8_t executable = u8();
        entry.size = u64();
        if (!m_ok || executable > 1 || m_data.size() < entry.digest.size()) {
            m_ok = false;
            return {};
        }
        entry.executable = executable == 1;
        std::copy_n(m_data.begin(), entry.digest.size(), entry.digest.begin());
        m_data.remove_prefix(entry.digest.size());
        break;
    }
    case Kind::Symlink:
    case Kind::Untracked:
    case Kind::Problem:
        entry.text = std::string(bytes(kMaxTextBytes));
        if (entry.kind == Kind::Symlink && (entry.text.empty() || entry.text.find('\0') != std::string::npos)) {
            m_ok = false;
        }
        break;
    case Kind::None:
    case Kind::Directory:
        break;
    }
    return m_ok ? entry : Entry{};
}

Record Reader::record()
{
    Record record;
    record.path = std::string(bytes(kMaxPathBytes));
    record.entry = entry();
    if (m_ok && !isValidPath(record.path)) {
        m_ok = false;
    }
    return record;
}

} // namespace coldframe::sync
