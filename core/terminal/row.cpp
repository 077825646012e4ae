// SPDX-License-Identifier: Apache-2.0
#include "terminal/row.h"

#include <algorithm>

namespace coldframe::terminal {

const Row::Item& Row::item(int column) const
{
    static const Item kBlank;
    return column >= 0 && column < columns() ? m_items[static_cast<std::size_t>(column)] : kBlank;
}

std::u32string_view Row::text(int column) const
{
    const Item& shown = item(column);
    return std::u32string_view(m_text).substr(shown.textAt, shown.textSize);
}

int Row::width(int column) const { return item(column).width; }

const Style& Row::style(int column) const { return item(column).style; }

std::uint32_t Row::linkId(int column) const { return item(column).linkId; }

std::string_view Row::link(int column) const
{
    const std::uint32_t id = item(column).linkId;
    const auto found = std::find_if(m_links.begin(), m_links.end(), [&](const Link& link) { return link.id == id; });
    return id == 0 || found == m_links.end() ? std::string_view{} : std::string_view(found->target);
}

void Row::begin()
{
    m_items.clear();
    m_text.clear();
    m_links.clear();
    m_isWrapped = false;
    m_mark = RowMark::None;
}

void Row::add(std::u32string_view text, int width, const Style& style, std::uint32_t linkId)
{
    m_items.push_back({style, static_cast<std::uint32_t>(m_text.size()), linkId, static_cast<std::uint16_t>(text.size()),
                       static_cast<std::uint8_t>(width)});
    m_text += text;
}

bool Row::hasLinkTarget(std::uint32_t linkId) const
{
    return std::any_of(m_links.begin(), m_links.end(), [&](const Link& link) { return link.id == linkId; });
}

void Row::addLinkTarget(std::uint32_t linkId, std::string_view target) { m_links.push_back({linkId, std::string(target)}); }

void Row::end(bool wrapped, RowMark mark)
{
    m_isWrapped = wrapped;
    m_mark = mark;
}

} // namespace coldframe::terminal
