/** Values of a site over time: rows, columns, and single numbers. */

import type { Doc } from "../document/schema";
import { figure } from "../text/format";
import type { Run, Values } from "./types";

/** The columns of `values` that hold these units, in the order of the units; what was thinned away is left out. */
export function columnsOf(values: Values, units: ArrayLike<number>): { columns: number[]; units: number[] } {
  const held = values.units;
  const found = { columns: [] as number[], units: [] as number[] };
  const column = held ? new Map(held.map((unit, index) => [unit, index])) : null;
  for (const unit of Array.from(units)) {
    const at = column ? column.get(unit) : unit < values.width ? unit : undefined;
    if (at === undefined) continue;
    found.columns.push(at);
    found.units.push(unit);
  }
  return found;
}

/** Whether the values of a unit are there: of a large model, some are left out. */
export function holds(values: Values, unit: number): boolean {
  return values.units ? values.units.includes(unit) : unit < values.width;
}

/** The value in words; "left out" where the unit is. */
export function sayAt(values: Values, time: number, unit: number): string {
  return holds(values, unit) ? figure(valueAt(values, time, unit), errorAt(values, unit)) : "left out";
}

/** How far the values of a unit may be from the model's own. */
export function errorAt({ error, units }: Values, unit: number): number {
  return error?.[units ? units.indexOf(unit) : unit] ?? 0;
}

export function rowsOf(values: Values): number {
  return values.width ? values.data.length / values.width : 0;
}

export function values(steps: number, width: number, error: ArrayLike<number> | null = null): Values {
  return { steps, width, every: 1, units: null, error, data: new Float64Array(steps * width) };
}

export function row(from: Values, time: number): Float64Array {
  return from.data.subarray(time * from.width, (time + 1) * from.width);
}

/** The value of a unit at a step, thinned or not; NaN where the document has left the unit out. */
export function valueAt(from: Values, time: number, unit: number): number {
  const column = from.units ? from.units.indexOf(unit) : unit;
  if (column < 0 || column >= from.width || time < 0 || time >= from.steps) return NaN;
  return from.data[Math.floor(time / from.every) * from.width + column];
}

/** The last step of a layer: where layers have steps of their own, as an encoder and a decoder, one may end before the others. */
export function lastStep({ computed }: Doc, run: Run, place: string): number {
  const end = run.steps - 1;
  if (computed) return end;
  const maps = Object.values(run.places[place]?.sites ?? {});
  const known = (time: number): boolean => maps.some((map) => row(map, Math.floor(time / map.every)).some((value) => !Number.isNaN(value)));
  for (let time = end; time >= 0; time--) if (known(time)) return time;
  return end;
}

/** As numbers, one by one; NaN is NaN. */
export function equal(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let k = 0; k < a.length; k++) if (a[k] !== b[k] && !(Number.isNaN(a[k]) && Number.isNaN(b[k]))) return false;
  return true;
}
