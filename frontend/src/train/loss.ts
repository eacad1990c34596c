/** What is made of the outputs, the loss, and its derivative: squared error of numbers, cross-entropy of classes. */

import type { Batch, Net } from "./net";
import type { Tape } from "./tape";

/** The answers, one after the other: answers × outputs. Without a head, unit 0 of the output. */
export function answersOf(net: Net, tape: Tape, { asked, size }: Batch): Float64Array {
  const { units, outputs } = net.shape;
  const [weight, bias] = [net.of("head.weight"), net.of("head.bias")];
  const wide = outputs || 1;
  const found = new Float64Array(asked.length * wide);
  for (let a = 0; a < asked.length; a++) {
    const output = tape.result(Math.floor(asked[a] / size), `n.${net.cell.state[0]}`)!;
    const from = (asked[a] % size) * units;
    for (let r = 0; r < wide; r++) {
      let sum = weight ? bias![r] : output[from];
      if (weight) for (let j = 0, w = r * units; j < units; j++) sum += weight[w + j] * output[from + j];
      found[a * wide + r] = sum;
    }
  }
  return found;
}

/** The mean loss. into: its derivative by the outputs of every step, steps × sequences × units; that by the head goes to net.gradient. */
export function lossOf(net: Net, tape: Tape, batch: Batch, into: Float64Array | null): number {
  const { units, outputs } = net.shape;
  const wide = outputs || 1;
  const answers = answersOf(net, tape, batch);
  const slopes = new Float64Array(answers.length);
  const loss = batch.classes ? crossEntropy(answers, batch.targets, wide, slopes) : squaredError(answers, batch.targets, slopes);
  if (!into) return loss;
  const weight = net.of("head.weight");
  const [gradient, bias] = [net.slopes("head.weight"), net.slopes("head.bias")];
  for (let a = 0; a < batch.asked.length; a++) {
    const at = batch.asked[a];
    const output = tape.result(Math.floor(at / batch.size), `n.${net.cell.state[0]}`)!;
    const [from, to] = [(at % batch.size) * units, at * units];
    for (let r = 0; r < wide; r++) {
      const slope = slopes[a * wide + r];
      if (!weight) into[to] += slope;
      else {
        bias![r] += slope;
        for (let j = 0, w = r * units; j < units; j++) {
          gradient![w + j] += slope * output[from + j];
          into[to + j] += slope * weight[w + j];
        }
      }
    }
  }
  return loss;
}

function squaredError(answers: Float64Array, targets: Float64Array, slopes: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < answers.length; k++) {
    const off = answers[k] - targets[k];
    sum += off * off;
    slopes[k] = (2 * off) / answers.length;
  }
  return sum / answers.length;
}

function crossEntropy(answers: Float64Array, targets: Float64Array, wide: number, slopes: Float64Array): number {
  const count = targets.length;
  let sum = 0;
  for (let a = 0; a < count; a++) {
    const from = a * wide;
    let top = -Infinity;
    for (let r = 0; r < wide; r++) top = Math.max(top, answers[from + r]);
    let all = 0;
    for (let r = 0; r < wide; r++) all += slopes[from + r] = Math.exp(answers[from + r] - top);
    for (let r = 0; r < wide; r++) slopes[from + r] /= all * count;
    slopes[from + targets[a]] -= 1 / count;
    sum += Math.log(all) + top - answers[from + targets[a]];
  }
  return sum / count;
}

/** The share of answers that are right: the likeliest class, or a number within the tolerance. */
export function rightOf(answers: Float64Array, { targets, classes, asked }: Batch, tolerance: number): number {
  const wide = answers.length / asked.length;
  let right = 0;
  for (let a = 0; a < asked.length; a++) {
    const own = answers.subarray(a * wide, (a + 1) * wide);
    if (classes) right += own[targets[a]] === Math.max(...own) ? 1 : 0;
    else right += own.every((value, r) => Math.abs(value - targets[a * wide + r]) < tolerance) ? 1 : 0;
  }
  return right / asked.length;
}
