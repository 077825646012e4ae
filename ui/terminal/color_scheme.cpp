// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/color_scheme.h"

#include <algorithm>
#include <cmath>

namespace coldframe::ui {

namespace {

struct Entry
{
    const char* id;
    const char* name;
    bool isLight;
    QRgb foreground;
    QRgb background;
    QRgb selection;
    QRgb cursor;
    std::array<QRgb, 16> named;
};

constexpr Entry kSchemes[] = {
    {"coldframe-dark", "Coldframe Dark", false, 0xD8DEE4, 0x14181D, 0x2F4F6F, 0xD8DEE4,
     {0x2A3038, 0xF2777A, 0x8CC570, 0xE5C07B, 0x6FB3F2, 0xC792EA, 0x5CC8C2, 0xC9D1D9,
      0x7D8792, 0xFF9698, 0xA9DC8E, 0xF5D99A, 0x93C8F8, 0xDAB2F2, 0x86DDD8, 0xFFFFFF}},
    {"coldframe-light", "Coldframe Light", true, 0x24292F, 0xFBFBFA, 0xBBD6F2, 0x24292F,
     {0x24292F, 0xB4232C, 0x1F6F34, 0x7A5500, 0x0A58B0, 0x7B33A8, 0x0B6B70, 0x57606A,
      0x57606A, 0xCF222E, 0x2A7F3F, 0x8A6100, 0x1467C4, 0x8F45BE, 0x127A80, 0x6E7781}},
    {"solarized-dark", "Solarized Dark", false, 0x93A1A1, 0x002B36, 0x073642, 0x93A1A1,
     {0x073642, 0xE56663, 0x859900, 0xB58900, 0x3295DA, 0xDD649F, 0x2AA198, 0xEEE8D5,
      0x7A939B, 0xE96630, 0x859900, 0xB58900, 0x3295DA, 0x858ACE, 0x2AA198, 0xFDF6E3}},
    {"solarized-light", "Solarized Light", true, 0x4D6067, 0xFDF6E3, 0xEEE8D5, 0x586E75,
     {0x073642, 0xD72724, 0x667500, 0x8C6A00, 0x2074AF, 0xCD2D7A, 0x217D76, 0x586E75,
      0x002B36, 0xC24815, 0x667500, 0x8C6A00, 0x2074AF, 0x6166C0, 0x217D76, 0x586E75}},
    {"gruvbox-dark", "Gruvbox Dark", false, 0xEBDBB2, 0x282828, 0x504945, 0xEBDBB2,
     {0x3C3836, 0xE96761, 0x98971A, 0xD79921, 0x519CA0, 0xBF7D9B, 0x689D6A, 0xA89984,
      0x9B8D7F, 0xFB5643, 0xB8BB26, 0xFABD2F, 0x83A598, 0xD3869B, 0x8EC07C, 0xEBDBB2}},
    {"gruvbox-light", "Gruvbox Light", true, 0x3C3836, 0xFBF1C7, 0xD5C4A1, 0x3C3836,
     {0x3C3836, 0xCC241D, 0x717013, 0x8C6415, 0x3C7477, 0xA35177, 0x4D764E, 0x766A5F,
      0x76695D, 0x9D0006, 0x74700D, 0x956110, 0x076678, 0x8F3F71, 0x407856, 0x3C3836}},
    {"dracula", "Dracula", false, 0xF8F8F2, 0x282A36, 0x44475A, 0xF8F8F2,
     {0x21222C, 0xFF5A5A, 0x50FA7B, 0xF1FA8C, 0xBD93F9, 0xFF79C6, 0x8BE9FD, 0xF8F8F2,
      0x8692B9, 0xFF6E6E, 0x69FF94, 0xFFFFA5, 0xD6ACFF, 0xFF92DF, 0xA4FFFF, 0xFFFFFF}},
    {"nord", "Nord", false, 0xD8DEE9, 0x2E3440, 0x434C5E, 0xD8DEE9,
     {0x3B4252, 0xD18D93, 0xA3BE8C, 0xEBCB8B, 0x81A1C1, 0xB691AF, 0x88C0D0, 0xE5E9F0,
      0x939DB2, 0xD18D93, 0xA3BE8C, 0xEBCB8B, 0x81A1C1, 0xB691AF, 0x8FBCBB, 0xECEFF4}},
    {"one-dark", "One Half Dark", false, 0xDCDFE4, 0x282C34, 0x474E5D, 0xDCDFE4,
     {0x282C34, 0xE2747D, 0x98C379, 0xE5C07B, 0x61AFEF, 0xC678DD, 0x56B6C2, 0xDCDFE4,
      0x8D96A7, 0xE2747D, 0x98C379, 0xE5C07B, 0x61AFEF, 0xC678DD, 0x56B6C2, 0xDCDFE4}},
    {"one-light", "One Half Light", true, 0x383A42, 0xFAFAFA, 0xBFCEFF, 0x383A42,
     {0x383A42, 0xD52F20, 0x3F7F3E, 0x986801, 0x0179AD, 0xA626A4, 0x077A91, 0x707177,
      0x4F525E, 0xD43542, 0x547B37, 0x956B1D, 0x1473C2, 0xAE3FCF, 0x317D87, 0x383A42}},
    {"tango-dark", "Tango Dark", false, 0xD3D7CF, 0x16191B, 0x3E4A54, 0xD3D7CF,
     {0x2E3436, 0xFF1A1A, 0x4E9A06, 0xC4A000, 0x5286C8, 0x9D73A4, 0x06989A, 0xD3D7CF,
      0x80837D, 0xF03C3C, 0x8AE234, 0xFCE94F, 0x729FCF, 0xAD7FA8, 0x34E2E2, 0xEEEEEC}},
    {"tango-light", "Tango Light", true, 0x2E3436, 0xFFFFFF, 0xC4D9EE, 0x2E3436,
     {0x2E3436, 0xCC0000, 0x428105, 0x8C7200, 0x3465A4, 0x75507B, 0x058081, 0x6B6F6A,
      0x555753, 0xE81111, 0x4B8413, 0x827402, 0x3E78B6, 0x9B6395, 0x127F7F, 0x2E3436}},
};

ColorScheme made(const Entry& entry)
{
    ColorScheme scheme{QString::fromLatin1(entry.id), QString::fromLatin1(entry.name), entry.isLight, QColor(entry.foreground),
                       QColor(entry.background),      QColor(entry.selection),        QColor(entry.cursor), {}, {}};
    std::transform(entry.named.begin(), entry.named.end(), scheme.named.begin(), [](QRgb rgb) { return QColor(rgb); });
    return scheme;
}

double luminance(const QColor& color)
{
    const auto linear = [](double part) { return part <= 0.03928 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4); };
    return 0.2126 * linear(static_cast<double>(color.redF())) + 0.7152 * linear(static_cast<double>(color.greenF())) +
           0.0722 * linear(static_cast<double>(color.blueF()));
}

} // namespace

