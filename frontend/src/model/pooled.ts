/** Many values at a step as a few: what a small map of a wide input shows. */

import type { Values } from "./types";
import { rowsOf, valueAt } from "./values";

export const FEW = 4; // features that a reader can tell apart as lines

export interface Pooled {
  values: Values;
  most: number; // the largest size among the finite values; 1 where all is 0
  signed: boolean;
}

const kept = new WeakMap<Values, Map<number, Pooled>>();

/** At most so many columns, each the largest in size of those that it stands for: a single 1 among zeros stays a 1. */
export function pooled(from: Values, most: number): Pooled {
  const sizes = kept.get(from) ?? new Map<number, Pooled>();
  kept.set(from, sizes);
  let found = sizes.get(most);
  if (!found) sizes.set(most, (found = measured(from.width > most ? narrowed(from, most) : from)));
  return found;
}

function narrowed(from: Values, width: number): Values {
  const rows = rowsOf(from);
  const data = new Float64Array(rows * width);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < from.width; column += 1) {
      const at = row * width + Math.floor((column * width) / from.width);
      const value = from.data[row * from.width + column];
      if (Number.isNaN(value) || Math.abs(value) > Math.abs(data[at])) data[at] = value;
    }
  }
  return { ...from, width, units: null, error: null, data };
}

function measured(values: Values): Pooled {
  let most = 0;
  let signed = false;
  for (const value of values.data) {
    if (value < 0) signed = true;
    if (Math.abs(value) > most && Math.abs(value) < Infinity) most = Math.abs(value);
  }
  return { values, most: most || 1, signed };
}

/** So many columns, in their order: where there are more, those whose values are the largest in size at a step. */
export function largestOnes(values: Values | null, time: number, count: number): number[] {
  const all = Array.from({ length: values?.width ?? 0 }, (_, column) => column);
  if (!values || all.length <= count) return all;
  const size = (column: number): number => Math.abs(valueAt(values, time, column));
  return all
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/** The column whose value is the largest in size at a step. */
export function largestAt(values: Values, time: number): number {
  let best = 0;
  for (let column = 1; column < values.width; column += 1) {
    if (Math.abs(valueAt(values, time, column)) > Math.abs(valueAt(values, time, best))) best = column;
  }
  return best;
}
