// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"
#include "terminal/cell_store.h"
#include "terminal/grid.h"
#include "terminal/row.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace coldframe::terminal {

/// How much of what scrolled away is kept: what comes first.
struct ScrollbackLimits
{
    std::size_t rows = 100'000;
    std::size_t bytes = 16 * 1024 * 1024; ///< of memory that the scrollback takes, at least 256 KiB
};

/// A paragraph: rows that follow each other without a newline, as one.
struct Paragraph
{
    std::vector<Cell> cells;
    RowMark mark = RowMark::None;
    bool goesOn = false; ///< the next one belongs to it; it was cut because of its length
};

/// What scrolled off the screen. It holds paragraphs, not rows, as UTF-8 with runs of equal style: rows are counted and made for
/// the width that is asked, so another width changes nothing here. The oldest is dropped above the limits.
class Scrollback
{
public:
    static constexpr std::size_t kMaxParagraph = 16384; ///< cells

    Scrollback(int columns, ScrollbackLimits limits);

    /// The grid's row, which leaves the screen.
    void push(const Grid& grid, int row, const Clusters& clusters);
    void push(const Paragraph& paragraph, const Clusters& clusters);
    /// The newest paragraph, taken back; false when there is none. Clusters that it holds are added.
    bool pop(Paragraph& paragraph, Clusters& clusters);
    /// The rows at the end which wait for the rest of their paragraph, which is on the screen; empty mostly.
    bool isOpen() const { return !m_open.cells.empty(); }
    Paragraph takeOpen();
    void closeOpen(const Clusters& clusters); ///< the rest will not come

    std::size_t rows() const { return m_rows + m_openRows; }
    std::uint64_t dropped() const { return m_dropped; } ///< rows, since the start
    void setColumns(int columns);
    void clear();
    std::size_t bytes() const { return m_bytes; }

    /// Row 0 is the oldest; row < rows().
    void read(std::size_t row, const Extras& extras, const Clusters& clusters, Row& out) const;
    void markExtras(Extras& extras) const;
    void markClusters(Clusters& clusters) const;

private:
    /// Some paragraphs in one piece of memory.
    struct Block
    {
        std::vector<std::uint8_t> bytes;
        std::vector<std::uint32_t> starts; ///< of each paragraph in bytes
        std::vector<Pen> pens;
        std::size_t first = 0; ///< paragraphs before it were dropped
        std::size_t rows = 0;  ///< of the others, for the present width
        std::size_t memory() const;
    };
    struct Header
    {
        std::size_t cells = 0;
        bool isPlain = false; ///< one run in the default style
        bool hasWide = false;
        bool goesOn = false;
        RowMark mark = RowMark::None;
    };
    static Header readHeader(const Block& block, std::size_t& at);
    Block& blockForMore();
    static std::uint8_t* putRun(std::uint8_t* out, const Cell* cells, const Cell* end, const Clusters& clusters, bool& hasWide);
    void append(const Cell* cells, std::size_t count, RowMark mark, bool goesOn, bool mayBeWide, const Clusters& clusters);
    void enforceLimits();
    std::size_t rowsOf(const Block& block, std::size_t paragraph) const;
    std::size_t rowsOf(const std::vector<Cell>& cells) const;
    std::uint32_t penNumber(Block& block, const Pen& pen);
    void dropOldest();
    /// Calls visit(text, width, pen) for each character until it answers false.
    template <typename Visit> static void decode(const Block& block, std::size_t paragraph, Visit&& visit);
    void readStored(const Block& block, std::size_t paragraph, std::size_t row, const Extras& extras, Row& out) const;
    void readOpen(std::size_t row, const Extras& extras, const Clusters& clusters, Row& out) const;

    int m_columns;
    ScrollbackLimits m_limits;
    std::deque<Block> m_blocks;
    Paragraph m_open;
    std::size_t m_rows = 0;
    std::size_t m_openRows = 0;
    std::size_t m_bytes = 0; ///< of all blocks but the last
    std::uint64_t m_dropped = 0;
    std::vector<std::uint8_t> m_encoded; ///< the paragraph that is being added
    std::array<std::uint32_t, 64> m_penCache{}; ///< numbers in the last block, plus one

    /// Where the last read was: rows are mostly read one after another.
    struct Place
    {
        std::size_t block = 0;
        std::size_t paragraph = 0;
        std::size_t row = 0; ///< the paragraph's first
        bool isValid = false;
    };
    mutable Place m_place;
};

/// Where the rows of a paragraph begin: each row holds as many cells as fit, and a wide character is never cut.
/// Calls begin(first, end, isPadded) for each.
template <typename Cells, typename Begin> void wrapParagraph(const Cells& cells, std::size_t columns, Begin&& begin)
{
    std::size_t first = 0;
    do {
        std::size_t end = std::min(cells.size(), first + columns);
        const bool isPadded = end < cells.size() && end > first + 1 && cells[end].width() == 0;
        end -= isPadded ? 1 : 0;
        begin(first, end, isPadded);
        first = end;
    } while (first < cells.size());
}

} // namespace coldframe::terminal