double contrast(const QColor& one, const QColor& other)
{
    const double a = luminance(one);
    const double b = luminance(other);
    return (std::max(a, b) + 0.05) / (std::min(a, b) + 0.05);
}

const QList<ColorScheme>& ColorScheme::all()
{
    static const QList<ColorScheme> schemes = [] {
        QList<ColorScheme> list;
        for (const Entry& entry : kSchemes) {
            list.append(made(entry));
        }
        return list;
    }();
    return schemes;
}

ColorScheme ColorScheme::dark() { return all()[0]; }
ColorScheme ColorScheme::light() { return all()[1]; }

ColorScheme ColorScheme::find(const QString& id, bool isLight)
{
    for (const ColorScheme& scheme : all()) {
        if (scheme.id == id && scheme.isLight == isLight) {
            return scheme;
        }
    }
    return isLight ? light() : dark();
}

QColor ColorScheme::resolve(const terminal::Color& color, bool isForeground, bool bold) const
{
    using Kind = terminal::Color::Kind;
    if (color.kind == Kind::Default) {
        return isForeground ? foreground : background;
    }
    if (color.kind == Kind::Rgb) {
        return QColor(color.red, color.green, color.blue);
    }
    const int index = color.red;
    if (index < 16) {
        const bool brighten = isForeground && bold && index < 8;
        return named[static_cast<std::size_t>(brighten ? index + 8 : index)];
    }
    if (!others.isEmpty() && others.contains(index)) {
        return others[index];
    }
    if (index < 232) { // the 6×6×6 cube
        const auto level = [](int n) { return n == 0 ? 0 : 55 + n * 40; };
        const int n = index - 16;
        return QColor(level(n / 36), level(n / 6 % 6), level(n % 6));
    }
    const int gray = 8 + (index - 232) * 10;
    return QColor(gray, gray, gray);
}

} // namespace coldframe::ui
