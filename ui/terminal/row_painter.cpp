// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/row_painter.h"

#include "ui/terminal/box_drawing.h"

#include <QFontMetricsF>
#include <QPainter>
#include <QPainterPath>
#include <QTextLayout>
#include <QtMath>
#include <memory>
#include <utility>

namespace coldframe::ui {

using namespace terminal;

namespace {

/// Symbols that agents use and that few fonts have, each with one of the same meaning that nearly all have.
constexpr std::array<std::pair<char32_t, char32_t>, 6> kStandIns = {{
    {0x23BF, 0x2514}, // bracket before a tool's result
    {0x23F4, 0x25C0},
    {0x23F5, 0x25B6},
    {0x23F8, 0x2016},
    {0x23F9, 0x25A0},
    {0x23FA, 0x25CF},
}};

constexpr int kMaxLigature = 4;

bool joins(char32_t c) { return c < 0x80 && std::u32string_view(U"!#$%&*+-./:<=>?@\\^|~").find(c) != std::u32string_view::npos; }

/// The cells from `column` on that look alike, up to `end`.
bool isAlike(const Style& a, const Style& b) { return a == b; }

} // namespace

/// Glyphs of one face in one ink.
struct RowPainter::Run
{
    Face* face = nullptr;
    QColor ink;
    QList<quint32> glyphs;
    QList<QPointF> places;
};

void RowPainter::setFont(const QFont& font, bool ligatures)
{
    m_ligatures = ligatures;
    const QFontMetricsF metrics(font);
    m_cellWidth = qMax(4, qRound(metrics.horizontalAdvance(QLatin1Char('M'))));
    m_cellHeight = qMax(6, qCeil(metrics.height()));
    m_ascent = qRound(metrics.ascent());
    m_laid.clear();
    for (std::size_t i = 0; i < m_faces.size(); ++i) {
        Face& made = m_faces[i];
        made = Face();
        made.font = font;
        made.font.setBold((i & 1) != 0);
        made.font.setItalic((i & 2) != 0);
        made.raw = QRawFont::fromFont(made.font);
        for (char32_t c = 0x21; c < 0x7F; ++c) {
            const QList<quint32> found = made.raw.glyphIndexesForString(QString(QChar(static_cast<char16_t>(c))));
            made.ascii[c] = found.value(0);
        }
    }
}

RowPainter::Face& RowPainter::face(const Style& style) { return m_faces[(style.bold ? 1u : 0u) | (style.italic ? 2u : 0u)]; }

/// 0: the font has none.
quint32 RowPainter::glyph(Face& of, char32_t character)
{
    if (character < of.ascii.size()) {
        return of.ascii[character];
    }
    const auto known = of.others.constFind(character);
    if (known != of.others.constEnd()) {
        return *known;
    }
    if (of.others.size() > 20000) { // a hostile program may show every character there is
        of.others.clear();
    }
    quint32 found = 0;
    if (of.raw.supportsCharacter(static_cast<uint>(character))) {
        const QList<quint32> indexes = of.raw.glyphIndexesForString(QString::fromUcs4(&character, 1));
        found = indexes.size() == 1 ? indexes[0] : 0;
    }
    of.others.insert(character, found);
    return found;
}

QString RowPainter::clusterOf(Face& of, std::u32string_view text)
{
    for (const auto& [symbol, standIn] : kStandIns) {
        if (text[0] == symbol && glyph(of, symbol) == 0) {
            return QString::fromUcs4(&standIn, 1);
        }
    }
    return QString::fromUcs4(text.data(), static_cast<qsizetype>(text.size()));
}

const RowPainter::Laid& RowPainter::laid(Face& of, const QString& text)
{
    const QString key = QChar(static_cast<char16_t>(u'0' + (&of - m_faces.data()))) + text;
    if (const Laid* known = m_laid.object(key)) {
        return *known;
    }
    QTextLayout layout(text, of.font);
    layout.setCacheEnabled(false);
    layout.beginLayout();
    const QTextLine line = layout.createLine();
    layout.endLayout();
    auto made = std::make_unique<Laid>();
    made->runs = layout.glyphRuns();
    made->ascent = line.ascent();
    made->width = line.naturalTextWidth();
    made->height = line.height();
    Laid* kept = made.release();
    m_laid.insert(key, kept); // takes it; one is always less than the cache's size
    return *kept;
}

RowPainter::Inks RowPainter::inksOf(const Style& style, int column, const RowLook& look) const
{
    const ColorScheme& scheme = *look.scheme;
    Inks inks{scheme.resolve(style.foreground, true, style.bold), scheme.resolve(style.background, false, false), {}, false};
    if (style.inverse != look.reverse) {
        std::swap(inks.ink, inks.paper);
    }
    if (style.dim) {
        const auto mix = [](int ink, int paper) { return (ink * 2 + paper) / 3; };
        inks.ink = QColor(mix(inks.ink.red(), inks.paper.red()), mix(inks.ink.green(), inks.paper.green()), mix(inks.ink.blue(), inks.paper.blue()));
    }
    for (const Highlight& over : look.highlights) {
        if (column >= over.from && column < over.to) {
            inks.paper = over.paper.isValid() ? over.paper : inks.paper;
            inks.ink = over.ink.isValid() ? over.ink : inks.ink;
            inks.underlined = inks.underlined || over.underlined;
        }
    }
    // What a highlight makes unreadable is shown in the scheme's own ink.
    if (inks.ink != inks.paper && !look.highlights.empty() && contrast(inks.ink, inks.paper) < 2.5) {
        inks.ink = contrast(scheme.foreground, inks.paper) > contrast(scheme.background, inks.paper) ? scheme.foreground : scheme.background;
    }
    inks.line = style.underlineColor.kind == terminal::Color::Kind::Default ? inks.ink : scheme.resolve(style.underlineColor, true, false);
    return inks;
}

void RowPainter::flush(QPainter& painter, Run& run)
{
    if (run.glyphs.isEmpty()) {
        return;
    }
    QGlyphRun drawn;
    drawn.setRawFont(run.face->raw);
    drawn.setGlyphIndexes(run.glyphs);
    drawn.setPositions(run.places);
    painter.setPen(run.ink);
    painter.drawGlyphRun(QPointF(), drawn);
    run.glyphs.clear();
    run.places.clear();
}

bool RowPainter::paint(QPainter& painter, const Row& row, int columns, const QPoint& origin, const RowLook& look)
{
    const int count = qMin(columns, row.columns());
    const auto x = [&](int column) { return origin.x() + column * m_cellWidth; };
    const Style plain;
    const QColor blank = inksOf(plain, -1, look).paper;
    painter.fillRect(QRect(origin, QSize(columns * m_cellWidth, m_cellHeight)), blank);

    // First all the paper, so that no glyph that reaches into the next cell is cut off.
    std::vector<Inks> inks(static_cast<std::size_t>(count));
    const auto isHighlightEdge = [&](int column) {
        for (const Highlight& over : look.highlights) {
            if (column == over.from || column == over.to) {
                return true;
            }
        }
        return false;
    };
    bool blinks = false;
    for (int column = 0; column < count;) {
        const Style& style = row.style(column);
        const Inks same = inksOf(style, column, look);
        blinks = blinks || style.blink;
        int end = column;
        do {
            inks[static_cast<std::size_t>(end)] = same;
            ++end;
        } while (end < count && isAlike(row.style(end), style) && !isHighlightEdge(end));
        if (same.paper != blank) {
            painter.fillRect(QRect(x(column), origin.y(), (end - column) * m_cellWidth, m_cellHeight), same.paper);
        }
        column = end;
    }

    Run run;
    for (int column = 0; column < count; ++column) {
        const std::u32string_view text = row.text(column);
        const Style& style = row.style(column);
        const Inks& colors = inks[static_cast<std::size_t>(column)];
        const int width = qMax(1, row.width(column));
        const QRect box(x(column), origin.y(), m_cellWidth * width, m_cellHeight);
        const bool isShown = !text.empty() && text != U" " && row.width(column) != 0 && !style.hidden && !(style.blink && look.hideBlinking);
        if (isShown) {
            Face& of = face(style);
            if (run.face != &of || run.ink != colors.ink) {
                flush(painter, run);
                run.face = &of;
                run.ink = colors.ink;
            }
            int taken = 0;
            if (m_ligatures && joins(text[0])) {
                taken = paintLigature(painter, of, row, column, count, box, colors.ink);
            }
            const quint32 index = taken == 0 && text.size() == 1 && width == 1 && !(text[0] >= 0x2500 && text[0] <= 0x259F) ? glyph(of, text[0]) : 0;
            if (index != 0) {
                run.glyphs.append(index);
                run.places.append(QPointF(box.left(), origin.y() + m_ascent));
            } else if (taken == 0 && !(text.size() == 1 && drawBoxCharacter(painter, box, text[0], colors.ink))) {
                paintCluster(painter, of, clusterOf(of, text), box, colors.ink);
            }
            for (int joined = 0; joined + 1 < taken; ++joined) {
                paintLines(painter, style, box.translated(joined * m_cellWidth, 0), colors);
                ++column;
            }
        }
        if (row.width(column) != 0) {
            paintLines(painter, row.style(column), QRect(QPoint(x(column), origin.y()), box.size()), colors);
        }
    }
    flush(painter, run);
    return blinks;
}

/// What the font has no glyph for, what has marks and what is wide: laid out by Qt, in whatever font has it, and made to fit.
void RowPainter::paintCluster(QPainter& painter, Face& of, const QString& text, const QRect& box, const QColor& ink)
{
    const Laid& found = laid(of, text);
    painter.setPen(ink);
    const bool fits = found.width <= box.width() + 1 && found.height <= m_cellHeight + 2;
    if (fits) {
        for (const QGlyphRun& run : found.runs) {
            painter.drawGlyphRun(QPointF(box.left() + qMax(0.0, (box.width() - found.width) / 2), box.top() + m_ascent - found.ascent), run);
        }
        return;
    }
    painter.save();
    painter.setClipRect(box, Qt::IntersectClip);
    const qreal scale = qMin(1.0, qMin(box.width() / qMax(1.0, found.width), m_cellHeight / qMax(1.0, found.height)));
    painter.translate(box.left() + (box.width() - found.width * scale) / 2, box.top() + (m_cellHeight - found.height * scale) / 2);
    painter.scale(scale, scale);
    for (const QGlyphRun& run : found.runs) {
        painter.drawGlyphRun(QPointF(), run);
    }
    painter.restore();
}

/// Signs side by side that the font may draw as one. The number of cells that were drawn; 0: it draws them as they are.
int RowPainter::paintLigature(QPainter& painter, Face& of, const Row& row, int column, int end, const QRect& box, const QColor& ink)
{
    QString text;
    const Style& style = row.style(column);
    for (int at = column; at < end && at - column < kMaxLigature; ++at) {
        const std::u32string_view cell = row.text(at);
        if (cell.size() != 1 || !joins(cell[0]) || !isAlike(row.style(at), style)) {
            break;
        }
        text += QChar(static_cast<char16_t>(cell[0]));
    }
    const auto length = static_cast<int>(text.size());
    if (length < 2) {
        return 0;
    }
    const Laid& found = laid(of, text);
    if (qAbs(found.width - length * m_cellWidth) > length) {
        return 0; // not of fixed width
    }
    painter.setPen(ink);
    for (const QGlyphRun& run : found.runs) {
        painter.drawGlyphRun(QPointF(box.left(), box.top() + m_ascent - found.ascent), run);
    }
    return length;
}

void RowPainter::paintLines(QPainter& painter, const Style& style, const QRect& box, const Inks& inks) const
{
    if (style.underline == Underline::None && !style.strike && !style.overline && !inks.underlined) {
        return;
    }
    const int thick = qMax(1, m_cellHeight / 14);
    const auto bar = [&](int y, const QColor& color) { painter.fillRect(box.left(), y, box.width(), thick, color); };
    if (style.strike) {
        bar(box.top() + (m_ascent * 2) / 3, inks.ink);
    }
    if (style.overline) {
        bar(box.top(), inks.ink);
    }
    const int room = qMax(thick, m_cellHeight - m_ascent);
    const int y = box.top() + qMin(m_ascent + qMax(1, room / 3), m_cellHeight - thick);
    if (inks.underlined && style.underline == Underline::None) {
        bar(y, inks.ink);
    }
    switch (style.underline) {
    case Underline::None: break;
    case Underline::Single: bar(y, inks.line); break;
    case Underline::Double:
        bar(qMin(y, box.bottom() + 1 - 3 * thick), inks.line);
        bar(qMin(y, box.bottom() + 1 - 3 * thick) + 2 * thick, inks.line);
        break;
    case Underline::Dotted:
        for (int x = box.left(); x <= box.right(); x += 2 * thick) {
            painter.fillRect(x, y, thick, thick, inks.line);
        }
        break;
    case Underline::Dashed:
        // Two thirds of each cell, so that the dashes of neighbours are apart by the same everywhere.
        for (int x = box.left(); x + m_cellWidth - 1 <= box.right(); x += m_cellWidth) {
            painter.fillRect(x, y, qMax(1, m_cellWidth * 2 / 3), thick, inks.line);
        }
        break;
    case Underline::Curly: {
        const qreal middle = qMin<qreal>(y + thick, box.bottom() - 1);
        const qreal high = qMax<qreal>(1.2, thick * 1.2);
        painter.save();
        painter.setRenderHint(QPainter::Antialiasing);
        QPainterPath wave(QPointF(box.left(), middle));
        for (int x = box.left(); x + m_cellWidth - 1 <= box.right(); x += m_cellWidth) { // one wave a cell: neighbours join
            const qreal half = m_cellWidth / 2.0;
            wave.quadTo(x + half / 2, middle - 2 * high, x + half, middle);
            wave.quadTo(x + half * 1.5, middle + 2 * high, x + m_cellWidth, middle);
        }
        painter.setClipRect(box, Qt::IntersectClip);
        painter.strokePath(wave, QPen(inks.line, thick));
        painter.restore();
        break;
    }
    }
}

void RowPainter::paintCell(QPainter& painter, const Row& row, int column, const QRect& box, const QColor& ink, const QColor& paper)
{
    painter.fillRect(box, paper);
    const std::u32string_view text = row.text(column);
    const Style& style = row.style(column);
    if (text.empty() || text == U" " || style.hidden) {
        return;
    }
    if (text.size() == 1 && drawBoxCharacter(painter, box, text[0], ink)) {
        return;
    }
    Face& of = face(style);
    paintCluster(painter, of, clusterOf(of, text), box, ink);
}

} // namespace coldframe::ui
