// SPDX-License-Identifier: Apache-2.0
// xterm.js without a window, asked as `terminal_driver --batch` is (tests/tools/batch.h): xterm_js.mjs MODULES. A line of JSON in,
// a line of JSON out.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const load = createRequire(join(process.argv[2], "x.js"));
const { Terminal } = load("@xterm/headless");
const { Unicode11Addon } = load("@xterm/addon-unicode11");

const written = (terminal, bytes) => new Promise((done) => terminal.write(bytes, done));

function color(cell, of) {
  if (cell[`is${of}Default`]()) return "";
  const value = cell[`get${of}Color`]();
  return cell[`is${of}RGB`]() ? "#" + value.toString(16).padStart(6, "0").toUpperCase() : String(value);
}

function style(cell) {
  const words = [];
  const names = { bold: "isBold", dim: "isDim", italic: "isItalic", blink: "isBlink", inverse: "isInverse", hidden: "isInvisible", strike: "isStrikethrough", overline: "isOverline" };
  for (const [name, method] of Object.entries(names)) if (cell[method]()) words.push(name);
  if (cell.isUnderline()) words.push("underline");
  const [fg, bg] = [color(cell, "Fg"), color(cell, "Bg")];
  if (fg) words.push("fg=" + fg);
  if (bg) words.push("bg=" + bg);
  return words.join(" ");
}

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  const terminal = new Terminal({ rows: job.rows, cols: job.columns, scrollback: 20000, allowProposedApi: true, logLevel: "off", vtExtensions: { kittyKeyboard: true } });
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = "11"; // its addon for whole clusters takes single emoji for narrow
  let replies = "";
  terminal.onData((data) => (replies += data));
  for (const step of job.steps) {
    if (step[0] === "r") terminal.resize(step[2], step[1]);
    else await written(terminal, Buffer.from(step[1], "latin1"));
  }
  const buffer = terminal.buffer.active;
  const row = (y) => buffer.getLine(y)?.translateToString(true).replace(/ +$/, "") ?? "";
  const answer = { rows: terminal.rows, columns: terminal.cols, screen: [], history: [], replies,
    cursor: [buffer.cursorY, Math.min(buffer.cursorX, terminal.cols - 1)], wrapPending: buffer.cursorX >= terminal.cols, alternateScreen: buffer.type === "alternate" };
  for (let y = 0; y < buffer.baseY; ++y) answer.history.push(row(y));
  for (let y = 0; y < terminal.rows; ++y) answer.screen.push(row(buffer.baseY + y));
  if (job.styles) {
    answer.styles = answer.screen.map((_, y) => {
      const all = buffer.getLine(buffer.baseY + y);
      return all ? [...Array(terminal.cols).keys()].map((x) => style(all.getCell(x))) : [];
    });
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
  terminal.dispose();
}
