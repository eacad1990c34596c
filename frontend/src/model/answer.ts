/** What the model answers, and what it should: the one source of the time bar, the outputs' panel and the table. */

import { matrix } from "../document/read";
import type { AnswerDoc, Doc, ItemAnswerDoc } from "../document/schema";
import type { Run, Values } from "./types";
import { errorAt } from "./values";

export interface Output {
  index: number;
  name: string;
  value: number;
  error: number; // how far it may be off
}

/** A number of which not every digit is known. */
export interface Estimate {
  value: number;
  error: number;
}

export interface Answer {
  kind: AnswerDoc["kind"];
  share: boolean; // the values are probabilities
  time: number; // the step after which it is given
  here: boolean; // that is the step that was asked about
  outputs: Output[]; // numbers in their order and their own unit; of classes the likeliest first
  right: Output[]; // what it should be: the numbers that are known, or the class; empty where nothing is
  loss: Estimate | null; // of this answer
}

/** What is known of the answers of a document that does not say: its head's, unless directions would have to be put together. */
export function answerDoc(doc: Doc): AnswerDoc | null {
  if (doc.answer !== undefined) return doc.answer;
  if (!doc.head || doc.layers.some(({ reverse }) => reverse)) return null;
  return { at: "every", kind: doc.head.squash === "softmax" ? "class" : "numbers", spreads: null, offsets: null };
}

/** The answer that matters at a step: this step's own, or the next one that is asked for, or the last. run: done. most: classes at most. */
export function answerAt(doc: Doc, run: Run, time: number, most = 3): Answer | null {
  const about = answerDoc(doc);
  const from = about && valuesOf(doc, about, run);
  if (!about || !from) return null;
  const item = doc.items[run.item].answer ?? null;
  const own = doc.items[run.item].own !== undefined; // whose reader asks of every step
  const at = own && about.at === "every" ? time : askedAt(about, item, run.steps, time);
  const step = from.steps === 1 ? 0 : at;
  if (step >= from.steps) return null;
  const right = targetsAt(doc, about, item, at);
  const outputs =
    about.kind === "numbers"
      ? Array.from({ length: from.width }, (_, index) => inUnit(doc, about, item, outputOf(doc, from, step, index)))
      : largest(doc, from, step, most);
  return {
    ...{ kind: about.kind, share: doc.head !== null && doc.head.squash !== "none", time: at, here: at === time, outputs, right },
    loss: lossAt(doc, about, from, step, item, at),
  };
}

function valuesOf(doc: Doc, { at }: AnswerDoc, run: Run): Values | null {
  return at === "ends" ? run.ending : doc.head ? run.head : run.output;
}

/** The step whose answer matters at a step. */
function askedAt({ at }: AnswerDoc, item: ItemAnswerDoc | null, steps: number, time: number): number {
  const last = (item?.steps ?? steps) - 1;
  if (at !== "every") return last;
  const asked = (step: number): boolean => !item?.targets || target(item, step).some((one) => !Number.isNaN(one));
  for (let step = time; step <= last; step++) if (asked(step)) return step;
  for (let step = Math.min(time, last); step >= 0; step--) if (asked(step)) return step;
  return Math.min(time, last);
}

/** The row of the targets for a step; empty where they are not known. */
function target(
  { targets }: ItemAnswerDoc,
  step: number,
): ArrayLike<number> & Iterable<number> & { some(is: (one: number) => boolean): boolean } {
  if (!targets) return [];
  const { rows, columns, data } = matrix(targets);
  const row = rows === 1 ? 0 : step;
  return row < rows ? data.subarray(row * columns, (row + 1) * columns) : [];
}

function targetsAt(doc: Doc, about: AnswerDoc, item: ItemAnswerDoc | null, step: number): Output[] {
  if (!item) return [];
  const found = Array.from(target(item, step), (value, index) => ({ index, name: outputName(doc, index), value, error: 0 }));
  const known = found.filter(({ value }) => !Number.isNaN(value));
  if (about.kind === "numbers") return known.map((one) => inUnit(doc, about, item, one));
  return known.map(({ value }) => ({ index: value, name: outputName(doc, value), value, error: 0 }));
}

/** With the name and the value of the table that the model was trained on. */
function inUnit(doc: Doc, about: AnswerDoc, item: ItemAnswerDoc | null, output: Output): Output {
  const name = item?.labels?.[output.index] ?? (widthOf(doc) > 1 ? output.name : "");
  return scaled({ ...output, name }, about.spreads, item?.offsets ?? about.offsets);
}

