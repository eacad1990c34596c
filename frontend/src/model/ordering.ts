/** In which order the units stand: by number, or by what they do. Every order is the same whenever it is made again. */

import type { Sort, Values } from "./types";
import { errorAt, rowsOf } from "./values";

/** What the sorting looks at, all of one place. keep: what multiplies the memory at each step (null: nothing does). */
export interface Material {
  units: number[];
  memory: Values;
  keep: Values | null;
  reverse: boolean;
  shares: { site: string; values: Values }[]; // the gates between 0 and 1
}

export const SORTS: { sort: Sort; label: string; says: string }[] = [
  { sort: "number", label: "number", says: "as the layer counts them" },
  {
    sort: "half-life",
    label: "half-life",
    says: "longest first: steps until half of what was written is left, ln ½ / mean ln keep",
  },
  {
    sort: "saturation",
    label: "saturation",
    says: "most often shut or open first: share of steps with a gate below 0.1 or above 0.9",
  },
  { sort: "activity", label: "activity", says: "liveliest first: standard deviation of the memory over time" },
  { sort: "similarity", label: "similarity", says: "so that memories which rise and fall together stand side by side" },
];

/** The units in the order asked for; null where this cell has nothing to measure it by. */
export function sorted(sort: Sort, material: Material): { units: number[]; measure: Map<number, number> } | null {
  const { units } = material;
  if (sort === "number") return { units: [...units], measure: new Map() };
  if (sort === "similarity") return { units: seriation(material), measure: new Map() };
  const measure = measureOf(sort, material);
  return measure && { units: descending(units, measure), measure };
}

function measureOf(sort: Sort, material: Material): Map<number, number> | null {
  const { units, keep, memory, shares, reverse } = material;
  if (sort === "activity") return each(units, memory, deviation);
  if (sort === "half-life") return keep && each(units, keep, (series) => halfLife(series, reverse));
  if (!shares.length) return null;
  const several = shares.map(({ values }) => each(units, values, saturation));
  return new Map(units.map((unit) => [unit, mean(several.map((one) => one.get(unit) ?? NaN))]));
}

function each(units: number[], values: Values, measure: (series: Float64Array) => number): Map<number, number> {
  return new Map(units.map((unit) => [unit, measure(seriesOf(values, unit))]));
}

/** One unit over time; empty where it was thinned away. */
function seriesOf(values: Values, unit: number): Float64Array {
  const column = values.units ? values.units.indexOf(unit) : unit;
  if (column < 0 || column >= values.width) return new Float64Array(0);
  return Float64Array.from({ length: rowsOf(values) }, (_, row) => values.data[row * values.width + column]!);
}

/** Largest first; what cannot be measured last; equal ones by number. */
function descending(units: number[], measure: Map<number, number>): number[] {
  const size = (unit: number): number => {
    const value = measure.get(unit) ?? NaN;
    return Number.isNaN(value) ? -Infinity : value;
  };
  return [...units].sort((a, b) => (size(a) === size(b) ? a - b : size(b) - size(a)));
}

/** ln ½ / mean ln keep, as in byhand.explain.half_life: what the first step of the sequence keeps was not written by it. */
function halfLife(keep: Float64Array, reverse: boolean): number {
  const average = mean((reverse ? keep.slice(0, -1) : keep.slice(1)).map((value) => Math.log(Math.abs(value))));
  return average >= 0 ? Infinity : -Math.LN2 / average;
}

/** The share of steps below 0.1 or above 0.9 (Karpathy, Johnson & Fei-Fei 2015, section 4.2). */
export function saturation(gate: ArrayLike<number>): number {
  return mean(Array.from(gate, (value) => (Number.isNaN(value) ? NaN : Number(value < 0.1 || value > 0.9))));
}

function deviation(series: ArrayLike<number>): number {
  const average = mean(series);
  return Math.sqrt(mean(Array.from(series, (value) => (value - average) ** 2)));
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index]!;
  return values.length ? sum / values.length : NaN;
}

const POINTS = 128; // of a unit's memory that are compared

/**
 * Greedy seriation: the most similar pair of units is joined first, then the next, each unit having at most two neighbours, until
 * all stand in one chain (the greedy-edge tour of the travelling-salesman problem). Similarity is the correlation over time.
 */
