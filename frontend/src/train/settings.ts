/** What is trained, as it stands in the page's address: "adding~gru~16~0.01~0~20~f.1_o.0~TEXT". */

import type { PlayDoc } from "../document/schema";

export type TaskName = "companies" | "adding" | "temporal_order" | "parity" | "an_bn" | "embedded_reber" | "text";

export interface Settings {
  task: TaskName;
  cell: string;
  units: number;
  rate: number;
  seed: number;
  length: number; // of the sequences: steps, the largest n, characters
  held: Record<string, number>; // sites that are taken away: what each is held at
  text: string; // one's own, of the task of that name
}

export const TEXT =
  "A gate that opens lets the new day in. A gate that shuts keeps the old day out. Between the two there is a memory: what was" +
  " written stays written until a gate wipes it. Nobody told the gates when to open and when to shut; they learnt it, a small step at" +
  " a time, each from its own mistakes. Take a gate away and see what the others can no longer do.";

interface Usual {
  title: string;
  units: number;
  rate: number;
  length: [usual: number, least: number, most: number, word: string] | null;
}

/** What each task starts with. */
export const USUAL: Record<TaskName, Usual> = {
  companies: { title: "two companies", units: 1, rate: 0.1, length: null },
  adding: { title: "adding", units: 16, rate: 0.01, length: [20, 4, 100, "steps"] },
  temporal_order: { title: "temporal order", units: 12, rate: 0.02, length: [20, 10, 100, "steps"] },
  parity: { title: "parity", units: 6, rate: 0.02, length: [8, 2, 50, "bits"] },
  an_bn: { title: "aⁿ bⁿ", units: 4, rate: 0.02, length: [8, 1, 30, "largest n"] },
  embedded_reber: { title: "embedded Reber", units: 12, rate: 0.02, length: null },
  text: { title: "your own text", units: 32, rate: 0.01, length: [24, 4, 100, "characters at a time"] },
};

export const LIMITS = { units: [1, 64], rate: [1e-5, 1], seed: [0, 99999], text: [40, 20000] } as const;

const MOST_IN_LINK = 2000;

const NUMBERS = /^(-?\d+(?:\.\d+)?(?:e-?\d+)?)$/i;

export function usual(task: TaskName, play: PlayDoc): Settings {
  const { units, rate, length } = USUAL[task];
  const seed = task === "companies" ? play.lesson.seed : 0;
  return { task, cell: "lstm", units, rate, seed, length: length ? length[0] : 0, held: {}, text: TEXT };
}

/** As one word of the address. "": nothing was chosen. */
export function settingsWord({ task, cell, units, rate, seed, length, held, text }: Settings): string {
  const holds = Object.entries(held).map(([site, value]) => `${site}.${value}`);
  const own = task === "text" && text !== TEXT && text.length <= MOST_IN_LINK ? [text] : [];
  return [task, cell, units, rate, seed, length, holds.join("_"), ...own].join("~");
}

/** What such a word says; what makes no sense in it is as usual, numbers are brought into their range. */
export function settingsOf(word: string, play: PlayDoc): Settings {
  const [task, cell, units, rate, seed, length, holds, ...text] = word.split("~");
  const first = usual(task in USUAL ? (task as TaskName) : "companies", play);
  const within = (given: string | undefined, [least, most]: readonly [number, number], otherwise: number, whole = true): number => {
    if (!NUMBERS.test(given ?? "")) return otherwise;
    const value = Math.min(most, Math.max(least, Number(given)));
    return whole ? Math.round(value) : value;
  };
  const chosen = Object.hasOwn(play.cells, cell) ? cell : first.cell;
  const [, least, most] = USUAL[first.task].length ?? [0, 0, 0];
  return {
    ...{ task: first.task, cell: chosen },
    units: within(units, LIMITS.units, first.units),
    rate: within(rate, LIMITS.rate, first.rate, false),
    seed: within(seed, LIMITS.seed, first.seed),
    length: within(length, [least, most], first.length),
    held: heldOf(holds ?? "", gatesOf(play, chosen)),
    text: text.length ? text.join("~").slice(0, LIMITS.text[1]) : first.text,
  };
}

/** The sites of a cell that can be taken away: those between 0 and 1. */
export function gatesOf(play: PlayDoc, cell: string): string[] {
  const { sites, ranges } = play.cells[cell].cell;
  return sites.filter((site) => ranges[site] === "share");
}

function heldOf(text: string, gates: string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const one of text.split("_")) {
    const at = one.indexOf(".");
    const [site, value] = [one.slice(0, at), Number(one.slice(at + 1))];
    if (at > 0 && gates.includes(site) && value >= 0 && value <= 1) found[site] = value;
  }
  return found;
}
