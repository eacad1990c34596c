/** Two maps of the same site, one less the other. */

import type { Values } from "./types";
import { rowsOf, valueAt } from "./values";

/** other − one; null where they are not of the same units and steps. */
export function differenceOf(one: Values, other: Values): Values | null {
  const same = one.width === other.width && one.steps === other.steps && one.every === other.every;
  if (!same || String(one.units) !== String(other.units)) return null;
  const error =
    one.error || other.error ? Array.from({ length: one.width }, (_, k) => (one.error?.[k] ?? 0) + (other.error?.[k] ?? 0)) : null;
  return { ...one, error, data: other.data.map((value, k) => value - one.data[k]) };
}

/** The units, those with the largest sum of squares first. */
export function ordered(values: Values): number[] {
  const units = values.units ?? Array.from({ length: values.width }, (_, unit) => unit);
  const sizes = new Map(units.map((unit) => [unit, 0]));
  for (const unit of units)
    for (let r = 0; r < rowsOf(values); r++) sizes.set(unit, sizes.get(unit)! + (valueAt(values, r * values.every, unit) || 0) ** 2);
  return [...units].sort((a, b) => sizes.get(b)! - sizes.get(a)! || a - b);
}
