/** What is made of the output: a linear layer, and what its scores are put through. */

import { matrix } from "../document/read";
import type { HeadDoc } from "../document/schema";
import { multiplyAll } from "./multiply";
import type { Values } from "./types";
import { row, values } from "./values";

/** Steps × outputs; null without a head. */
export function headOf(head: HeadDoc | null, from: Values): Values | null {
  if (!head) return null;
  const weight = matrix(head.weight);
  const bias = head.bias ? matrix(head.bias) : null;
  const out = values(from.steps, weight.rows, head.error ? new Float64Array(weight.rows).fill(head.error) : null);
  multiplyAll(out.data, weight, from.data, out.steps, bias);
  for (let time = 0; time < out.steps; time++) SQUASHED[head.squash](row(out, time));
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