function seriation({ units, memory }: Material): number[] {
  const standard = units.map((unit) => standardised(seriesOf(memory, unit)));
  const count = units.length;
  const pairs: { a: number; b: number; likeness: number }[] = [];
  for (let a = 0; a < count; a += 1) for (let b = a + 1; b < count; b += 1) pairs.push({ a, b, likeness: dot(standard[a]!, standard[b]!) });
  pairs.sort((one, other) => other.likeness - one.likeness || one.a - other.a || one.b - other.b);
  return walk(joined(count, pairs)).map((index) => units[index]!);
}

function joined(count: number, pairs: { a: number; b: number }[]): number[][] {
  const neighbours: number[][] = Array.from({ length: count }, () => []);
  const chain = Array.from({ length: count }, (_, index) => index);
  const root = (index: number): number => {
    let at = index;
    while (chain[at] !== at) at = chain[at] = chain[chain[at]!]!;
    return at;
  };
  for (const { a, b } of pairs) {
    if (neighbours[a]!.length > 1 || neighbours[b]!.length > 1 || root(a) === root(b)) continue;
    neighbours[a]!.push(b);
    neighbours[b]!.push(a);
    chain[root(a)] = root(b);
  }
  return neighbours;
}

/** Along the chain, from its end with the smaller number. */
function walk(neighbours: number[][]): number[] {
  const order: number[] = [];
  let before = -1;
  let at = neighbours.findIndex((near) => near.length < 2);
  while (at >= 0 && at !== undefined) {
    order.push(at);
    const next: number = neighbours[at]!.find((near) => near !== before) ?? -1;
    [before, at] = [at, next];
  }
  return order;
}

/** Mean 0 and length 1, at no more than POINTS points; all 0 where a unit never moves or is not a number. */
function standardised(series: Float64Array): Float64Array {
  const points = Math.min(POINTS, series.length);
  const thin = Float64Array.from({ length: points }, (_, index) => series[Math.floor((index * series.length) / points)]!);
  const average = mean(thin);
  const length = Math.sqrt(thin.reduce((sum, value) => sum + (value - average) ** 2, 0));
  return length > 0 ? thin.map((value) => (value - average) / length) : new Float64Array(points);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += a[index]! * b[index]!;
  return sum;
}

/** How far a unit moved inside a span, and at which gate: its largest change against the step before the span and inside it. */
export interface Switch {
  unit: number;
  site: string;
  from: number;
  to: number;
  error: number; // how far either may be off
}

/** The units that move most inside the span (both ends included), most first. */
export function switches(span: [number, number], units: number[], sites: { site: string; values: Values }[]): Switch[] {
  const found = units.map((unit) => {
    const moves = sites.map(({ site, values }) => moveOf(unit, site, values, span));
    return moves.reduce((most, one) => (sizeOf(one) > sizeOf(most) ? one : most), { unit, site: "", from: 0, to: 0, error: 0 });
  });
  return found.sort((a, b) => sizeOf(b) - sizeOf(a) || a.unit - b.unit);
}

export function sizeOf(move: Switch): number {
  return Math.abs(move.to - move.from);
}

function moveOf(unit: number, site: string, values: Values, [first, last]: [number, number]): Switch {
  const column = values.units ? values.units.indexOf(unit) : unit;
  const rows = rowsOf(values);
  const start = Math.max(0, Math.floor(first / values.every) - 1); // the step before: a switch at the first step counts
  const stop = Math.min(rows - 1, Math.floor(last / values.every));
  let [low, high] = [start, start];
  const at = (row: number): number => values.data[row * values.width + column] ?? NaN;
  if (column < 0 || column >= values.width) return { unit, site, from: 0, to: 0, error: 0 };
  for (let row = start; row <= stop; row += 1) {
    if (at(row) < at(low)) low = row;
    if (at(row) > at(high)) high = row;
  }
  const [from, to] = [at(Math.min(low, high)), at(Math.max(low, high))];
  return Number.isNaN(to - from) ? { unit, site, from: 0, to: 0, error: 0 } : { unit, site, from, to, error: errorAt(values, unit) };
}
