/** The model writes on: what it says comes next, drawn at a temperature by numbers that a seed makes again. */

import type { Doc } from "../document/schema";
import { spoken } from "./alphabet";
import type { Run } from "./types";
import { row } from "./values";

/** A number from 0 up to 1 for each place of a text: the same for the same seed and place, whatever was drawn before (mulberry32). */
export function random(seed: number, place: number): number {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(place + 1, 0x6d2b79f5)) | 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
}

/** How likely each output is at a temperature: softmax(scores / temperature); at 0 all of the largest. left: outputs that are out. */
export function chances(scores: ArrayLike<number>, temperature: number, left: (index: number) => boolean): Float64Array {
  const open = Array.from(scores, (score, index) => (left(index) ? -Infinity : score));
  const top = open.reduce((a, b) => Math.max(a, b), -Infinity);
  const raw = Float64Array.from(open, (score) =>
    temperature > 0 ? Math.exp((score - top) / temperature) : Number(score === top && score > -Infinity),
  );
  const sum = raw.reduce((a, b) => a + b, 0);
  return raw.map((one) => one / sum);
}

/** The first output at which the chances so far exceed the draw. */
export function drawn(likely: Float64Array, draw: number): number {
  let sum = 0;
  let last = -1;
  for (let index = 0; index < likely.length; index++) {
    if (!(likely[index] > 0)) continue;
    sum += likely[index];
    last = index;
    if (draw < sum) return index;
  }
  return last;
}

/** The symbol that comes after a run's last step; null where the model says none, or it is not a number. */
export function nextSymbol(doc: Doc, run: Run, temperature: number, seed: number): string | null {
  return run.ending && symbolAfter(doc, row(run.ending, 0), run.steps, temperature, seed); // the other steps wait until a view reads them
}

/** The symbol that these outputs of the head say. place: where in the text it will stand, by which the draw is chosen. */
export function symbolAfter(doc: Doc, outputs: Float64Array, place: number, temperature: number, seed: number): string | null {
  const names = spoken(doc);
  if (!names) return null;
  const scores = doc.head?.squash === "softmax" ? outputs.map((share) => Math.log(share)) : outputs;
  const index = drawn(
    chances(scores, temperature, (one) => names[one] === null),
    random(seed, place),
  );
  return names[index] ?? null;
}
