// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/box_drawing.h"

#include <QColor>
#include <QPainter>
#include <QPainterPath>

namespace coldframe::ui {

namespace {

/// For each character from U+2500 on the weight of its arms to the left, right, up and down: 0 none, 1 light, 2 heavy,
/// 3 double (Unicode names of the block “Box Drawing”).
constexpr char kArms[] =
    "110022000011002211002200001100221100220000110022010102010102020210012001100220020110021001200220"
    "101020101020202001110211012101120122022102120222101120111021101210222021201220221101210112012201"
    "110221021202220211102110121022101120212012202220111121111211221111211112112221211221211212122221"
    "221221221222222211002200001100223300003303010103030330011003300303100130033030101030303003110133"
    "033330111033303333011103330333101130333033111133333301011001101001100000000000001000001001000001"
    "20000020020000021200001221000021";
static_assert(sizeof kArms == 0x80 * 4 + 1);

/// U+2596 to U+259F: the quadrants that are filled, as bits 1 upper left, 2 upper right, 4 lower left, 8 lower right.
constexpr int kQuadrants[] = {4, 8, 1, 13, 9, 7, 11, 2, 6, 14};

struct Arms
{
    int left;
    int right;
    int up;
    int down;
};

int dashesOf(char32_t character)
{
    if (character >= 0x2504 && character <= 0x2507) {
        return 3;
    }
    if (character >= 0x2508 && character <= 0x250B) {
        return 4;
    }
    return character >= 0x254C && character <= 0x254F ? 2 : 0;
}

/// Draws in a cell whose middle and line widths are whole pixels.
class Pen
{
public:
    Pen(QPainter& painter, const QRect& cell, const QColor& ink) : m_painter(painter), m_cell(cell), m_ink(ink)
    {
        m_light = qMax(1, cell.height() / 14);
        m_x = cell.left() + (cell.width() - m_light) / 2;
        m_y = cell.top() + (cell.height() - m_light) / 2;
    }

    void fill(int x1, int y1, int x2, int y2) const { m_painter.fillRect(QRect(QPoint(x1, y1), QPoint(x2 - 1, y2 - 1)), m_ink); }

    void dashes(int count, bool vertical, bool heavy) const
    {
        const int length = vertical ? m_cell.height() : m_cell.width();
        const int width = heavy ? 2 * m_light : m_light;
        for (int i = 0; i < count; ++i) {
            const int from = length * i / count;
            const int to = qMax(from + 1, length * (i + 1) / count - qMax(1, length / count / 3));
            if (vertical) {
                fill(m_x, m_cell.top() + from, m_x + width, m_cell.top() + to);
            } else {
                fill(m_cell.left() + from, m_y, m_cell.left() + to, m_y + width);
            }
        }
    }

    void lines(const Arms& arms) const
    {
        horizontal(arms.left, arms.up, arms.down, true);
        horizontal(arms.right, arms.up, arms.down, false);
        vertical(arms.up, arms.left, arms.right, true);
        vertical(arms.down, arms.left, arms.right, false);
    }

    void arc(const Arms& arms) const
    {
        const qreal half = m_light / 2.0;
        const QPointF middle(m_x + half, m_y + half);
        const qreal radius = qMin(m_cell.width(), m_cell.height()) / 2.0;
        const qreal x = arms.left ? m_cell.left() : m_cell.right() + 1;
        const qreal y = arms.up ? m_cell.top() : m_cell.bottom() + 1;
        QPainterPath path(QPointF(x, middle.y()));
        path.lineTo(middle.x() + (arms.left ? -radius : radius), middle.y());
        path.quadTo(middle, QPointF(middle.x(), middle.y() + (arms.up ? -radius : radius)));
        path.lineTo(middle.x(), y);
        stroke(path);
    }

    void diagonals(bool rising, bool falling) const
    {
        const QRectF box(m_cell);
        QPainterPath path;
        if (rising) {
            path.moveTo(box.bottomLeft());
            path.lineTo(box.topRight());
        }
        if (falling) {
            path.moveTo(box.topLeft());
            path.lineTo(box.bottomRight());
        }
        stroke(path);
    }

private:
    int widthOf(int weight) const { return weight == 2 ? 2 * m_light : m_light; }

