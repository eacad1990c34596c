/** The answer as a line of text, whole and in shorter forms: first without the words, then without what it was before a change. */

import { brief, figure, percent, visible } from "../text/format";
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
  const [long, short, bare] = leads(now, word);
  const whole = values(now, before, true);
  const likeliest = values(now, before, false);
  const alone = values(now, null, false);
  const right = rightOf(now, NUMBERS);
  const one = rightOf(now, 1);
  const bits = (was: Answer | null): Piece[] => bitsOf(now, was);
  const lines = [
    [long, ...whole, ...right, ...bits(before), ...overSequence(now, before, over)],
    [short, ...whole, ...right, ...bits(before), ...overSequence(now, before, over)],
    [short, ...whole, ...right, ...bits(before)],
    [short, ...likeliest, ...one, ...bits(before)],
    [bare, ...likeliest, ...one, ...bits(before)],
    [bare, ...alone, ...one, ...bits(null)],
    [bare, ...alone, ...one],
    [...alone, ...one],
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

/** The words before the answer, fewer and fewer. At another step than the answer's, that is the last to go, but where a name says when. */
function leads({ kind, here, time, outputs }: Answer, word: StepWord): Piece[] {
  const step = counted(word, time);
  const what = kind === "next" ? "next" : "answer";
  return (
    here
      ? [`${what} after ${step}: `, `${what}: `, ""]
      : [`asked at ${step}: `, `${step}: `, kind === "numbers" && outputs[0]?.name ? "" : `${step}: `]
  ).map(words);
}

/** The answer, with what it was. all: further classes, and all numbers. */
function values(now: Answer, before: Answer | null, all: boolean): Piece[] {
  if (now.kind === "numbers") return numbers(now, before, all ? NUMBERS : 1);
  const [first, ...others] = now.outputs;
  const was = before?.outputs[0];
  const same = was?.index === first.index;
  const rest = words(all ? others.map((one) => `, ${likely(now, one)}`).join("") : "");
  const [old, shown] = [was && valueText(now, was), valueText(now, first)];
  if (!was || (same && old === shown)) return [answered(likely(now, first)), rest];
  if (!same) return [{ text: `${likely(now, was)} → `, kind: "was" }, answered(likely(now, first)), rest];
  return [answered(`${named(first)} (`), { text: `${old} → `, kind: "was" }, answered(`${shown})`), rest];
}

/** A class and its probability: "7 (30 %)". */
function likely(now: Answer, one: Output): string {
  return `${named(one)} (${valueText(now, one)})`;
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

/** most: of several numbers, as many as are shown of the answer. */
function rightOf({ kind, right }: Answer, most: number): Piece[] {
  const known = kind === "numbers" ? right.filter(({ index }) => index < most) : right;
  if (!known.length) return [];
  const shown = known.map((one) => (kind === "numbers" ? brief(one.value) : named(one)));
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
