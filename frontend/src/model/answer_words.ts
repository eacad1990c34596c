/** The answer as a line of text, whole and in shorter forms: first without the words, then without what it was before a change. */

import { figure, percent, typed, visible } from "../text/format";
import { counted, type StepWord } from "../text/labels";
import type { Answer, Estimate, Output } from "./answer";

/** A piece of the line, and what it is: the answer itself, what it was before the change, or words around them. */
export interface Piece {
  text: string;
  kind: "words" | "was" | "now";
}

const NUMBERS = 3; // of an answer of several

const BITS = Math.LN2;

/** From the longest to the shortest. before: the same without the changes; null: nothing was changed. over: the mean losses over the
 *  sequence, after and before. */
export function answerLines(now: Answer, before: Answer | null, over: [Estimate | null, Estimate | null], word: StepWord): Piece[][] {
  const [long, short] = leads(now, word);
  const whole = values(now, before, true);
  const likeliest = values(now, before, false);
  const alone = values(now, null, false);
  const right = rightOf(now);
  const bits = (was: Answer | null): Piece[] => bitsOf(now, was);
  const lines = [
    [long, ...whole, ...right, ...bits(before), ...overSequence(now, before, over)],
    [short, ...whole, ...right, ...bits(before), ...overSequence(now, before, over)],
    [short, ...whole, ...right, ...bits(before)],
    [short, ...likeliest, ...right, ...bits(before)],
    [short, ...alone, ...right, ...bits(null)],
    [short, ...alone, ...right],
    [...alone, ...right],
  ];
  return lines.map((line) => line.filter(({ text }) => text));
}

/** While it is not computed yet. */
export function waiting(word: StepWord, time: number): Piece[] {
  return [words(`answer after ${counted(word, time)}: …`)];
}

export function textOf(line: Piece[]): string {
  return line.map(({ text }) => text).join("");
}

const words = (text: string): Piece => ({ text, kind: "words" });

function leads({ kind, here, time }: Answer, word: StepWord): [Piece, Piece] {
  const step = counted(word, time);
  if (!here) return [words(`asked after ${step}: `), words(`${step}: `)];
  return kind === "next" ? [words(`next after ${step}: `), words("next: ")] : [words(`answer after ${step}: `), words("answer: ")];
}

/** The answer, with what it was. all: further classes, and all numbers. */
function values(now: Answer, before: Answer | null, all: boolean): Piece[] {
  if (now.kind === "numbers") return numbers(now, before, all ? NUMBERS : 1);
  const [first, ...others] = now.outputs;
  const was = before?.outputs[0];
  const same = was?.index === first.index;
  const rest = all ? others.map((one) => `, ${named(one)} ${valueText(now, one)}`).join("") : "";
  const shown = valueText(now, first);
  if (!was || (same && valueText(now, was) === shown)) return [answered(`${named(first)} ${shown}`), words(rest)];
  if (same) return [answered(`${named(first)} `), { text: `${valueText(now, was)} → `, kind: "was" }, answered(shown), words(rest)];
  return [{ text: `${named(was)} ${valueText(now, was)} → `, kind: "was" }, answered(`${named(first)} ${shown}`), words(rest)];
}

const answered = (text: string): Piece => ({ text, kind: "now" });

function numbers(now: Answer, before: Answer | null, most: number): Piece[] {
  const found = now.outputs.slice(0, most).flatMap((one, at): Piece[] => {
    const was = before?.outputs[at];
    const [old, text] = [was && valueText(now, was), valueText(now, one)];
    return [
      words(`${at ? ", " : ""}${one.name ? `${one.name} = ` : ""}`),
      ...(old && old !== text ? [{ text: `${old} → `, kind: "was" as const }] : []),
      answered(text),
    ];
  });
  const left = now.outputs.length - most;
  return left > 0 ? [...found, words(` and ${left} more`)] : found;
}

function rightOf({ kind, right }: Answer): Piece[] {
  if (!right.length) return [];
  const shown = right.slice(0, NUMBERS).map((one) => (kind === "numbers" ? typed(one.value) : named(one)));
  return [words(`, should be ${shown.join(", ")}`)];
}

/** The loss of a character. */
function bitsOf(now: Answer, before: Answer | null): Piece[] {
  if (now.kind !== "next" || !now.loss) return [];
  return [words("; "), ...changed(before?.loss ?? null, now.loss), words(" bits")];
}

function overSequence(now: Answer, before: Answer | null, [over, was]: [Estimate | null, Estimate | null]): Piece[] {
  if (now.kind !== "next" || !over) return [];
  return [words(", over the sequence "), ...changed(before && was, over)];
}

function changed(before: Estimate | null, now: Estimate): Piece[] {
  const [was, text] = [before && bits(before), bits(now)];
  return was && was !== text ? [{ text: `${was} → `, kind: "was" }, words(text)] : [words(text)];
}

function bits({ value, error }: Estimate): string {
  return Number.isFinite(value) ? figure(value / BITS, error / BITS) : "over 1,000"; // a probability that float64 cannot hold
}

function named({ name }: Output): string {
  return visible(name);
}

function valueText({ kind, share }: Answer, { value, error }: Output): string {
  return kind !== "numbers" && share && !Number.isNaN(value) ? percent(value, error) : figure(value, error);
}
