/** The ledger of one unit: what was written at every step, and how much of it is left at every later one. */

import { type Additive, additive, isReverse, reader, switchedOn } from "./additive";
import { evaluate } from "./program";
import type { Model, Run, Selection, Values } from "./types";
import { productError, uncertainty } from "./uncertainty";
import { errorAt, valueAt } from "./values";

/** In the order in which the steps are computed, which for a reverse direction is not that of time. */
export interface Ledger {
  state: string;
  steps: number;
  reverse: boolean;
  keep: Float64Array;
  write: Float64Array;
  memory: Float64Array;
  errors: { keep: Float64Array; write: Float64Array; memory: number } | null; // how far they may be off; null: not at all
  first: number; // the memory before the first step
}

/** What is left of what a step wrote. error, writtenError: how far the two may be off. */
export interface Entry {
  time: number;
  left: number;
  error: number;
  written: number;
  writtenError: number;
}

/** What is in the memory at one step: an entry for each step up to it, by time, and what is left of the first memory. */
export interface Balance {
  entries: Entry[];
  first: number;
  firstError: number;
  sum: number;
  memory: number;
  memoryError: number;
}

/** The ledger, or why there is none. */
export function ledgerOf(model: Model, state: Selection, run: Run, memory: string): Ledger | { why: string } {
  const form = additive(model, memory);
  if ("why" in form) return form;
  const values = run.places[state.place]?.sites[memory];
  if (!values) return { why: `The page holds no values of ${memory} at ${state.place}.` };
  const needed = [values, ...sitesIn(form, run, state.place)];
  if (needed.some((one) => one.every > 1))
    return { why: "The values of this layer are means over several steps: what one step wrote is not in them." };
  const missing = needed.some((one) => one.units !== null && !one.units.includes(state.unit));
  if (missing) return { why: `Unit ${state.unit} was thinned out of this file.` };
  if (state.unit >= values.width) return { why: `Layer ${state.place} has ${values.width} units; unit ${state.unit} is not among them.` };
  return filled(model, state, run, form, values);
}

function sitesIn(form: Additive, run: Run, place: string): Values[] {
  const sites = run.places[place]?.sites ?? {};
  const text = JSON.stringify([form.keep, form.write]);
  return Object.keys(sites)
    .filter((site) => text.includes(`"name":"${site}"`))
    .map((site) => sites[site]);
}

function filled(model: Model, state: Selection, run: Run, form: Additive, values: Values): Ledger {
  const { steps } = values;
  const { place, unit } = state;
  const reverse = isReverse(model, place);
  const at = reader(model, state, run, place, unit);
  const held = heldAt(state, form.state);
  const sites = run.places[place]?.sites ?? {};
  const inexact = needsError(sites);
  const off = (name: string): number => {
    const found = sites[name.replace(/^s\./, "")];
    return found ? errorAt(found, unit) : 0;
  };
  const errors = inexact ? { keep: new Float64Array(steps), write: new Float64Array(steps), memory: errorAt(values, unit) } : null;
  const [keep, write, memory] = [new Float64Array(steps), new Float64Array(steps), new Float64Array(steps)];
  for (let step = 0; step < steps; step += 1) {
    const time = reverse ? steps - 1 - step : step;
    memory[step] = valueAt(values, time, unit);
    // a memory that an edit holds keeps nothing at that step: its whole value was put there
    keep[step] = held(time) ? 0 : evaluate(form.keep, at(time));
    write[step] = held(time) ? memory[step] : evaluate(form.write, at(time));
    if (errors && !held(time)) {
      errors.keep[step] = uncertainty(form.keep, at(time), off);
      errors.write[step] = uncertainty(form.write, at(time), off);
    }
  }
  const first = run.places[place]?.initial[form.state]?.[unit] ?? 0;
  return { state: form.state, steps, reverse, keep, write, memory, errors, first };
}

const needsError = (sites: Record<string, Values>): boolean => Object.values(sites).some(({ error }) => error !== null);

function heldAt({ edits, place, unit }: Selection, memory: string): (time: number) => boolean {
  const held = switchedOn(edits).filter(
    (edit) => edit.kind === "site" && edit.place === place && edit.site === memory && (edit.unit === null || edit.unit === unit),
  );
  return (time) => held.some((edit) => edit.kind === "site" && (edit.time === null || edit.time === time));
}

const stepOf = (ledger: Ledger, time: number): number => (ledger.reverse ? ledger.steps - 1 - time : time);

/** entry(read at t, written at s) = Π keep(k), k from s + 1 to t, · write(s); the first memory is kept by all of them. */
export function balanceAt(ledger: Ledger, time: number): Balance {
  const last = stepOf(ledger, time);
  const entries: Balance["entries"] = [];
  let left = 1;
  let sum = 0;
  let slack = 0; // of `left`
  for (let step = last; step >= 0; step -= 1) {
    const entry = left * ledger.write[step];
    const writtenError = ledger.errors?.write[step] ?? 0;
    const error = productError(left, slack, ledger.write[step], writtenError);
    entries.push({ time: stepOf(ledger, step), left: entry, error, written: ledger.write[step], writtenError });
    sum += entry;
    slack = productError(left, slack, ledger.keep[step], ledger.errors?.keep[step] ?? 0);
    left *= ledger.keep[step];
  }
  const first = left * ledger.first;
  entries.sort((a, b) => a.time - b.time);
  return {
    entries,
    first,
    firstError: slack * Math.abs(ledger.first),
    sum: sum + first,
    memory: ledger.memory[last],
    memoryError: ledger.errors?.memory ?? 0,
  };
}

/** The triangle, read at (down) x written at (across), in at most `most` cells a side: means where several steps share one. errors: of
 *  the cells, where each is an entry of its own. */
export function triangle(
  ledger: Ledger,
  most: number,
): { size: number; cells: Float64Array; errors: Float64Array | null; largest: number } {
  const { steps, keep, write, reverse } = ledger;
  const size = Math.min(steps, most);
  const cells = new Float64Array(size * size);
  const errors = ledger.errors && size === steps ? new Float64Array(size * size) : null;
  const counts = new Uint32Array(size * size);
  const cell = Uint32Array.from({ length: steps }, (_, step) => Math.floor(((reverse ? steps - 1 - step : step) * size) / steps));
  const entries = new Float64Array(steps);
  let largest = 0;
  for (let read = 0; read < steps; read += 1) {
    const row = cell[read] * size;
    entries[read] = write[read];
    for (let written = 0; written <= read; written += 1) {
      if (written < read) entries[written] *= keep[read];
      const at = row + cell[written];
      cells[at] += entries[written];
      counts[at] += 1;
      const value = Math.abs(entries[written]);
      if (value > largest && value < Infinity) largest = value;
    }
    if (errors) for (const { time, error } of balanceAt(ledger, reverse ? steps - 1 - read : read).entries) errors[row + time] = error;
  }
  for (let at = 0; at < cells.length; at += 1) if (counts[at] > 1) cells[at] /= counts[at];
  return { size, cells, errors, largest };
}
