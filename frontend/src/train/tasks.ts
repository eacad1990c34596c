/** The tasks of byhand.tasks, drawn in the page: what is read, what is asked, and when. Their rules stand in the Python files. */

import type { Batch } from "./net";
import { Source } from "./random";
import { END, SYMBOLS, WAYS } from "./reber";
import type { Settings, TaskName } from "./settings";

/** One sequence. targets: what should come out after each step, a number or the number of a class; null: nothing is asked there. */
export interface Sequence {
  x: number[]; // step after step: the inputs, or the number of a symbol
  targets: (number | null)[];
  name?: string;
}

export interface Task {
  name: TaskName;
  about: string;
  inputs: string[]; // what the features are called, or the symbols
  symbols: boolean;
  outputs: string[]; // of the classes, or the number
  classes: boolean;
  every: boolean; // an answer after each step, not one at the end
  tolerance: number; // of numbers: how near is right
  least: number; // the loss of who knows the rules, where chance decides what comes next; NaN: not known
  size: number; // sequences of a batch
  batches: number; // of an epoch
  draw(source: Source, number: number): Sequence; // number: how many were drawn before
}

const ONCE = { size: 32, batches: 10 };

export function taskOf(settings: Settings): Task {
  const { length } = settings;
  switch (settings.task) {
    case "companies":
      return companies();
    case "adding":
      return adding(length);
    case "temporal_order":
      return temporalOrder(length);
    case "parity":
      return parity(length);
    case "an_bn":
      return anBn(length);
    case "embedded_reber":
      return embeddedReber();
    case "text":
      return ownText(settings.text, length);
  }
}

/** LSTM.py's: one company after the other, a step of the optimiser for each. */
function companies(): Task {
  return {
    ...{ name: "companies", inputs: ["price"], symbols: false, outputs: ["prediction"], classes: false, every: false },
    ...{ tolerance: 0.1, least: 0, size: 1, batches: 2 },
    about: "Reads the prices of a company on four days and answers with the price of the fifth, which is that of the first.",
    draw: (_, number) => ({
      x: [number % 2, 0.5, 0.25, 1],
      targets: [null, null, null, number % 2],
      name: `company ${"AB"[number % 2]}`,
    }),
  };
}

function adding(length: number): Task {
  return {
    ...{ name: "adding", inputs: ["value", "marker"], symbols: false, outputs: ["sum"], classes: false, every: false },
    ...{ tolerance: 0.04, least: 0, ...ONCE },
    about: "Reads a row of numbers, two of them marked, and answers with the sum of these two, scaled to 0 … 1.",
    draw: (source) => {
      const steps = length + source.below(Math.floor(length / 10) + 1);
      const half = Math.floor(length / 2);
      const first = source.below(Math.min(10, half));
      const other = source.below(half - 1);
      const second = other + (other >= first ? 1 : 0);
      const values = Array.from({ length: steps }, () => source.even(1));
      if (first === 0 || second === 0) values[0] = 0;
      const marker = (time: number): number => (time === first || time === second ? 1 : time === 0 || time === steps - 1 ? -1 : 0);
      return {
        x: values.flatMap((value, time) => [value, marker(time)]),
        targets: atEnd(steps, 0.5 + (values[first] + values[second]) / 4),
      };
    },
  };
}

const LETTERS = [..."abcdBEXY"];

const WINDOWS = [
  [10, 20],
  [50, 60],
];

function temporalOrder(length: number): Task {
  return {
    ...{ name: "temporal_order", inputs: LETTERS, symbols: true, outputs: ["XX", "XY", "YX", "YY"], classes: true, every: false },
    ...{ tolerance: 0, least: 0, ...ONCE },
    about: "Reads a row of letters, two of them X or Y, and says in which order these stood.",
    draw: (source) => {
      const steps = length + source.below(Math.floor(length / 10) + 1);
      const x = Array.from({ length: steps }, () => source.below(4));
      let target = 0;
      for (const window of WINDOWS) {
        const [least, most] = window.map((percent) => Math.floor((percent * length) / 100));
        const isY = source.below(2);
        x[least + source.below(most - least + 1)] = LETTERS.indexOf("X") + isY;
        target = 2 * target + isY;
      }
      x[0] = LETTERS.indexOf("E");
      x[steps - 1] = LETTERS.indexOf("B");
      return { x, targets: atEnd(steps, target) };
    },
  };
}

