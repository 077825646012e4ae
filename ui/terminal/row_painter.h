// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/row.h"
#include "ui/terminal/color_scheme.h"

#include <QCache>
#include <QFont>
#include <QGlyphRun>
#include <QHash>
#include <QRawFont>
#include <array>
#include <vector>

class QPainter;

namespace coldframe::ui {

/// Columns of a row that are shown otherwise than the program asked: selected, found, a link that is pointed at.
struct Highlight
{
    int from = 0;
    int to = 0;
    QColor paper{};         ///< invalid: as it is
    QColor ink{};
    bool underlined = false;
};

/// How a row is painted apart from its content.
struct RowLook
{
    const ColorScheme* scheme = nullptr;
    bool reverse = false;   ///< the program swapped foreground and background of the whole screen
    bool hideBlinking = false;
    std::vector<Highlight> highlights{}; ///< later ones lie over earlier ones
};

/// Paints rows of a terminal. Characters that the font has are drawn as runs of glyphs whose numbers are looked up once; others
/// (of other scripts, clusters, emoji) are laid out once and kept. For the GUI thread.
class RowPainter
{
public:
    void setFont(const QFont& font, bool ligatures);
    int cellWidth() const { return m_cellWidth; }
    int cellHeight() const { return m_cellHeight; }
    int ascent() const { return m_ascent; }

    /// The row's top left is at `origin`. True when something of it blinks.
    bool paint(QPainter& painter, const terminal::Row& row, int columns, const QPoint& origin, const RowLook& look);
    /// One cell in these colours, as a block cursor shows it.
    void paintCell(QPainter& painter, const terminal::Row& row, int column, const QRect& box, const QColor& ink, const QColor& paper);

private:
    struct Face
    {
        QFont font;
        QRawFont raw;
        std::array<quint32, 128> ascii{};
        QHash<char32_t, quint32> others;
    };
    struct Laid
    {
        QList<QGlyphRun> runs;
        qreal ascent = 0;
        qreal width = 0;
        qreal height = 0;
    };
    struct Inks
    {
        QColor ink;
        QColor paper;
        QColor line;
        bool underlined = false; ///< by a highlight
    };
    struct Run; // what is drawn at once

    Face& face(const terminal::Style& style);
    quint32 glyph(Face& of, char32_t character);
    QString clusterOf(Face& of, std::u32string_view text);
    const Laid& laid(Face& of, const QString& text);
    Inks inksOf(const terminal::Style& style, int column, const RowLook& look) const;
    void flush(QPainter& painter, Run& run);
    void paintCluster(QPainter& painter, Face& of, const QString& text, const QRect& box, const QColor& ink);
    int paintLigature(QPainter& painter, Face& of, const terminal::Row& row, int column, int end, const QRect& box, const QColor& ink);
    void paintLines(QPainter& painter, const terminal::Style& style, const QRect& box, const Inks& inks) const;

    std::array<Face, 4> m_faces;
    QCache<QString, Laid> m_laid{4000};
    bool m_ligatures = false;
    int m_cellWidth = 8;
    int m_cellHeight = 16;
    int m_ascent = 12;
};

} // namespace coldframe::ui
