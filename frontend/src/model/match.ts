/** The other places where the units of a span are on: as src/byhand/explain/match.py and same_units.py, where the rules stand. */

import type { Values } from "./types";
import { rowsOf } from "./values";

export const THRESHOLD = 0.3; // LSTMVis's

export interface Span {
  steps: [start: number, stop: number]; // stop: one after the last
  item: number;
  threshold: number;
}

export interface Match {
  item: number;
  steps: [start: number, stop: number];
  units: number[]; // those of the span that are on in all these steps
  others: number; // how many other units are
}

/** The columns that are on in the whole span. */
export function onIn({ data, width }: Values, { steps: [start, stop], threshold }: Span): number[] {
  const columns = Array.from({ length: width }, (_, column) => column);
  return columns.filter((column) => {
    for (let time = start; time < stop; time++) if (!(data[time * width + column] > threshold)) return false;
    return true;
  });
}

/** The highest threshold below which a unit would be on in the whole span. */
export function bestIn({ data, width }: Values, { steps: [start, stop] }: Span): number {
  let best = -Infinity;
  for (let column = 0; column < width; column++) {
    let least = Infinity;
    for (let time = start; time < stop; time++) least = Math.min(least, data[time * width + column]);
    if (least > best) best = least;
  }
  return best;
}

/** Places that rank better come first. size: of the span. */
export function better(a: Match, b: Match, size: number): number {
  const off = ({ steps: [start, stop] }: Match): number => Math.abs(stop - start - size);
  return b.units.length - a.units.length || a.others - b.others || off(a) - off(b) || a.item - b.item || a.steps[0] - b.steps[0];
}

/** The places of one sequence; columns: of the span, those that are on in it. Those that overlap the span are left out. */
export function placesOf(values: Values, item: number, span: Span, columns: number[]): Match[] {
  const { data, width } = values;
  const { threshold } = span;
  const size = span.steps[1] - span.steps[0];
  const rows = rowsOf(values);
  const since = new Uint32Array(width); // for how many steps each has been on
  const wanted = new Set(columns);
  const rest = Array.from(since.keys()).filter((column) => !wanted.has(column));
  const found: Match[] = [];
  const firsts: number[] = []; // of each place's row, and its last
  let [first, shared] = [0, [] as number[]];
  const close = (last: number): void => {
    if (!shared.length) return;
    const steps: [number, number] = [first - size + 1, last + 1];
    const others = rest.reduce((sum, column) => sum + Number(since[column] >= steps[1] - steps[0]), 0);
    found.push({ item, steps, units: shared.map((column) => values.units?.[column] ?? column), others });
    firsts.push(first);
  };
  for (let time = 0; time < rows; time++) {
    const at = time * width;
    // Q_t = {u of the span : on in all of t, …, t + length − 1}, at its last step
    const now = columns.filter((column) => data[at + column] > threshold && since[column] + 1 >= size);
    if (now.length !== shared.length || now.some((column, k) => column !== shared[k])) {
      close(time - 1);
      [first, shared] = [time, now];
    }
    for (let column = 0; column < width; column++) since[column] = data[at + column] > threshold ? since[column] + 1 : 0;
  }
  close(rows - 1);
  const touch = (k: number): boolean => k > 0 && k < found.length && firsts[k] === found[k - 1].steps[1];
  const peak = (one: Match, k: number): boolean =>
    !(touch(k) && better(found[k - 1], one, size) < 0) && !(touch(k + 1) && better(found[k + 1], one, size) < 0);
  const beside = ({ steps: [start, stop] }: Match): boolean => item !== span.item || start >= span.steps[1] || stop <= span.steps[0];
  return found.filter(peak).filter(beside);
}
