/** What is made of the output: a linear layer, and what its scores are put through. */

import { matrix } from "../document/read";
import type { HeadDoc } from "../document/schema";
import { multiply } from "./recurrence";
import type { Values } from "./types";
import { row, values } from "./values";

/** Steps × outputs; null without a head. */
export function headOf(head: HeadDoc | null, from: Values): Values | null {
  if (!head) return null;
  const weight = matrix(head.weight);
  const bias = head.bias ? matrix(head.bias) : null;
  const out = values(from.steps, weight.rows);
  for (let time = 0; time < out.steps; time++) {
    multiply(row(out, time), weight, row(from, time), bias);
    SQUASHED[head.squash](row(out, time));
  }
  return out;
}

const SQUASHED: Record<HeadDoc["squash"], (scores: Float64Array) => void> = {
  none: () => {},
  softmax,
  sigmoid: (scores) => scores.forEach((score, k) => (scores[k] = 1 / (1 + Math.exp(-score)))),
};

function softmax(scores: Float64Array): void {
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let k = 0; k < scores.length; k++) sum += scores[k] = Math.exp(scores[k] - top);
  for (let k = 0; k < scores.length; k++) scores[k] /= sum;
}
