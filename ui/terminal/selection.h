// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/terminal/logical_line.h"

#include <optional>
#include <utility>

namespace coldframe::ui {

enum class SelectionKind { Characters, Words, Lines, Block };

/// What is selected in a terminal, by rows that stay while others scroll.
class Selection
{
public:
    void clear() { m_kind.reset(); }
    bool isActive() const { return m_kind.has_value() && (m_anchor.first != m_anchor.second || m_head != m_anchor); }
    SelectionKind kind() const { return m_kind.value_or(SelectionKind::Characters); }
    void begin(const terminal::Terminal& terminal, const Spot& spot, SelectionKind kind);
    void extend(const terminal::Terminal& terminal, const Spot& spot);
    void selectAll(const terminal::Terminal& terminal);
    void select(const Spot& from, const Spot& to);

    Spot from() const;
    Spot to() const;
    /// The columns of a row that are selected: from, and the one after the last; equal: none.
    std::pair<int, int> columnsOf(qint64 row, int columns) const;
    /// Wrapped rows as one line, without the blanks at the end of lines. At most kMaxText characters.
    QString text(const terminal::Terminal& terminal) const;

    static constexpr qsizetype kMaxText = 64 << 20;

private:
    using Range = std::pair<Spot, Spot>;
    Range around(const terminal::Terminal& terminal, const Spot& spot) const;

    std::optional<SelectionKind> m_kind;
    Range m_anchor; ///< what was clicked: a spot, a word, a line
    Range m_head;
};

} // namespace coldframe::ui
