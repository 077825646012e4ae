// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/color_scheme.h"

namespace coldframe::ui {

ColorScheme ColorScheme::dark()
{
    return {QColor(0xD8DEE4), QColor(0x14181D), QColor(0x2F4F6F), QColor(0xD8DEE4),
            {QColor(0x2A3038), QColor(0xF2777A), QColor(0x8CC570), QColor(0xE5C07B), QColor(0x6FB3F2), QColor(0xC792EA),
             QColor(0x5CC8C2), QColor(0xC9D1D9), QColor(0x7D8792), QColor(0xFF9698), QColor(0xA9DC8E), QColor(0xF5D99A),
             QColor(0x93C8F8), QColor(0xDAB2F2), QColor(0x86DDD8), QColor(0xFFFFFF)}};
}

ColorScheme ColorScheme::light()
{
    return {QColor(0x24292F), QColor(0xFBFBFA), QColor(0xBBD6F2), QColor(0x24292F),
            {QColor(0x24292F), QColor(0xB4232C), QColor(0x1F6F34), QColor(0x7A5500), QColor(0x0A58B0), QColor(0x7B33A8),
             QColor(0x0B6B70), QColor(0x57606A), QColor(0x57606A), QColor(0xCF222E), QColor(0x2A7F3F), QColor(0x8A6100),
             QColor(0x1467C4), QColor(0x8F45BE), QColor(0x127A80), QColor(0x6E7781)}};
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
    if (index < 232) { // the 6×6×6 cube
        const auto level = [](int n) { return n == 0 ? 0 : 55 + n * 40; };
        const int n = index - 16;
        return QColor(level(n / 36), level(n / 6 % 6), level(n % 6));
    }
    const int gray = 8 + (index - 232) * 10;
    return QColor(gray, gray, gray);
}

} // namespace coldframe::ui
