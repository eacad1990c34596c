/** Figures and names as the page writes them. */

import { visible } from "./elements";
import type { CellDoc, Doc } from "./types";

export const MINUS = "−";

/** A number for people: two decimals, more where it is small, fewer where it is large. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  let text: string;
  if (size !== 0 && size < 5e-7) text = size.toExponential(0);
  else if (size >= 1e6) text = size.toExponential(1);
  else if (size !== 0 && size < 0.01) text = String(Number(size.toPrecision(1)));
  else text = size.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 2);
  text = text.replace("-", MINUS); // of an exponent
  return value < 0 && !/^0(\.0*)?$/.test(text) ? MINUS + text : text;
}

export function percent(share: number): string {
  const size = share * 100;
  return `${size >= 99.5 || size < 0.05 ? Math.round(size) : size < 10 ? Number(size.toPrecision(2)) : Math.round(size)} %`.replace("-", MINUS);
}

export type Tone = "f" | "i" | "g" | "o" | "memory" | "plain" | "input";

/** The colour family of a site or state. A cell of one's own gets its colours where it uses the letters of the LSTM. */
export function tone(cell: CellDoc, name: string): Tone {
  if (name === "input" || name.startsWith("x.") || name.startsWith("u.")) return tone_of_gate(cell, name);
  if (name.startsWith("s.") || cell.state[0] === name || /^(\w+_)?c$/.test(name)) return "memory";
  if (name === "f" || name === "i" || name === "g" || name === "o") return name;
  return "plain";
}

function tone_of_gate(cell: CellDoc, name: string): Tone {
  return name === "input" ? "input" : tone(cell, name.slice(2));
}

const WORDS: Record<string, string> = { h: "short memory", c: "long memory" };

/** What a site, state or gate is called: "forget gate". */
export function label(cell: CellDoc, name: string): string {
  return cell.labels[name] ?? WORDS[name] ?? name;
}

/** A name as the picture and the equations write it: s.c is c of the step before. */
export function symbol(name: string): string {
  if (name === "input") return "x";
  if (name.startsWith("s.")) return `${pretty(name.slice(2))}₋₁`;
  if (name.startsWith("x.")) return `Σ${pretty(name.slice(2))}`;
  if (name.startsWith("u.")) return `U${pretty(name.slice(2))}`;
  if (name.startsWith("p.")) return pretty(name.slice(2));
  return pretty(name);
}

function pretty(name: string): string {
  if (name === "tanh_c") return "tanh c";
  if (name === "squashed_c") return "squashed c";
  return name;
}

/** A step, counted from 1, with the character that stands there. */
export function step(doc: Doc, item: number, time: number): string {
  const character = doc.items[item]?.characters?.[time];
  return `step ${time + 1}${character === undefined ? "" : ` “${visible(character)}”`}`;
}

export function feature(doc: Doc, index: number): string {
  return doc.features?.[index] ?? (doc.layers[0]?.input === 1 ? "input" : `input ${index}`);
}

export const calm = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
