/** How long the page stands still while units are found: the longest piece between two yields, by what was done in it, and all of them
 *  together. node --experimental-transform-types --import ./test/resolve.mjs test/find_speed.ts [STEPS] [UNITS] */

import { findUnits } from "../src/model/find_units";
import { textTracks } from "../src/model/tracks";
import type { Values } from "../src/model/types";

const [steps, units] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 256)];
let seed = 1;
const random = (): number => {
  seed = (seed * 48271) % 2147483647;
  return seed / 2147483647;
};
const data = Float64Array.from({ length: steps * units }, () => 0);
for (let time = 1; time < steps; time++)
  for (let unit = 0; unit < units; unit++) data[time * units + unit] = 0.9 * data[(time - 1) * units + unit] + random() - 0.5;
const text = Array.from({ length: steps }, (_, k) => [..."def f(x, [y1]):\n    say('the cat 42'), (sat)\n\n"][(k * 7919) % 46]);
const values: Values = { steps, width: units, every: 1, units: null, error: null, data };
const busy = (): number => process.cpuUsage().user / 1000; // milliseconds of processor, whatever else the machine does
const pieces: number[] = [];
const began = busy();
const tracks = new Map([...textTracks(text)].map(([name, one]) => [name, [one]]));
console.log(`the tracks: ${(busy() - began).toFixed(1)} ms`);
const generator = findUnits(new Map([["h", [values]]]), tracks);
for (;;) {
  const start = busy();
  const { done } = generator.next();
  pieces.push(busy() - start);
  if (done) break;
}
const last = pieces[pieces.length - 1];
const ordered = [...pieces].sort((a, b) => b - a);
const sum = pieces.reduce((all, one) => all + one, 0);
console.log(
  `${steps} steps, ${units} units: ${pieces.length} pieces, ${(sum / 1000).toFixed(1)} s; longest ${ordered
    .slice(0, 5)
    .map((one) => one.toFixed(1))
    .join(", ")} ms, median ${ordered[pieces.length >> 1].toFixed(1)} ms, the last one ${last.toFixed(1)} ms`,
);
