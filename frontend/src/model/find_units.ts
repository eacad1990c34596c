/** How well every site of every unit carries a track, on steps that did not choose it: as src/byhand/explain/find_units.py, where the
 *  method and its sources stand. In place of drawn turns of the tracks all are looked at, but for the near ones. */

import { type Spectrum, Turning } from "./fourier";
import { type Half, halvesOf, reasonOf, said, type Table, takenFrom } from "./halves";
import { below, centred, centredRanks, dot, isFlag, perProduct } from "./rank_scores";

const NEAR = 0.05; // of a half: turns by less compare the track with itself

export interface FoundUnit {
  site: string;
  unit: number;
  track: string;
  chosen: number; // in the first half, -1 to 1
  score: number; // in the other
  auc: number | null; // of a 0/1 track, of the unit as it was chosen
  p: number; // corrected for all units, sites and tracks
}

export interface FoundUnits {
  rows: FoundUnit[]; // the best in the half in which they are chosen first
  tracks: string[];
  leftOut: Map<string, string>; // track -> why
  steps: [number, number];
  shifts: number;
}

interface Track {
  name: string;
  flag: boolean;
  where: [first: Uint32Array, second: Uint32Array]; // the steps of each half at which it says something
  values: [Float64Array, Float64Array];
  centred: [Float64Array, Float64Array];
  spectrum: Spectrum;
  turning: Turning;
  turns: Uint32Array;
}

/** tables: site -> of each sequence its values. tracks: name -> of each sequence a number for each step. Yields the share that is
 *  done after every few milliseconds: ranks of one half, a transform, the products with one track. */
export function* findUnits(tables: Map<string, Table>, tracks: Map<string, Float64Array[]>): Generator<number, FoundUnits> {
  const halves = halvesOf([...tables.values()][0].map(({ steps }) => steps));
  const leftOut = new Map<string, string>();
  const ready = yield* prepared(tracks, halves, leftOut);
  if (!ready.length) throw new Error(`There is no track to compare: ${[...leftOut].map((one) => one.join(", ")).join("; ")}.`);
  const shifts = ready[0].turns.length;
  const greatest = new Float64Array(shifts).fill(-Infinity);
  const found: (FoundUnit & { z: number; number: number })[] = [];
  const total = [...tables.values()].reduce((sum, [{ width }]) => sum + width, 0);
  let done = 0;
  for (const [site, table] of tables) {
    const rows: typeof found = [];
    const { width, units } = table[0];
    for (let column = 0; column < width; column += 2) {
      const columns = [column, column + 1].filter((one) => one < width);
      const pair = columns.map((one) => halves.map((half) => takenFrom(table, half, one)));
      if (pair.some((both) => both.some((half) => half.some(Number.isNaN)))) throw new Error(`There are NaN in ${site}.`);
      const compared = compare(ready, pair, greatest, (which, number, chosen, score, z) => {
        const { name: track, flag } = ready[number];
        const unit = units?.[columns[which]] ?? columns[which];
        // score = 2 AUC − 1
        const auc = flag ? (1 + (chosen >= 0 ? score : -score)) / 2 : null;
        rows.push({ site, unit, track, chosen, score, auc, p: NaN, z, number });
      });
      for (const part of compared) yield (done + part * columns.length) / total;
      done += columns.length;
      yield done / total;
    }
    found.push(...rows.sort((a, b) => a.number - b.number || a.unit - b.unit));
  }
  greatest.sort();
  const rows = found.map(({ z, number: _, ...row }) => {
    // p = (1 + how often max z_s ≥ z) / (1 + shifts)
    const p = Number.isNaN(z) ? NaN : (1 + shifts - below(greatest, z)) / (1 + shifts);
    return { ...row, p };
  });
  rows.sort((a, b) => Math.abs(b.chosen) - Math.abs(a.chosen));
  const steps = halves.map((half) => half.reduce((sum, { from, to }) => sum + to - from, 0)) as [number, number];
  return { rows, tracks: ready.map(({ name }) => name), leftOut, steps, shifts };
}

