/** Does a unit matter? Every sequence with it and without it, and how sure that makes one. */

import type { Doc } from "../document/schema";
import { lossOver } from "./answer";
import { given } from "./own";
import type { Edit, Model, Run } from "./types";
import { valueAt } from "./values";
import { random } from "./writing";

export interface Asked {
  place: string;
  site: string;
  unit: number;
  at: "zero" | "mean"; // what it is held at: 0, or its mean over all steps of all sequences
  edits: Edit[]; // that hold with it and without it
  snapshot: number | null;
}

export interface Finding {
  by: "loss" | "output"; // of each sequence: its mean loss; where nothing is asked of them, its mean outputs
  value: number; // at which the site was held
  items: number; // sequences
  with: number; // mean loss with the unit, and without; NaN by outputs
  without: number;
  change: number; // mean of loss without − with; by outputs the mean size of the change
  differences: number[][]; // of each sequence: the change of its loss, or of each output's mean
  p: number; // that changes at least as large come of signs by chance
  exact: boolean; // by all signs; else by some, drawn
  total: number; // signs tried
}

const FLIPS = 10_000;

const EXACT = 16; // sequences at most, of which all signs are tried

const EVEN = 1e-9; // sums that differ by such a share are the same

/** Two-sided paired sign-flip test: how often signs given by chance to each row bring the largest |sum| of a column to at least what it is.
 *  Of up to 16 rows all signs are tried; of more 10,000, drawn from a seed, and the one that was is counted among them. */
export function signFlip(rows: number[][], seed = 0): { p: number; exact: boolean; total: number } {
  const moved = rows.filter((row) => row.some((value) => value !== 0)); // a sign makes no difference to the others
  const width = rows[0]?.length ?? 0;
  const size = (sums: Float64Array): number => sums.reduce((most, sum) => Math.max(most, Math.abs(sum)), 0);
  const sums = Float64Array.from({ length: width }, (_, k) => moved.reduce((sum, row) => sum + row[k], 0));
  const bar = size(sums) * (1 - EVEN);
  const exact = moved.length <= EXACT;
  const total = exact ? 2 ** moved.length : FLIPS;
  let reached = exact ? 1 : 0; // as it was
  if (exact) {
    const signs = moved.map(() => 1);
    for (let step = 1; step < total; step++) {
      const flip = 31 - Math.clz32(step & -step); // Gray's order: one sign at a time
      signs[flip] = -signs[flip];
      for (let k = 0; k < width; k++) sums[k] += 2 * signs[flip] * moved[flip][k];
      if (size(sums) >= bar) reached += 1;
    }
    return { p: reached / total, exact, total };
  }
  for (let step = 0; step < total; step++) {
    sums.fill(0);
    moved.forEach((row, index) => {
      const sign = random(seed, step * moved.length + index) < 0.5 ? -1 : 1;
      for (let k = 0; k < width; k++) sums[k] += sign * row[k];
    });
    if (size(sums) >= bar) reached += 1;
  }
  return { p: (reached + 1) / (total + 1), exact, total };
}

/** The sequences that the document brought. */
const itemsOf = (doc: Doc): number[] => Array.from({ length: given(doc) }, (_, item) => item);

/** What holds the unit's site, as an edit. */
export function held({ place, site, unit }: Asked, value: number): Edit {
  return { on: true, kind: "site", place, site, value, time: null, unit };
}

/** Goes over all sequences, and waits between slices of work. Yields the share that is done; returns what it found. */
export function* matters(model: Model, asked: Asked): Generator<number, Finding> {
  const { doc } = model;
  const items = itemsOf(doc);
  const passes = asked.at === "mean" ? 2 : 1;
  let done = 0;
  function* finished(item: number, edits: Edit[]): Generator<number, Run> {
    const run = model.run(item, edits, asked.snapshot);
    while (!run.done) {
      run.advance();
      yield done / (passes * items.length);
    }
    return run;
  }
  let value = 0;
  if (asked.at === "mean") {
    let steps = 0;
    for (const item of items) {
      const values = (yield* finished(item, asked.edits)).places[asked.place].sites[asked.site];
      for (let time = 0; time < values.steps; time++) value += valueAt(values, time, asked.unit);
      steps += values.steps;
      done += 1;
      yield done / (passes * items.length);
    }
    value /= steps;
  }
  const losses: [number, number][] = [];
  const outputs: number[][] = [];
  let [sizes, numbers] = [0, 0];
  for (const item of items) {
    const before = yield* finished(item, asked.edits);
    const after = yield* finished(item, [...asked.edits, held(asked, value)]);
    const [one, other] = [lossOver(doc, before), lossOver(doc, after)];
    if (one && other) losses.push([one.value, other.value]);
    const [was, is] = [before.head ?? before.output!, after.head ?? after.output!];
    const sums = Array<number>(was.width).fill(0);
    for (let k = 0; k < was.data.length; k++) {
      sums[k % was.width] += (is.data[k] - was.data[k]) / was.steps;
      sizes += Math.abs(is.data[k] - was.data[k]);
    }
    numbers += was.data.length;
    outputs.push(sums);
    done += 1;
    yield done / (passes * items.length);
  }
  const mean = (which: 0 | 1): number => losses.reduce((sum, pair) => sum + pair[which], 0) / losses.length;
  const by = losses.length ? "loss" : "output";
  const differences = losses.length ? losses.map(([one, other]) => [other - one]) : outputs;
  const change = losses.length ? mean(1) - mean(0) : sizes / numbers;
  return { by, value, items: differences.length, with: mean(0), without: mean(1), change, differences, ...signFlip(differences) };
}
