// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "sync/entry.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace coldframe::sync {

/// Appends big-endian fields to a byte string.
class Writer
{
public:
    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void bytes(std::string_view value); ///< u32 length, then the bytes
    void raw(std::string_view value) { m_data.append(value); }
    void entry(const Entry& entry);
    void record(const Record& record);

    const std::string& data() const { return m_data; }
    std::string take() { return std::move(m_data); }
    std::size_t size() const { return m_data.size(); }
    void clear() { m_data.clear(); }

private:
    std::string m_data;
};

/// Takes fields from hostile bytes. After the first bad field everything reads as zero and ok() is false.
class Reader
{
public:
    explicit Reader(std::string_view data) : m_data(data) {}

    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    std::string_view bytes(std::size_t maximum);
    std::string_view rest();
    Entry entry();
    Record record(); ///< the path is checked with isValidPath

    bool ok() const { return m_ok; }
    bool atEnd() const { return m_ok && m_data.empty(); }
    void markBad() { m_ok = false; }

private:
    std::uint64_t integer(std::size_t width);

    std::string_view m_data;
    bool m_ok = true;
};

} // namespace coldframe::sync