/** A pair of units, each in both halves, with all tracks. Yields the share of the tracks that is done. */
function* compare(
  tracks: Track[],
  pair: Float64Array[][],
  greatest: Float64Array,
  tell: (which: number, number: number, chosen: number, score: number, z: number) => void,
): Generator<number, void> {
  const ranks = new Map<Uint32Array, Float64Array[]>();
  const spectra = new Map<Uint32Array, Spectrum>();
  for (const [number, { where, values, centred: b, spectrum, turning, turns }] of tracks.entries()) {
    const share = number / tracks.length;
    for (const [half, steps] of where.entries()) {
      if (ranks.has(steps)) continue;
      const made: Float64Array[] = [];
      for (const unit of pair) {
        made.push(centredRanks(Float64Array.from(steps, (k) => unit[half][k])));
        yield share;
      }
      ranks.set(steps, made);
    }
    const [first, second] = where.map((steps) => ranks.get(steps)!);
    if (!spectra.has(where[1])) {
      spectra.set(where[1], turning.spectrum(second[0], second[1]));
      yield share;
    }
    const over = spectra.get(where[1])!;
    const products = [new Float64Array(turning.steps), new Float64Array(turning.steps)];
    turning.products(over, spectrum, products[0], products[1]);
    first.forEach((ranks, which) => {
      const chosen = dot(ranks, b[0]) * perProduct(values[0], ranks, b[0]);
      if (Number.isNaN(chosen)) return;
      const there = dot(second[which], b[1]);
      const score = there * perProduct(values[1], second[which], b[1]);
      const sign = chosen < 0 ? -1 : 1;
      // z_s = a·b_s / √(mean over all shifts r of (a·b_r)²)
      const size = Math.sqrt(dot(products[which], products[which]) / turning.steps);
      const z = Number.isNaN(score) ? NaN : (sign * there) / size;
      if (!Number.isNaN(z)) {
        for (let k = 0; k < turns.length; k++) greatest[k] = Math.max(greatest[k], (sign * products[which][turns[k]]) / size);
      }
      tell(which, number, chosen, score, z);
    });
    yield share;
  }
}

function* prepared(tracks: Map<string, Float64Array[]>, halves: [Half, Half], leftOut: Map<string, string>): Generator<number, Track[]> {
  const known: Uint32Array[][] = [[], []]; // of each half, each once, so that ranks are made once
  const turnings = new Map<number, Turning>();
  const [, length] = halves.map((half) => half.reduce((sum, { from, to }) => sum + to - from, 0));
  const [near, found] = [Math.max(1, Math.floor(NEAR * length)), [] as Track[]];
  for (const [name, of] of tracks) {
    yield 0;
    const parts = halves.map((half) => said(of, half));
    yield 0;
    const why = parts.map(({ values }) => reasonOf(values)).find(Boolean);
    if (why) {
      leftOut.set(name, why);
      continue;
    }
    const where = parts.map((one, half) => {
      const same = known[half].find((other) => other.length === one.where.length && other.every((step, k) => step === one.where[k]));
      if (!same) known[half].push(one.where);
      return same ?? one.where;
    }) as Track["where"];
    const values = parts.map((one) => one.values) as Track["values"];
    const steps = values[1].length;
    const turning = turnings.get(steps) ?? new Turning(steps);
    turnings.set(steps, turning);
    yield 0;
    const both = values.map(centred) as Track["centred"];
    yield 0;
    const turns = Uint32Array.from({ length: length - 2 * near + 1 }, (_, k) => Math.trunc(((near + k) / length) * steps));
    found.push({ name, flag: values.every(isFlag), where, values, centred: both, spectrum: turning.spectrum(both[1]), turning, turns });
  }
  return found;
}

/** The best units of a track, each with the site in which it is best; of none: of each track the best unit. */
export function bestOf({ rows, tracks }: FoundUnits, track: string | null, most: number): FoundUnit[] {
  if (track === null) {
    const found = tracks.flatMap((name) => rows.find((one) => one.track === name) ?? []);
    return found.sort((a, b) => Math.abs(b.chosen) - Math.abs(a.chosen));
  }
  const units = new Map<number, FoundUnit>();
  for (const one of rows) if (one.track === track && !units.has(one.unit)) units.set(one.unit, one);
  return [...units.values()].slice(0, most);
}
