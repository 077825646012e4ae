// SPDX-License-Identifier: Apache-2.0
// Writes unicode_table.cpp from the Unicode Character Database, Unicode 18.0, in the form npm has it:
//   npm install @unicode/unicode-18.0.0@2 get-east-asian-width@1.7 && node make_unicode_table.mjs > unicode_table.cpp
// Run from a folder with these two packages; only a new version of Unicode makes it necessary.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const from = path.join(process.cwd(), 'node_modules/');
const load = async (name) => (await import(pathToFileURL(path.join(from, name)))).default;
const unicode = async (name) => new Set(await load(`@unicode/unicode-18.0.0/${name}/code-points.mjs`));
const { eastAsianWidth } = await import(pathToFileURL(path.join(from, 'get-east-asian-width/index.js')));

// The order is that of enum class Join in graphemes.h.
const kOther = 0, kExtend = 1, kZwj = 2, kSpacing = 3, kRegional = 4, kL = 5, kV = 6, kT = 7, kLv = 8, kLvt = 9, kPictographic = 10, kIgnored = 11;
const joins = new Array(0x110000).fill(kOther);
const put = (set, value) => { for (const c of set) joins[c] = value; };
const format = await unicode('General_Category/Format');
const nonspacing = new Set([...await unicode('General_Category/Nonspacing_Mark'), ...await unicode('General_Category/Enclosing_Mark')]);
const letters = await unicode('General_Category/Other_Letter');
const prepend = await unicode('Grapheme_Cluster_Break/Prepend');
put(await unicode('Binary_Property/Extended_Pictographic'), kPictographic);
put(format, kIgnored);
put(await unicode('General_Category/Line_Separator'), kIgnored);
put(await unicode('General_Category/Paragraph_Separator'), kIgnored);
joins[0xAD] = kOther; // the soft hyphen has always been shown by terminals
put(prepend, kOther);
for (const [name, value] of [['Extend', kExtend], ['ZWJ', kZwj], ['SpacingMark', kSpacing], ['Regional_Indicator', kRegional],
                             ['L', kL], ['V', kV], ['T', kT], ['LV', kLv], ['LVT', kLvt]]) {
    put(await unicode(`Grapheme_Cluster_Break/${name}`), value);
}
put(nonspacing, kExtend);
for (const c of letters) { // SARA AM: takes a column of its own everywhere
    if (joins[c] === kSpacing) joins[c] = kOther;
}
const emoji = await unicode('Binary_Property/Emoji');
const modifiers = await unicode('Binary_Property/Emoji_Modifier');
const value = (c) => {
    const join = joins[c];
    const isWide = eastAsianWidth(c) === 2;
    let width = isWide ? 2 : 1;
    if (join === kIgnored || join === kZwj || (join === kExtend && !modifiers.has(c))) width = 0;
    return join | (width << 4) | (emoji.has(c) && !isWide && c > 0x7F || c === 0x23 || c === 0x2A || (c >= 0x30 && c <= 0x39) ? 64 : 0);
};
const ranges = [];
for (let c = 0; c < 0x110000; ++c) {
    const v = value(c);
    if (ranges.length === 0 || ranges.at(-1)[1] !== v) ranges.push([c, v]);
}
const words = ranges.map(([c, v]) => `0x${((c << 8 >>> 0) + v).toString(16).toUpperCase()}`);
let text = `// SPDX-License-Identifier: Apache-2.0
// Made by make_unicode_table.mjs from Unicode 18.0: East_Asian_Width, Grapheme_Cluster_Break, Emoji and others.
#include "terminal/unicode_table.h"

namespace coldframe::terminal {

namespace {

constexpr std::uint32_t kRanges[] = {
`;
for (let i = 0; i < words.length; i += 11) text += `    ${words.slice(i, i + 11).join(', ')},\n`;
text += `};

} // namespace

std::span<const std::uint32_t> unicodeRanges() { return kRanges; }

} // namespace coldframe::terminal
`;
process.stdout.write(text);
