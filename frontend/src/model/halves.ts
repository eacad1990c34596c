/** The two halves of the steps: the one that units are chosen on, and the one that they are tried on. */

import { isFlag, onesOf } from "./rank_scores";
import type { Values } from "./types";

const LEAST = 20; // steps of a track in each half

const RARE = 10; // steps at which a 0/1 track must be 1, and at which 0, in each half

/** A site's values, of each sequence. */
export type Table = Values[];

/** Steps of some sequences, one after the other. */
export type Half = { item: number; from: number; to: number }[];

/** Whole sequences, where there are several; else the first half in time and the second. steps: of each sequence. */
export function halvesOf(steps: number[]): [Half, Half] {
  const whole = steps.map((to, item) => ({ item, from: 0, to })).filter(({ to }) => to);
  const middle = Math.ceil((whole.length > 1 ? whole.length : (whole[0]?.to ?? 0)) / 2);
  const halves: [Half, Half] =
    whole.length > 1
      ? [whole.slice(0, middle), whole.slice(middle)]
      : [whole.map((one) => ({ ...one, to: middle })), whole.map((one) => ({ ...one, from: middle }))];
  const [first, second] = halves.map((half) => half.reduce((sum, { from, to }) => sum + to - from, 0));
  if (Math.min(first, second) < LEAST) {
    throw new Error(`There are ${first} and ${second} steps in the two halves; it takes ${LEAST} in each: show a longer sequence.`);
  }
  return halves;
}

/** The values of one column. */
export function takenFrom(table: Table, half: Half, column: number): Float64Array {
  const found = new Float64Array(half.reduce((sum, { from, to }) => sum + to - from, 0));
  let at = 0;
  for (const { item, from, to } of half) {
    const { data, width } = table[item];
    for (let time = from; time < to; time++) found[at++] = data[time * width + column];
  }
  return found;
}

/** A track in a half: at which of its steps it says something, and what. */
export function said(track: Float64Array[], half: Half): { where: Uint32Array; values: Float64Array } {
  const steps = half.reduce((sum, { from, to }) => sum + to - from, 0);
  const [where, values] = [new Uint32Array(steps), new Float64Array(steps)];
  let [at, count] = [0, 0];
  for (const { item, from, to } of half) {
    for (const value of track[item].subarray(from, to)) {
      if (!Number.isNaN(value)) [where[count], values[count++]] = [at, value];
      at++;
    }
  }
  return { where: where.slice(0, count), values: values.slice(0, count) };
}

/** Why a half of a track cannot be compared; empty where it can. */
export function reasonOf(values: Float64Array): string {
  if (values.length < LEAST) return `which says something at ${values.length} steps of a half, and needs ${LEAST}`;
  if (values.every((one) => one === values[0])) return `which is always ${values[0]} in a half`;
  const ones = onesOf(values);
  if (!isFlag(values) || Math.min(ones, values.length - ones) >= RARE) return "";
  return `which is 1 at ${ones} of ${values.length} steps of a half, and needs ${RARE} of each`;
}
