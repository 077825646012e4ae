// SPDX-License-Identifier: Apache-2.0
#include "terminal/scrollback.h"

#include "terminal/row_filling.h"
#include "terminal/utf8.h"

namespace coldframe::terminal {

namespace {

constexpr std::size_t kBlockBytes = 60 * 1024;
constexpr std::size_t kBlockParagraphs = 16384;
constexpr std::size_t kBlockPens = 4096;

// Bytes that UTF-8 never has, before a character.
constexpr std::uint8_t kBlankByte = 0;
constexpr std::uint8_t kWideByte = 0xFE;
constexpr std::uint8_t kClusterByte = 0xFD; ///< then the number of code points

constexpr std::uint8_t kPlainFlag = 1;
constexpr std::uint8_t kWideFlag = 2;
constexpr std::uint8_t kGoesOnFlag = 4;
constexpr unsigned kMarkShift = 3;

std::uint8_t* putNumber(std::uint8_t* out, std::size_t value)
{
    while (value >= 0x80) {
        *out++ = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<std::uint8_t>(value);
    return out;
}

std::size_t takeNumber(const std::vector<std::uint8_t>& in, std::size_t& at)
{
    std::size_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const std::uint8_t byte = in[at++];
        value |= static_cast<std::size_t>(byte & 0x7Fu) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
}

std::uint8_t* putCharacter(std::uint8_t* out, char32_t c)
{
    if (c < 0x80) {
        *out = static_cast<std::uint8_t>(c);
        return out + 1;
    }
    char bytes[4];
    const std::size_t size = encodeUtf8(c, bytes);
    return std::copy_n(bytes, size, out);
}

/// Only of what putCharacter() wrote.
char32_t takeCharacter(const std::vector<std::uint8_t>& in, std::size_t& at)
{
    const std::uint8_t first = in[at++];
    if (first < 0x80) {
        return first;
    }
    const int tail = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    char32_t c = first & (0x3Fu >> tail);
    for (int i = 0; i < tail; ++i) {
        c = (c << 6) | (in[at++] & 0x3Fu);
    }
    return c;
}

std::size_t hashOf(const Pen& pen)
{
    const Pen::Words words = pen.words();
    const std::size_t hash = words[0] * 0x9E3779B97F4A7C15u ^ words[1] * 0xC2B2AE3D27D4EB4Fu ^ words[2] * 0x165667B19E3779F9u;
    return hash >> 58;
}

/// Puts characters into rows as wrapParagraph() does.
struct RowCounter
{
    std::size_t columns;
    std::size_t row = 0;
    std::size_t column = 0;
    void place(int width)
    {
        if (column + static_cast<std::size_t>(width) > columns) {
            ++row;
            column = 0;
        }
        column += static_cast<std::size_t>(width);
    }
};

void pad(Row& out, int columns)
{
    while (out.columns() < columns) {
        out.add({}, 1, Style{}, 0);
    }
}

} // namespace

std::size_t Scrollback::Block::memory() const
{
    return sizeof(Block) + bytes.capacity() + starts.capacity() * sizeof(std::uint32_t) + pens.capacity() * sizeof(Pen);
}

Scrollback::Scrollback(int columns, ScrollbackLimits limits) : m_columns(columns), m_limits(limits)
{
    m_limits.bytes = std::max<std::size_t>(m_limits.bytes, 256 * 1024);
}

Scrollback::Header Scrollback::readHeader(const Block& block, std::size_t& at)
{
    Header header;
    header.cells = takeNumber(block.bytes, at);
    const std::uint8_t flags = block.bytes[at++];
    header.isPlain = (flags & kPlainFlag) != 0;
    header.hasWide = (flags & kWideFlag) != 0;
    header.goesOn = (flags & kGoesOnFlag) != 0;
    header.mark = static_cast<RowMark>(flags >> kMarkShift);
    return header;
}

template <typename Visit> void Scrollback::decode(const Block& block, std::size_t paragraph, Visit&& visit)
{
    std::size_t at = block.starts[paragraph];
    const std::size_t end = paragraph + 1 < block.starts.size() ? block.starts[paragraph + 1] : block.bytes.size();
    const Header header = readHeader(block, at);
    std::array<char32_t, Clusters::kMaxCodePoints> text;
    Pen pen;
    std::size_t left = header.isPlain ? header.cells : 0; // characters of this run, or more: the paragraph ends it then
    while (at < end) {
        if (left == 0) {
            left = takeNumber(block.bytes, at);
            pen = block.pens[takeNumber(block.bytes, at)];
        }
        --left;
        int width = 1;
        if (block.bytes[at] == kWideByte) {
            width = 2;
            ++at;
        }
        std::size_t size = 1;
        if (block.bytes[at] == kClusterByte) {
            size = block.bytes[at + 1];
            at += 2;
        }
        for (std::size_t i = 0; i < size; ++i) {
            text[i] = takeCharacter(block.bytes, at);
        }
        size = text[0] == kBlankByte ? 0 : size;
        if (!visit(std::u32string_view(text.data(), size), width, pen)) {
            return;
        }
    }
}

std::uint32_t Scrollback::penNumber(Block& block, const Pen& pen)
{
    std::uint32_t& cached = m_penCache[hashOf(pen)];
    if (cached == 0 || !(block.pens[cached - 1] == pen)) {
        block.pens.push_back(pen);
        cached = static_cast<std::uint32_t>(block.pens.size());
    }
    return cached - 1;
}

Scrollback::Block& Scrollback::blockForMore()
{
    if (m_blocks.empty() || m_blocks.back().bytes.size() >= kBlockBytes || m_blocks.back().starts.size() >= kBlockParagraphs ||
        m_blocks.back().pens.size() >= kBlockPens) {
        if (!m_blocks.empty()) {
            Block& full = m_blocks.back();
            full.bytes.shrink_to_fit();
            full.starts.shrink_to_fit();
            full.pens.shrink_to_fit();
            m_bytes += full.memory();
        }
        m_blocks.emplace_back();
        m_penCache.fill(0);
    }
    return m_blocks.back();
}

/// One run: cells of the same style. Returns where the next byte goes.
std::uint8_t* Scrollback::putRun(std::uint8_t* out, const Cell* cells, const Cell* end, const Clusters& clusters, bool& hasWide)
{
    for (; cells != end; ++cells) {
        // One narrow character of ASCII, the usual case, is its own byte; a blank is 0.
        if ((cells->packed & ~std::uint32_t{0x7F}) == Cell::kNarrow) {
            *out++ = static_cast<std::uint8_t>(cells->packed & 0x7Fu);
            continue;
        }
        if (cells->width() == 0) {
            continue;
        }
        if (cells->width() == 2) {
            *out++ = kWideByte;
            hasWide = true;
        }
        if (cells->isCluster()) {
            const std::u32string_view text = clusters.at(cells->character());
            *out++ = kClusterByte;
            *out++ = static_cast<std::uint8_t>(text.size());
            for (const char32_t c : text) {
                out = putCharacter(out, c);
            }
        } else {
            out = putCharacter(out, cells->character());
        }
    }
    return out;
}

void Scrollback::append(const Cell* cells, std::size_t count, RowMark mark, bool goesOn, bool mayBeWide, const Clusters& clusters)
{
    Block& block = blockForMore();
    // Room for the worst: each cell a run of its own and a wide character of four bytes; clusters are more.
    constexpr std::size_t kHeader = 16;
    constexpr std::size_t kPerCell = 11;
    std::size_t room = kHeader + count * kPerCell;
    if (clusters.size() > 0) {
        const auto several = static_cast<std::size_t>(std::count_if(cells, cells + count, [](const Cell& cell) { return cell.isCluster(); }));
        room += several * (2 + 4 * Clusters::kMaxCodePoints);
    }
    if (m_encoded.size() < room) {
        m_encoded.resize(room);
    }
    std::uint8_t* const begin = m_encoded.data();
    std::uint8_t* out = putNumber(begin, count);
    std::uint8_t* const flagsAt = out++;
    bool isPlain = false;
    bool hasWide = false;
    const Cell* const end = cells + count;
    for (const Cell* at = cells; at != end;) {
        const Cell* runEnd = at + 1;
        while (runEnd != end && runEnd->pen == at->pen) {
            ++runEnd;
        }
        isPlain = at == cells && runEnd == end && at->pen == Pen{};
        if (!isPlain) {
            // Characters, not columns: right halves are not counted. One alone, with a style of its own, belongs to the left half.
            auto characters = static_cast<std::size_t>(runEnd - at);
            if (mayBeWide) {
                characters -= static_cast<std::size_t>(std::count_if(at, runEnd, [](const Cell& cell) { return cell.width() == 0; }));
            }
            if (characters != 0) {
                out = putNumber(out, characters);
                out = putNumber(out, penNumber(block, at->pen));
            }
        }
        out = putRun(out, at, runEnd, clusters, hasWide);
        at = runEnd;
    }
    *flagsAt = static_cast<std::uint8_t>((isPlain || count == 0 ? kPlainFlag : 0u) | (hasWide ? kWideFlag : 0u) | (goesOn ? kGoesOnFlag : 0u) |
                                         (static_cast<unsigned>(mark) << kMarkShift));
    block.starts.push_back(static_cast<std::uint32_t>(block.bytes.size()));
    block.bytes.insert(block.bytes.end(), begin, out);
    const std::size_t rows = !hasWide && count <= static_cast<std::size_t>(m_columns) ? 1 : rowsOf(block, block.starts.size() - 1);
    block.rows += rows;
    m_rows += rows;
    m_place.isValid = false;
    enforceLimits();
}

std::size_t Scrollback::rowsOf(const Block& block, std::size_t paragraph) const
{
    std::size_t at = block.starts[paragraph];
    const Header header = readHeader(block, at);
    const auto columns = static_cast<std::size_t>(m_columns);
    if (!header.hasWide) {
        return header.cells <= columns ? 1 : (header.cells + columns - 1) / columns;
    }
    RowCounter counter{columns};
    decode(block, paragraph, [&](std::u32string_view, int width, const Pen&) {
        counter.place(width);
        return true;
    });
    return counter.row + 1;
}

std::size_t Scrollback::rowsOf(const std::vector<Cell>& cells) const
{
    std::size_t rows = 0;
    wrapParagraph(cells, static_cast<std::size_t>(m_columns), [&](std::size_t, std::size_t, bool) { ++rows; });
    return rows;
}

void Scrollback::push(const Grid& grid, int row, const Clusters& clusters)
{
    const RowState& state = grid.state(row);
    const Cell* cells = grid.cells(row);
    std::size_t count = state.used;
    const bool isFilled = !(state.blank == Cell{});
    if (!state.wrapped && !isOpen() && !isFilled) {
        while (count > 0 && cells[count - 1] == Cell{}) {
            --count;
        }
        append(cells, count, state.mark, false, state.hasWide, clusters);
        return;
    }
    if (m_open.cells.empty()) {
        m_open.mark = state.mark;
    }
    m_open.cells.insert(m_open.cells.end(), cells, cells + count);
    if (state.wrapped || isFilled) {
        const std::size_t wanted = static_cast<std::size_t>(grid.columns()) - (state.isPadded ? 1 : 0);
        m_open.cells.resize(m_open.cells.size() + wanted - std::min(wanted, count), state.blank);
    }
    ++m_openRows;
    m_place.isValid = false;
    if (!state.wrapped || m_open.cells.size() >= kMaxParagraph) {
        m_open.goesOn = state.wrapped;
        closeOpen(clusters);
    } else {
        enforceLimits();
    }
}

void Scrollback::push(const Paragraph& paragraph, const Clusters& clusters)
{
    if (isOpen()) {
        closeOpen(clusters);
    }
    append(paragraph.cells.data(), paragraph.cells.size(), paragraph.mark, paragraph.goesOn, true, clusters);
}

void Scrollback::closeOpen(const Clusters& clusters)
{
    const Paragraph open = takeOpen();
    append(open.cells.data(), open.cells.size(), open.mark, open.goesOn, true, clusters);
}

Paragraph Scrollback::takeOpen()
{
    Paragraph open;
    std::swap(open, m_open);
    m_openRows = 0;
    m_place.isValid = false;
    return open;
}

bool Scrollback::pop(Paragraph& paragraph, Clusters& clusters)
{
    if (m_rows == 0 || isOpen()) {
        return false;
    }
    Block& block = m_blocks.back();
    const std::size_t last = block.starts.size() - 1;
    paragraph.cells.clear();
    decode(block, last, [&](std::u32string_view text, int width, const Pen& pen) {
        Cell cell;
        cell.pen = pen;
        std::uint32_t character = text.empty() ? 0 : static_cast<std::uint32_t>(text[0]);
        if (text.size() > 1) {
            const std::uint32_t number = clusters.add(text);
            character = number == Clusters::kNone ? character : number | Cell::kCluster;
        }
        cell.packed = character | (static_cast<std::uint32_t>(width) << Cell::kWidthShift);
        paragraph.cells.push_back(cell);
        if (width == 2) {
            cell.packed = 0;
            paragraph.cells.push_back(cell);
        }
        return true;
    });
    std::size_t at = block.starts[last];
    const Header header = readHeader(block, at);
    paragraph.mark = header.mark;
    paragraph.goesOn = header.goesOn;
    const std::size_t rows = rowsOf(block, last);
    m_rows -= rows;
    block.rows -= rows;
    block.bytes.resize(block.starts[last]);
    block.starts.pop_back();
    if (block.starts.size() == block.first) {
        m_blocks.pop_back();
        if (!m_blocks.empty()) {
            m_bytes -= m_blocks.back().memory();
        }
        m_penCache.fill(0);
    }
    m_place.isValid = false;
    return true;
}

void Scrollback::dropOldest()
{
    Block& block = m_blocks.front();
    const std::size_t rows = rowsOf(block, block.first);
    ++block.first;
    block.rows -= rows;
    m_rows -= rows;
    m_dropped += rows;
    if (block.first == block.starts.size()) {
        if (m_blocks.size() > 1) {
            m_bytes -= block.memory();
        }
        m_blocks.pop_front();
        m_penCache.fill(0);
    }
}

void Scrollback::enforceLimits()
{
    while (m_rows > 0 && rows() > m_limits.rows) {
        dropOldest();
    }
    while (m_blocks.size() > 1 && m_bytes + m_blocks.back().memory() + m_open.cells.capacity() * sizeof(Cell) > m_limits.bytes) {
        Block& oldest = m_blocks.front();
        m_rows -= oldest.rows;
        m_dropped += oldest.rows;
        m_bytes -= oldest.memory();
        m_blocks.pop_front();
    }
}

void Scrollback::setColumns(int columns)
{
    m_columns = columns;
    m_rows = 0;
    for (Block& block : m_blocks) {
        block.rows = 0;
        for (std::size_t i = block.first; i < block.starts.size(); ++i) {
            block.rows += rowsOf(block, i);
        }
        m_rows += block.rows;
    }
    m_openRows = m_open.cells.empty() ? 0 : rowsOf(m_open.cells);
    m_place.isValid = false;
    enforceLimits();
}

void Scrollback::clear()
{
    m_dropped += rows();
    m_blocks.clear();
    m_penCache.fill(0);
    m_open = Paragraph{};
    m_rows = 0;
    m_openRows = 0;
    m_bytes = 0;
    m_place.isValid = false;
}

void Scrollback::read(std::size_t row, const Extras& extras, const Clusters& clusters, Row& out) const
{
    out.begin();
    if (row >= m_rows) {
        readOpen(row - m_rows, extras, clusters, out);
        return;
    }
    if (!m_place.isValid || row < m_place.row) {
        m_place = {0, m_blocks.front().first, 0, true};
    }
    if (m_place.paragraph == m_blocks[m_place.block].first) {
        while (row >= m_place.row + m_blocks[m_place.block].rows) {
            m_place.row += m_blocks[m_place.block].rows;
            m_place.paragraph = m_blocks[++m_place.block].first;
        }
    }
    for (;;) {
        const std::size_t rows = rowsOf(m_blocks[m_place.block], m_place.paragraph);
        if (row < m_place.row + rows) {
            break;
        }
        m_place.row += rows;
        if (++m_place.paragraph == m_blocks[m_place.block].starts.size()) {
            m_place.paragraph = m_blocks[++m_place.block].first;
        }
    }
    readStored(m_blocks[m_place.block], m_place.paragraph, row - m_place.row, extras, out);
}

void Scrollback::readStored(const Block& block, std::size_t paragraph, std::size_t row, const Extras& extras, Row& out) const
{
    RowCounter counter{static_cast<std::size_t>(m_columns)};
    bool hasMore = false;
    decode(block, paragraph, [&](std::u32string_view text, int width, const Pen& pen) {
        counter.place(width);
        hasMore = counter.row > row;
        if (counter.row == row) {
            addCell(out, text, width, pen, extras);
        }
        return !hasMore;
    });
    std::size_t at = block.starts[paragraph];
    const Header header = readHeader(block, at);
    pad(out, m_columns);
    out.end(hasMore || header.goesOn, row == 0 ? header.mark : RowMark::None);
}

void Scrollback::readOpen(std::size_t row, const Extras& extras, const Clusters& clusters, Row& out) const
{
    std::size_t at = 0;
    wrapParagraph(m_open.cells, static_cast<std::size_t>(m_columns), [&](std::size_t first, std::size_t end, bool) {
        if (at++ == row) {
            addCells(out, m_open.cells.data() + first, end - first, extras, clusters);
        }
    });
    pad(out, m_columns);
    out.end(true, row == 0 ? m_open.mark : RowMark::None);
}

void Scrollback::markExtras(Extras& extras) const
{
    for (const Block& block : m_blocks) {
        for (const Pen& pen : block.pens) {
            extras.mark(pen.extra);
        }
    }
    for (const Cell& cell : m_open.cells) {
        extras.mark(cell.pen.extra);
    }
}

void Scrollback::markClusters(Clusters& clusters) const
{
    for (const Cell& cell : m_open.cells) {
        if (cell.isCluster()) {
            clusters.mark(cell.character());
        }
    }
}

} // namespace coldframe::terminal
