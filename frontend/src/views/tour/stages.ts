/** The ten stages of the tour: what they say, what they point at, what there is to try, and when it is done. */

import type { State } from "../../state/types";
import { figure, percent } from "../../text/format";
import type { Look } from "./look";

export interface Stage {
  title: string;
  /** Every number in it is the model's, as it is at that moment. */
  text(look: Look): string;
  task: string;
  points: string[]; // parts of the picture
  handle: "picture" | "hold" | "terms" | "numbers" | "chart"; // where the task is done: a phone shows that part alone
  start: Partial<State>;
  done(look: Look): boolean;
  /** What happened, once it is done. */
  said(look: Look): string;
}

const A = 0;

const B = 1;

const ALL = [1, 2, 3, 4];

const day = (number: number): Partial<State> => ({ time: number - 1 });

export const DISTANCE = 100; // steps that the last stage looks back

const HALF = 0.5;

const SHUT = 0.01;

export const STAGES: Stage[] = [
  {
    title: "A number arrives",
    text: ({ value }) =>
      `Two companies, four days, one price a day. The unit reads one number at a step and does the same arithmetic with it every day. On day 5 each company's price will be that of its day 1: ${figure(value("input", 1, A))} for A, ${figure(value("input", 1, B))} for B. After four days the unit should still know day 1.`,
    task: "Let the second number arrive: choose day 2 and watch it travel.",
    points: ["input", "x.f", "x.i", "x.g", "x.o"],
    handle: "picture",
    start: { item: A, ...day(1), node: "input" },
    done: (look) => look.day > 1,
    said: ({ value, day }) =>
      `A price of ${figure(value("input", day))} reached all four sums at once. The unit's output went from ${figure(value("h", day - 1))} to ${figure(value("h", day))}.`,
  },
  {
    title: "Two memories",
    text: () =>
      "From one day to the next the unit carries two numbers. The long memory c runs along the top: it is only multiplied and added to. The short memory h at the bottom is the part of it that is passed on, and what the gates read a day later.",
    task: "Open the long memory: click c(t), or reach it with Tab and press Enter.",
    points: ["c", "s.c", "h", "s.h"],
    handle: "picture",
    start: { item: B, ...day(2), node: "input" },
    done: ({ state }) => state.node === "c",
    said: ({ value, day }) =>
      `There it is, worked out: ${day > 1 ? `day ${day - 1} left ${figure(value("c", day - 1))}, ` : ""}day ${day} makes it ${figure(value("c", day))}.`,
  },
  {
    title: "A gate is a number from 0 to 1",
    text: () =>
      "Each gate adds up what it reads: the short memory times a weight, the price times a weight, a bias. The sum may be any number. The function σ squeezes it between 0, shut, and 1, open.",
    task: "Open the forget gate f further, to more than 0.95: drag its price to the right.",
    points: ["f", "x.f"],
    handle: "terms",
    start: { item: A, ...day(2), node: "f" },
    done: ({ value, was, day }) => value("f", day) > 0.95 && value("f", day) > was("f", day),
    said: ({ value, was, day }) =>
      `The gate went from ${figure(was("f", day))} to ${figure(value("f", day))}. However large the sum gets, it will not pass 1.`,
  },
  {
    title: "The forget gate keeps",
    text: ({ value }) =>
      `The blue gate f is multiplied with the long memory: 1 keeps all of it, 0 wipes it out. Company B began with a price of ${figure(value("input", 1, B))}, and by the evening of day 1 its long memory was ${figure(value("c", 1, B))}.`,
    task: "Hold the forget gate shut on day 2. What is left of day 1?",
    points: ["f", "×f", "s.c", "kept"],
    handle: "hold",
    start: { item: B, ...day(2), node: "f" },
    done: ({ value }) => value("f", 2) < SHUT,
    said: ({ value, was }) =>
      `In the long memory ${value("f", 2) === 0 ? "nothing" : "next to nothing"}: its ${figure(value("c", 2))} was written on day 2. But the gates of day 2 had read day 1 in the short memory: the answer of B went from ${figure(was("h", 4, B))} to ${figure(value("h", 4, B))}, that of A is ${figure(value("h", 4, A))}.`,
  },
  {
    title: "The input gate lets in",
    text: () =>
      "The green gate i says how much of the candidate is written. Open, today counts in full; shut, today passes without a trace.",
    task: "Keep everything out: choose “at all steps”, then hold the input gate shut.",
    points: ["i", "x.i", "×w", "written"],
    handle: "hold",
    start: { item: B, ...day(1), node: "i" },
    done: ({ value }) => ALL.every((one) => value("i", one) < SHUT),
    said: ({ value, was }) => {
      const empty = ALL.every((one) => value("c", one) === 0 && value("h", one) === 0);
      const why = empty ? "Both memories stay at 0: a unit that writes nothing has nothing to pass on. " : "";
      return `${why}The answer after day 4 is ${figure(value("h", 4))}; it was ${figure(was("h", 4))}.`;
    },
  },
  {
    title: "The candidate is what could be written",
    text: () =>
      "The orange candidate g reads the same as the gates but goes through tanh, from −1 to 1: it can raise the long memory or lower it. Gates only say how much; the candidate says what.",
    task: "Make the candidate of day 1 negative: lower the price, a weight or the bias.",
    points: ["g", "x.g", "×w"],
    handle: "terms",
    start: { item: B, ...day(1), node: "g" },
    done: ({ value, was }) => value("g", 1) < 0 && was("g", 1) >= 0,
    said: ({ value, was }) =>
      `With a candidate of ${figure(value("g", 1))}, the long memory after day 1 is ${figure(value("c", 1))} where it was ${figure(was("c", 1))}.`,
  },
  {
    title: "Keep, then add",
    text: () =>
      "This one line is the heart of it: the new long memory is f times the old one plus i times g. No squashing, no weight in between. That is why something written once can stay for long.",
    task: "Put 2 into the long memory that comes in on day 3: drag it, or type 2.",
    points: ["c", "s.c", "f", "i", "g"],
    handle: "numbers",
    start: { item: A, ...day(3), node: "c" },
    done: ({ value, was }) => value("c", 2) > 1.99 && was("c", 2) < 1.99,
    said: ({ value }) =>
      `Of the ${figure(value("c", 2))}, ${percent(value("f", 3))} are kept on day 3 and ${percent(value("f", 4))} of those on day 4: with what is written on top, the long memory ends at ${figure(value("c", 4))}.`,
  },
  {
    title: "The output gate passes on",
    text: () =>
      "The purple gate o says how much of the long memory, squashed by tanh, is passed on as the short memory h. What is not passed on is not lost: it stays in c.",
    task: "Hold the output gate shut on day 4. What happens to h, and what to c?",
    points: ["o", "x.o", "tanh_c", "h"],
    handle: "hold",
    start: { item: B, ...day(4), node: "o" },
    done: ({ value }) => value("o", 4) < SHUT,
    said: ({ value, was }) => {
      const answer = `The answer is ${figure(value("h", 4))} instead of ${figure(was("h", 4))}`;
      if (value("c", 4) === was("c", 4)) return `${answer}, yet the long memory is still ${figure(value("c", 4))}: silent, not forgetful.`;
      return `${answer}, and the long memory is ${figure(value("c", 4))} instead of ${figure(was("c", 4))}: something else was changed before day 4 too, and the gates of the next day read it.`;
    },
  },
  {
    title: "One day decides",
    text: () =>
      "All together now. By themselves, companies A and B have the same prices on days 2, 3 and 4. Whatever distinguishes them after day 4 was carried there from day 1, in the long memory and in the short one.",
    task: "Make company A answer like B, more than 0.9 after day 4, by changing the price of day 1 alone.",
    points: [],
    handle: "terms",
    start: { item: A, ...day(1), node: "input" },
    done: ({ value, state }) => {
      const on = state.edits.filter((edit) => edit.on);
      return value("h", 4, A) > 0.9 && on.length > 0 && on.every((edit) => edit.kind === "input" && edit.item === A && edit.time === 0);
    },
    said: ({ value, was }) =>
      `A price of ${figure(value("input", 1, A))} instead of ${figure(was("input", 1, A))} on day 1 moved the answer after day 4 from ${figure(was("h", 4, A))} to ${figure(value("h", 4, A))}.`,
  },
  {
    title: "Why a gradient survives",
    text: () =>
      `To learn, an error must travel back to the step that caused it. Along the long memory it is multiplied by one forget gate a step. In a plain RNN it is multiplied by |w| · tanh′ a step instead, and tanh′ is below 1 as soon as the unit says anything. What is left after ${DISTANCE} steps?`,
    task: `Set the forget gate so that more than half of the gradient survives ${DISTANCE} steps.`,
    points: ["s.c", "c", "f"],
    handle: "chart",
    start: { item: A, ...day(4), node: "c" },
    done: ({ gate }) => gate ** DISTANCE > HALF,
    said: ({ gate }) =>
      `With a gate of ${gate.toFixed(3)}, ${percent(gate ** DISTANCE)} arrive. A gate can learn to be that open; a plain RNN would have to balance |w| · tanh′ on 1 at every step.`,
  },
];
