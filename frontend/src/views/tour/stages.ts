/** The ten stages of the tour: what they say, what they point at, what there is to try, and when it is done. */

import type { State } from "../../state/types";
import { figure, percent } from "../../text/format";

/** What a stage looks at. Days are counted from 1, as in the texts. */
export interface Look {
  state: State;
  value(site: string, day: number): number;
  was(site: string, day: number): number; // without the edits
  gate: number; // of the last stage's slider
}

export interface Stage {
  title: string;
  text: string;
  task: string;
  points: string[]; // parts of the picture
  start: Partial<State>;
  done(look: Look): boolean;
  /** What happened, once it is done. */
  said(look: Look): string;
}

const A = 0;

const B = 1;

const day = (number: number): Partial<State> => ({ time: number - 1 });

export const DISTANCE = 100; // steps that the last stage looks back

const HALF = 0.5;

export const STAGES: Stage[] = [
  {
    title: "A number arrives",
    text: "Two companies, four days, one price a day. The unit reads one number at a step and does the same arithmetic with it every day. On day 5 the price of company A is 0 and that of company B is 1, as on day 1: after four days the unit should still know day 1.",
    task: "Let the second number arrive: choose day 2 and watch it travel.",
    points: ["input", "x.f", "x.i", "x.g", "x.o"],
    start: { item: A, ...day(1), node: "input" },
    done: ({ state }) => state.time === 1,
    said: ({ value }) =>
      `A price of 0.50 reached all four sums at once. The unit's output went from ${figure(value("h", 1))} to ${figure(value("h", 2))}.`,
  },
  {
    title: "Two memories",
    text: "From one day to the next the unit carries two numbers. The long memory c runs along the top: it is only multiplied and added to. The short memory h at the bottom is the part of it that is passed on, and what the gates read a day later.",
    task: "Open the long memory: click c(t), or reach it with Tab and press Enter.",
    points: ["c", "s.c", "h", "s.h"],
    start: { item: B, ...day(2), node: "input" },
    done: ({ state }) => state.node === "c",
    said: ({ value }) => `There it is, worked out: ${figure(value("c", 1))} came in from day 1, ${figure(value("c", 2))} goes on to day 3.`,
  },
  {
    title: "A gate is a number from 0 to 1",
    text: "Each gate adds up what it reads: the short memory times a weight, the price times a weight, a bias. The sum may be any number. The function σ squeezes it between 0, shut, and 1, open.",
    task: "Open the forget gate f further, to more than 0.95: drag the price in its arithmetic to the right.",
    points: ["f", "x.f"],
    start: { item: A, ...day(2), node: "f" },
    done: ({ value, state }) => value("f", state.time + 1) > 0.95,
    said: ({ value, state }) => `The gate is at ${figure(value("f", state.time + 1))}. However large the sum gets, it will not pass 1.`,
  },
  {
    title: "The forget gate keeps",
    text: "The blue gate f is multiplied with the long memory: 1 keeps all of it, 0 wipes it out. Company B began with a price of 1, and by the evening of day 1 its long memory was 0.50.",
    task: "Hold the forget gate shut on day 2. What is left of day 1?",
    points: ["f", "×f", "s.c", "kept"],
    start: { item: B, ...day(2), node: "f" },
    done: ({ value }) => value("f", 2) < 0.01,
    said: ({ value, was }) =>
      `Nothing. The ${figure(value("c", 2))} in the long memory was all written on day 2, and the answer after day 4 fell from ${figure(was("h", 4))} to ${figure(value("h", 4))}.`,
  },
  {
    title: "The input gate lets in",
    text: "The green gate i says how much of the candidate is written. Open, today counts in full; shut, today passes without a trace.",
    task: "Keep everything out: choose “at all steps”, then hold the input gate shut.",
    points: ["i", "x.i", "×w", "written"],
    start: { item: B, ...day(1), node: "i" },
    done: ({ value }) => [1, 2, 3, 4].every((one) => value("i", one) < 0.01),
    said: ({ was }) => `Both memories stay at 0: a unit that writes nothing has nothing to pass on. The answer was ${figure(was("h", 4))}.`,
  },
  {
    title: "The candidate is what could be written",
    text: "The orange candidate g reads the same as the gates but goes through tanh, from −1 to 1: it can raise the long memory or lower it. Gates only say how much; the candidate says what.",
    task: "Make the candidate of day 1 negative: lower the price, a weight or the bias.",
    points: ["g", "x.g", "×w"],
    start: { item: B, ...day(1), node: "g" },
    done: ({ value }) => value("g", 1) < 0,
    said: ({ value, was }) =>
      `The candidate is ${figure(value("g", 1))}, so the long memory of day 1 is ${figure(value("c", 1))} where it was ${figure(was("c", 1))}.`,
  },
  {
    title: "Keep, then add",
    text: "This one line is the heart of it: the new long memory is f times the old one plus i times g. No squashing, no weight in between. That is why something written once can stay for long.",
    task: "Put 2 into the long memory that comes in on day 3: drag it, or type 2.",
    points: ["c", "s.c", "f", "i", "g"],
    start: { item: A, ...day(3), node: "c" },
    done: ({ value }) => value("c", 2) > 1.99,
    said: ({ value }) =>
      `Of the 2, ${percent(value("f", 3))} are kept on day 3 and ${percent(value("f", 4))} of those on day 4: with what is written on top, the long memory ends at ${figure(value("c", 4))}.`,
  },
  {
    title: "The output gate passes on",
    text: "The purple gate o says how much of the long memory, squashed by tanh, is passed on as the short memory h. What is not passed on is not lost: it stays in c.",
    task: "Hold the output gate shut on day 4. What happens to h, and what to c?",
    points: ["o", "x.o", "tanh_c", "h"],
    start: { item: B, ...day(4), node: "o" },
    done: ({ value }) => value("o", 4) < 0.01,
    said: ({ value, was }) =>
      `The answer is ${figure(value("h", 4))} instead of ${figure(was("h", 4))}, yet the long memory is still ${figure(value("c", 4))}: silent, not forgetful.`,
  },
  {
    title: "One day decides",
    text: "All together now. Companies A and B have the same prices on days 2, 3 and 4. Whatever distinguishes them after day 4 must have been carried through three days in the long memory.",
    task: "Make company A answer like B, more than 0.9 after day 4, by changing the price of day 1 alone.",
    points: [],
    start: { item: A, ...day(1), node: "input" },
    done: ({ value, state }) =>
      value("h", 4) > 0.9 && state.edits.filter((edit) => edit.on).every((edit) => edit.kind === "input" && edit.time === 0),
    said: ({ value, was }) => `One number on day 1 moved the answer after day 4 from ${figure(was("h", 4))} to ${figure(value("h", 4))}.`,
  },
  {
    title: "Why a gradient survives",
    text: "To learn, an error must travel back to the step that caused it. Along the long memory it is multiplied by one forget gate a step. In a plain RNN it is multiplied by |w| · tanh′ a step instead, and tanh′ is below 1 as soon as the unit says anything. After 100 steps:",
    task: "Set the forget gate so that more than half of the gradient survives 100 steps.",
    points: ["s.c", "c", "f"],
    start: { item: A, ...day(4), node: "c" },
    done: ({ gate }) => gate ** DISTANCE > HALF,
    said: ({ gate }) =>
      `With a gate of ${gate.toFixed(3)}, ${percent(gate ** DISTANCE)} arrive. A gate can learn to be that open; a plain RNN would have to balance |w| · tanh′ on 1 at every step.`,
  },
];
