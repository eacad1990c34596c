/** Figures and names as the page writes them. */

import type { CellDoc, Doc } from "../document/schema";
import { visible } from "./format";

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

/** What a name of an equation stands for: "long memory before", "forget gate: sum". */
export function inWords(cell: CellDoc, name: string): string {
  if (name === "input") return "input";
  if (name.startsWith("s.")) return `${label(cell, name.slice(2))} before`;
  if (/^[xu]\./.test(name)) return `${label(cell, name.slice(2))}: sum`;
  return label(cell, name);
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

/** Sites as people read them: the gates f, i, g, o, then the rest as the step computes it, the output last. */
export function inOrder(cell: CellDoc, sites: string[]): string[] {
  const first = ["f", "i", "g", "o"].filter((one) => sites.includes(one));
  if (!sites.includes("g") || !sites.includes("c")) return sites;
  const rest = sites.filter((one) => !first.includes(one) && one !== cell.state[0]);
  return [...first, ...rest, ...sites.filter((one) => one === cell.state[0])];
}

export type StepWord = "step" | "day";

/** "step 0", as in Python; "day 1", as in the lesson. */
export function counted(word: StepWord, time: number): string {
  return word === "day" ? `day ${time + 1}` : `step ${time}`;
}

/** A step with the character that stands there. */
export function step(doc: Doc, item: number, time: number, word: StepWord = "step"): string {
  const character = doc.items[item]?.characters?.[time];
  return `${counted(word, time)}${character === undefined ? "" : ` “${visible(character)}”`}`;
}

export function feature(doc: Doc, index: number): string {
  return doc.features?.[index] ?? (doc.layers[0]?.input === 1 ? "input" : `input ${index}`);
}