    /// The arm to one side. A double arm's two lines go on to the crossing lines that they meet, and no further.
    void horizontal(int weight, int up, int down, bool left) const
    {
        if (weight == 0) {
            return;
        }
        const int crossing = qMax(widthOf(up), widthOf(down));
        const auto line = [&](int y, int width, int meet) {
            if (left) {
                fill(m_cell.left(), y, meet + crossing, y + width);
            } else {
                fill(meet, y, m_cell.right() + 1, y + width);
            }
        };
        if (weight != 3) {
            line(m_y, widthOf(weight), m_x);
            return;
        }
        const int side = left ? -m_light : m_light;
        const auto meets = [&](int near, int far) { return near == 3 ? m_x + side : far == 3 ? m_x - side : m_x; };
        line(m_y - m_light, m_light, meets(up, down));
        line(m_y + m_light, m_light, meets(down, up));
    }

    void vertical(int weight, int left, int right, bool upwards) const
    {
        if (weight == 0) {
            return;
        }
        const int crossing = qMax(widthOf(left), widthOf(right));
        const auto line = [&](int x, int width, int meet) {
            if (upwards) {
                fill(x, m_cell.top(), x + width, meet + crossing);
            } else {
                fill(x, meet, x + width, m_cell.bottom() + 1);
            }
        };
        if (weight != 3) {
            line(m_x, widthOf(weight), m_y);
            return;
        }
        const int side = upwards ? -m_light : m_light;
        const auto meets = [&](int near, int far) { return near == 3 ? m_y + side : far == 3 ? m_y - side : m_y; };
        line(m_x - m_light, m_light, meets(left, right));
        line(m_x + m_light, m_light, meets(right, left));
    }

    void stroke(const QPainterPath& path) const
    {
        m_painter.save();
        m_painter.setClipRect(m_cell);
        m_painter.setRenderHint(QPainter::Antialiasing);
        m_painter.strokePath(path, QPen(m_ink, m_light, Qt::SolidLine, Qt::FlatCap));
        m_painter.restore();
    }

    QPainter& m_painter;
    QRect m_cell;
    QColor m_ink;
    int m_light = 1;
    int m_x = 0;
    int m_y = 0;
};

void drawBlock(QPainter& painter, const QRect& cell, char32_t character, QColor ink)
{
    const int x = cell.left();
    const int y = cell.top();
    const int right = cell.right() + 1;
    const int bottom = cell.bottom() + 1;
    const auto across = [&](int eighths) { return x + (cell.width() * eighths + 4) / 8; };
    const auto along = [&](int eighths) { return y + (cell.height() * eighths + 4) / 8; };
    const auto fill = [&](int x1, int y1, int x2, int y2) {
        painter.fillRect(QRect(QPoint(x1, y1), QPoint(x2 - 1, y2 - 1)), ink);
    };
    if (character == 0x2580) {
        fill(x, y, right, along(4));
    } else if (character <= 0x2588) { // lower eighths up to the full block
        fill(x, along(8 - static_cast<int>(character - 0x2580)), right, bottom);
    } else if (character <= 0x258F) { // left eighths, falling
        fill(x, y, across(static_cast<int>(0x2590 - character)), bottom);
    } else if (character == 0x2590) {
        fill(across(4), y, right, bottom);
    } else if (character <= 0x2593) { // shades
        ink.setAlphaF(ink.alphaF() * 0.25f * static_cast<float>(character - 0x2590));
        fill(x, y, right, bottom);
    } else if (character == 0x2594) {
        fill(x, y, right, along(1));
    } else if (character == 0x2595) {
        fill(across(7), y, right, bottom);
    } else {
        const int quadrants = kQuadrants[character - 0x2596];
        for (int bit = 0; bit < 4; ++bit) {
            if (quadrants & (1 << bit)) {
                fill(bit & 1 ? across(4) : x, bit & 2 ? along(4) : y, bit & 1 ? right : across(4), bit & 2 ? bottom : along(4));
            }
        }
    }
}

} // namespace

bool drawBoxCharacter(QPainter& painter, const QRect& cell, char32_t character, const QColor& ink)
{
    if (character < 0x2500 || character > 0x259F) {
        return false;
    }
    if (character >= 0x2580) {
        drawBlock(painter, cell, character, ink);
        return true;
    }
    const Pen pen(painter, cell, ink);
    const char* at = kArms + (character - 0x2500) * 4;
    const Arms arms{at[0] - '0', at[1] - '0', at[2] - '0', at[3] - '0'};
    if (const int dashes = dashesOf(character)) {
        pen.dashes(dashes, arms.up != 0, qMax(arms.up, arms.left) == 2);
    } else if (character >= 0x256D && character <= 0x2570) {
        pen.arc(arms);
    } else if (character >= 0x2571 && character <= 0x2573) {
        pen.diagonals(character != 0x2572, character != 0x2571);
    } else {
        pen.lines(arms);
    }
    return true;
}

} // namespace coldframe::ui