function parity(length: number): Task {
  return {
    ...{ name: "parity", inputs: ["0", "1"], symbols: true, outputs: ["even", "odd"], classes: true, every: true },
    ...{ tolerance: 0, least: 0, ...ONCE },
    about: "Reads a row of ones and zeros and says at each step whether the number of ones so far is odd.",
    draw: (source) => {
      const x = Array.from({ length }, () => source.below(2));
      let ones = 0;
      return { x, targets: x.map((bit) => (ones += bit) % 2) };
    },
  };
}

function anBn(most: number): Task {
  const symbols = [..."SabT"];
  return {
    ...{ name: "an_bn", inputs: symbols, symbols: true, outputs: symbols, classes: true, every: true },
    ...{ tolerance: 0, least: Math.log(most) / (most + 2), ...ONCE }, // n is drawn evenly; a string asks for 2·n + 1 letters
    about: "Reads a string of letters, as many b as there were a, and says which letter comes next.",
    draw: (source) => {
      const n = 1 + source.below(most);
      return following([0, ...Array<number>(n).fill(1), ...Array<number>(n).fill(2), 3]);
    },
  };
}

function embeddedReber(): Task {
  const letters = [...SYMBOLS];
  return {
    ...{ name: "embedded_reber", inputs: letters, symbols: true, outputs: letters, classes: true, every: true },
    ...{ tolerance: 0, least: (7 / 11) * Math.LN2, ...ONCE }, // byhand.tasks.embedded_reber: of 11 letters, 7 come by chance
    about: "Reads a string of a small grammar and says which letter may come next; the last but one is the second one again.",
    draw: (source) => {
      const string: number[] = [];
      for (let state = 0; state !== END; ) {
        const [symbol, after] = WAYS[state][source.below(WAYS[state].length)];
        string.push(letters.indexOf(symbol));
        state = after;
      }
      return following(string);
    },
  };
}

function ownText(text: string, length: number): Task {
  const symbols = [...new Set(text)].sort();
  const number = new Map(symbols.map((symbol, k) => [symbol, k]));
  const all = [...text].map((symbol) => number.get(symbol)!);
  const window = Math.min(length, all.length - 1);
  return {
    ...{ name: "text", inputs: symbols, symbols: true, outputs: symbols, classes: true, every: true },
    ...{ tolerance: 0, least: Number.NaN, ...ONCE },
    about: "Reads a text and says at each character which one comes next.",
    draw: (source) => {
      const from = source.below(all.length - window);
      return following(all.slice(from, from + window + 1));
    },
  };
}

function atEnd(steps: number, target: number): (number | null)[] {
  return Array.from({ length: steps }, (_, time) => (time === steps - 1 ? target : null));
}

/** Each symbol is read, and the next one is asked for. */
function following(string: number[]): Sequence {
  return { x: string.slice(0, -1), targets: string.slice(1) };
}

const CHECKED = 32;

/** The sequences that are not trained on; of the companies, both. */
export function checked(task: Task, seed: number): Sequence[] {
  const source = new Source(seed, 1);
  return Array.from({ length: task.name === "companies" ? 2 : CHECKED }, (_, k) => task.draw(source, k));
}

/** Sequences side by side; those that are shorter end in zeros, of which nothing is asked. */
export function batchOf({ inputs, symbols, classes }: Task, sequences: Sequence[]): Batch {
  const size = sequences.length;
  const steps = Math.max(...sequences.map(({ targets }) => targets.length));
  const wide = symbols ? 1 : inputs.length;
  const x = new Float64Array(steps * size * wide);
  const [asked, targets]: [number[], number[]] = [[], []];
  sequences.forEach((one, b) => {
    one.targets.forEach((target, time) => {
      for (let j = 0; j < wide; j++) x[(time * size + b) * wide + j] = one.x[time * wide + j];
      if (target === null) return;
      asked.push(time * size + b);
      targets.push(target);
    });
  });
  return { steps, size, x, symbols, asked: Int32Array.from(asked), targets: Float64Array.from(targets), classes };
}