function scaled(output: Output, spreads: number[] | null, offsets: number[] | null): Output {
  if (!spreads || !offsets) return output;
  const { index, value, error } = output;
  return { ...output, value: offsets[index] + spreads[index] * value, error: Math.abs(spreads[index]) * error };
}

function widthOf({ head, layers }: Doc): number {
  return head?.weight.shape[0] ?? layers[layers.length - 1].output;
}

function outputOf(doc: Doc, from: Values, step: number, index: number): Output {
  return { index, name: outputName(doc, index), value: from.data[step * from.width + index], error: errorAt(from, index) };
}

export function outputName({ head, answer }: Doc, index: number): string {
  const unnamed = answer && answer.kind !== "numbers" ? `class ${index}` : `output ${index}`;
  return head?.names?.[index] ?? (head?.weight.shape[0] === 1 ? "output" : unnamed);
}

/** The largest outputs of a step, the largest first, those that are no numbers last; without sorting all of them. */
export function largest(doc: Doc, from: Values, step: number, most: number): Output[] {
  const found: number[] = [];
  const value = (index: number): number => from.data[step * from.width + index];
  const before = (one: number, other: number): boolean =>
    value(one) > value(other) || (Number.isNaN(value(other)) && !Number.isNaN(value(one)));
  for (let index = 0; index < from.width; index++) {
    let at = found.length;
    while (at > 0 && before(index, found[at - 1])) at--;
    if (at >= most) continue;
    found.splice(at, 0, index);
    if (found.length > most) found.pop();
  }
  return found.map((index) => outputOf(doc, from, step, index));
}

/** At a step; all outputs of the head, the largest first; in their own unit, where that is the same at every step. */
export function outputsAt(doc: Doc, { head }: Run, time: number): Output[] {
  const { spreads = null, offsets = null } = doc.answer ?? {};
  return head ? largest(doc, head, time, head.width).map((one) => scaled(one, spreads, offsets)) : [];
}

/** Of classes the cross entropy, in nats; of numbers the mean squared error, in the head's own unit. null: nothing is asked, or the loss of
 *  such a head is not known. */
function lossAt(doc: Doc, { kind }: AnswerDoc, from: Values, step: number, item: ItemAnswerDoc | null, at: number): Estimate | null {
  const right = item ? target(item, at) : [];
  if (!right.length) return null;
  const row = from.data.subarray(step * from.width, (step + 1) * from.width);
  if (kind === "numbers") return squaredError(from, row, right);
  return Number.isNaN(right[0]) ? null : crossEntropy(doc, from, row, right[0]);
}

function squaredError(from: Values, row: Float64Array, right: ArrayLike<number>): Estimate | null {
  let [value, error, asked] = [0, 0, 0];
  for (let index = 0; index < right.length; index++) {
    if (Number.isNaN(right[index])) continue;
    const off = row[index] - right[index];
    value += off * off;
    error += 2 * Math.abs(off) * errorAt(from, index);
    asked += 1;
  }
  return asked ? { value: value / asked, error: error / asked } : null;
}

function crossEntropy(doc: Doc, from: Values, row: Float64Array, right: number): Estimate | null {
  const squash = doc.head?.squash ?? "none";
  const error = errorAt(from, right);
  if (squash === "softmax") return { value: -Math.log(row[right]), error: error ? error / row[right] : 0 };
  if (squash === "sigmoid") return null;
  const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = row.reduce((all, score) => all + Math.exp(score - top), 0);
  return { value: top + Math.log(sum) - row[right], error: 2 * error };
}

const overall = new WeakMap<Run, Estimate | null>();

/** The mean loss over all answers that are asked of the sequence. run: done. */
export function lossOver(doc: Doc, run: Run): Estimate | null {
  let found = overall.get(run);
  if (found === undefined) overall.set(run, (found = lossFrom(doc, run, 0)));
  return found;
}

/** The mean loss over the answers that are asked of the steps from one on. run: done. */
export function lossFrom(doc: Doc, run: Run, first: number): Estimate | null {
  const about = answerDoc(doc);
  const from = about && valuesOf(doc, about, run);
  const item = doc.items[run.item].answer ?? null;
  if (!about || !from || !item?.targets) return null;
  const last = item.steps - 1;
  let [value, error, asked] = [0, 0, 0];
  for (let at = about.at === "every" ? first : last; at <= last; at++) {
    const one = lossAt(doc, about, from, from.steps === 1 ? 0 : at, item, at);
    if (!one) continue;
    value += one.value;
    error += one.error;
    asked += 1;
  }
  return asked ? { value: value / asked, error: error / asked } : null;
}
