// SPDX-License-Identifier: Apache-2.0
// The same streams through xterm.js without a window: xterm_bench.mjs MODULES JOBS. JOBS is a file of lines
// "name rows columns seconds setup-file payload-file"; a line "name rows columns MB/s" comes out for each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, jobs] = process.argv.slice(2);
const { Terminal } = createRequire(join(modules, "x.js"))("@xterm/headless");

for (const job of readFileSync(jobs, "utf8").trim().split("\n")) {
  const [name, rows, columns, seconds, setup, payload] = job.split(" ");
  const terminal = new Terminal({ rows: +rows, cols: +columns, scrollback: 10000, allowProposedApi: true });
  const written = (bytes) => new Promise((done) => terminal.write(bytes, done));
  await written(readFileSync(setup));
  const unit = readFileSync(payload);
  const pieces = [];
  while (pieces.reduce((sum, piece) => sum + piece.length, 0) < 262144) {
    for (let at = 0; at < unit.length; at += 65536) {
      pieces.push(unit.subarray(at, at + 65536));
    }
  }
  let bytes = 0;
  const start = process.hrtime.bigint();
  let took = 0;
  do {
    // Several writes at a time, so that it need not wait for a turn of the event loop after each.
    await Promise.all(pieces.map((piece) => ((bytes += piece.length), written(piece))));
    took = Number(process.hrtime.bigint() - start) / 1e9;
  } while (took < +seconds);
  console.log(`${name} ${rows} ${columns} ${bytes / 1e6 / took}`);
  terminal.dispose();
}
