// SPDX-License-Identifier: Apache-2.0
#include "terminal/cell.h"

namespace coldframe::terminal {

Style Pen::style() const
{
    Style style;
    style.foreground = foreground;
    style.background = background;
    style.bold = has(kBold);
    style.dim = has(kDim);
    style.italic = has(kItalic);
    style.blink = has(kBlink);
    style.inverse = has(kInverse);
    style.hidden = has(kHidden);
    style.strike = has(kStrike);
    style.overline = has(kOverline);
    style.isProtected = has(kProtected);
    style.underline = underline();
    return style;
}

} // namespace coldframe::terminal
