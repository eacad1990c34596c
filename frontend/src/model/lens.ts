/** Which units are worth a look: those that vary most, go with another one, or stand out at a step. */

import type { Values } from "./types";
import { rowsOf } from "./values";

export type Interest = "vary" | "like" | "here";

export const INTERESTS: { interest: Interest; label: string; says: string }[] = [
  { interest: "vary", label: "vary most", says: "by standard deviation over the whole sequence" },
  { interest: "like", label: "go with this unit", says: "by the size of the correlation with it; a minus: it goes the other way" },
  { interest: "here", label: "stand out at the cursor", says: "by how many standard deviations they are from their mean there" },
];

/** Mean and standard deviation of each column; NaN where a value is not a number. */
export interface Moments {
  mean: Float64Array;
  deviation: Float64Array;
}

const known = new WeakMap<Values, Moments>();

export function momentsOf(values: Values): Moments {
  let found = known.get(values);
  if (!found) known.set(values, (found = measured(values)));
  return found;
}

/** Row after row, as they lie in memory: two passes, so that no digits are lost. */
function measured(values: Values): Moments {
  const { data, width } = values;
  const rows = rowsOf(values);
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  for (let row = 0, k = 0; row < rows; row++) for (let column = 0; column < width; column++, k++) mean[column] += data[k];
  for (let column = 0; column < width; column++) mean[column] /= rows;
  for (let row = 0, k = 0; row < rows; row++) {
    for (let column = 0; column < width; column++, k++) deviation[column] += (data[k] - mean[column]) ** 2;
  }
  for (let column = 0; column < width; column++) deviation[column] = Math.sqrt(deviation[column] / rows);
  return { mean, deviation };
}

const AT_ONCE = 1e6; // values that are correlated while a key is held; of more, evenly spread rows

/** The correlation of each column with one of them; 0 where either never moves. */
export function correlations(values: Values, column: number): Float64Array {
  const { data, width } = values;
  const rows = rowsOf(values);
  const every = Math.ceil((rows * width) / AT_ONCE);
  const { mean } = momentsOf(values);
  const [shared, own] = [new Float64Array(width), new Float64Array(width)];
  for (let row = 0; row < rows; row += every) {
    const start = row * width;
    const off = data[start + column] - mean[column];
    for (let other = 0; other < width; other++) {
      const there = data[start + other] - mean[other];
      shared[other] += off * there;
      own[other] += there * there;
    }
  }
  return shared.map((one, other) => {
    const spread = Math.sqrt(own[other] * own[column]);
    return spread > 0 ? one / spread : 0;
  });
}

export interface Found {
  column: number;
  measure: number;
}

/** The columns that are most of interest, most first; what is not a number is left out. time: of the cursor. */
export function interesting(values: Values, interest: Interest, column: number, time: number, most: number): Found[] {
  const measure = measureOf(values, interest, column, time);
  const found = Array.from(measure, (one, index) => ({ column: index, measure: one }));
  const wanted = found.filter((one) => !Number.isNaN(one.measure) && !(interest === "like" && one.column === column));
  return wanted.sort((a, b) => Math.abs(b.measure) - Math.abs(a.measure) || a.column - b.column).slice(0, most);
}

function measureOf(values: Values, interest: Interest, column: number, time: number): Float64Array {
  if (interest === "like") return column < 0 ? new Float64Array(0) : correlations(values, column);
  const { mean, deviation } = momentsOf(values);
  if (interest === "vary") return deviation;
  const row = Math.floor(time / values.every) * values.width;
  return deviation.map((spread, index) => (spread > 0 ? (values.data[row + index] - mean[index]) / spread : 0));
}
