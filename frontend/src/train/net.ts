/** One layer and what is made of its outputs, over a whole batch in float64: the loss, and its derivative by every number. */

import type { CellDoc, Program } from "../document/schema";
import { lossOf } from "./loss";
import { type Parts, partsOf, Tape } from "./tape";

export interface Batch {
  steps: number;
  size: number; // sequences
  x: Float64Array; // steps × sequences × inputs; or the number of a symbol, steps × sequences
  symbols: boolean;
  asked: Int32Array; // where answers are: step · sequences + sequence
  targets: Float64Array; // of numbers answers × outputs, of classes their numbers
  classes: boolean;
}

export interface Shape {
  inputs: number;
  units: number;
  outputs: number; // of the linear layer on the outputs; 0: there is none, and unit 0 answers
  biases: number; // of each gate: 1, or 2 as torch has them
}

/** A group of numbers, where it lies among all, and its name in a state_dict; the head's are head.weight and head.bias. */
export interface Part {
  name: string;
  shape: number[];
  from: number;
  to: number;
}

export class Net {
  readonly parts: Part[] = [];
  readonly numbers: Float64Array;
  readonly gradient: Float64Array;
  /** How large the gradient is that arrives at each step's states: the root of the sum over units, of the mean square over sequences. */
  path = new Float64Array(0);
  private readonly tapes = new Map<number, Tape>();
  private program: Parts;
  private readonly views: Record<string, [numbers: Float64Array, slopes: Float64Array]> = {};
  private buffer = new Float64Array(0);

  constructor(
    readonly cell: CellDoc,
    program: Program,
    readonly shape: Shape,
  ) {
    const { inputs, units, outputs, biases } = shape;
    const rows = cell.gates.length * units;
    this.program = partsOf(program, cell.state);
    this.put("weight_ih_l0", rows, inputs);
    if (cell.sources.length) this.put("weight_hh_l0", rows, units);
    this.put("bias_ih_l0", rows);
    if (cell.sources.length && biases > 1) this.put("bias_hh_l0", rows);
    for (const name of program.inputs.filter((one) => one.startsWith("p."))) this.put(`${name.slice(2)}_l0`, units);
    if (outputs) {
      this.put("head.weight", outputs, units);
      this.put("head.bias", outputs);
    }
    const count = this.parts.at(-1)!.to;
    this.numbers = new Float64Array(count);
    this.gradient = new Float64Array(count);
    for (const { name, from, to } of this.parts) this.views[name] = [this.numbers.subarray(from, to), this.gradient.subarray(from, to)];
  }

  private put(name: string, ...shape: number[]): void {
    const from = this.parts.at(-1)?.to ?? 0;
    this.parts.push({ name, shape, from, to: from + shape.reduce((product, size) => product * size, 1) });
  }

  /** Another program of the same cell: with other gates held. */
  follow(program: Program): void {
    this.program = partsOf(program, this.cell.state);
    this.tapes.clear();
  }

  /** The numbers of a part; none where there is no such part. */
  of(name: string): Float64Array | undefined {
    return this.views[name]?.[0];
  }

  /** The derivative of the loss by them. */
  slopes(name: string): Float64Array | undefined {
    return this.views[name]?.[1];
  }

  tape(size: number, steps: number): Tape {
    let found = this.tapes.get(size);
    if (!found) this.tapes.set(size, (found = new Tape(this.program, size * this.shape.units, this.cell.state)));
    found.reach(steps);
    return found;
  }

  /** All steps. seen: called after each. */
  run(batch: Batch, seen: ((tape: Tape, time: number) => void) | null = null): Tape {
    const { units } = this.shape;
    const { steps, size } = batch;
    const tape = this.tape(size, steps);
    const recurrent = this.of("weight_hh_l0");
    const [bias, second] = [this.of("bias_ih_l0")!, this.of("bias_hh_l0")];
    for (const name of this.program.plan.inputs.keys()) if (name.startsWith("p.")) this.spread(tape.constant(name)!, name.slice(2));
    const output = this.cell.state[0];
    for (let time = 0; time < steps; time++) {
      const before = time ? tape.result(time - 1, `n.${output}`) : undefined;
      this.cell.gates.forEach((gate, g) => {
        const x = tape.input(time, `x.${gate}`);
        if (x) this.multiplyInput(x, batch, time, g, bias);
        const u = recurrent && tape.input(time, `u.${gate}`);
        if (u) multiply(u, recurrent, g * units, units, before, second);
      });
      tape.forward(time);
      seen?.(tape, time);
    }
    return tape;
  }

  private spread(out: Float64Array, name: string): void {
    const values = this.of(`${name}_l0`)!;
    for (let k = 0; k < out.length; k += values.length) out.set(values, k);
  }

  private multiplyInput(out: Float64Array, { x, size, symbols }: Batch, time: number, g: number, bias: Float64Array): void {
    const { units, inputs } = this.shape;
    const weight = this.of("weight_ih_l0")!;
    for (let b = 0, k = 0; b < size; b++) {
      const from = symbols ? x[time * size + b] : (time * size + b) * inputs;
      for (let u = 0; u < units; u++, k++) {
        const row = g * units + u;
        let sum = bias[row];
        if (symbols) sum += weight[row * inputs + from];
        else for (let j = 0, w = row * inputs; j < inputs; j++) sum += weight[w + j] * x[from + j];
        out[k] = sum;
      }
    }
  }

  /** The mean loss over all answers; the derivative goes into `gradient`. */
  learn(batch: Batch): number {
    const { steps, size } = batch;
    const { units } = this.shape;
    const tape = this.run(batch);
    this.gradient.fill(0);
    const wide = size * units;
    if (this.buffer.length < steps * wide) this.buffer = new Float64Array(steps * wide);
    const coming = this.buffer.fill(0);
    const loss = lossOf(this, tape, batch, coming);
    if (this.path.length !== steps) this.path = new Float64Array(steps);
    const carried: Record<string, Float64Array> = {};
    for (const name of this.cell.state) carried[name] = new Float64Array(wide);
    for (let time = steps - 1; time >= 0; time--) {
      const output = carried[this.cell.state[0]];
      for (let k = 0, from = time * wide; k < wide; k++) output[k] += coming[from + k];
      let squares = 0;
      for (const name of this.cell.state) {
        const one = carried[name];
        for (let k = 0; k < wide; k++) squares += one[k] * one[k];
        tape.input(time, `d.${name}`)?.set(one);
      }
      this.path[time] = Math.sqrt(squares * size); // the loss is a mean over sequences: times their number, it is that of one
      tape.backward(time);
      for (const name of this.cell.state) {
        const direct = tape.result(time, `grad.s.${name}`);
        if (direct) carried[name].set(direct);
        else carried[name].fill(0);
      }
      this.collect(tape, batch, time, output);
    }
    return loss;
  }

  /** A step's part in the derivatives of weights, biases and vectors; and through the recurrent weights into the step before. */
  private collect(tape: Tape, batch: Batch, time: number, into: Float64Array): void {
    const { units, inputs } = this.shape;
    const { size, x, symbols } = batch;
    const before = time ? tape.result(time - 1, `n.${this.cell.state[0]}`)! : null;
    const [weight, bias] = [this.slopes("weight_ih_l0")!, this.slopes("bias_ih_l0")!];
    const [recurrent, second] = [this.slopes("weight_hh_l0"), this.slopes("bias_hh_l0")];
    const through = this.of("weight_hh_l0");
    this.cell.gates.forEach((gate, g) => {
      const grad = tape.result(time, `grad.x.${gate}`);
      if (grad)
        for (let b = 0, k = 0; b < size; b++) {
          const from = symbols ? x[time * size + b] : (time * size + b) * inputs;
          for (let row = g * units, end = row + units; row < end; row++, k++) {
            const one = grad[k];
            bias[row] += one;
            if (symbols) weight[row * inputs + from] += one;
            else for (let j = 0, w = row * inputs; j < inputs; j++) weight[w + j] += one * x[from + j];
          }
        }
      const sent = tape.result(time, `grad.u.${gate}`);
      if (!sent || !recurrent || !through) return;
      for (let b = 0, k = 0; b < size; b++) {
        for (let row = g * units, end = row + units; row < end; row++, k++) {
          const one = sent[k];
          if (second) second[row] += one;
          if (!before) continue;
          for (let j = 0, w = row * units, from = b * units; j < units; j++, w++, from++) {
            recurrent[w] += one * before[from];
            into[from] += one * through[w];
          }
        }
      }
    });
    for (const { name, from, shape } of this.parts) {
      const grad = shape.length === 1 ? tape.result(time, `grad.p.${name.replace(/_l0$/, "")}`) : undefined;
      if (grad) for (let k = 0; k < grad.length; k++) this.gradient[from + (k % units)] += grad[k];
    }
  }
}

/** out = weight · last + bias, for each sequence: `units` rows from `first` on. */
function multiply(
  out: Float64Array,
  weight: Float64Array,
  first: number,
  units: number,
  last: Float64Array | undefined,
  bias: Float64Array | undefined,
): void {
  for (let from = 0, k = 0; from < out.length; from += units) {
    for (let row = first, end = first + units; row < end; row++, k++) {
      let sum = bias ? bias[row] : 0;
      if (last) for (let j = 0, w = row * units; j < units; j++) sum += weight[w + j] * last[from + j];
      out[k] = sum;
    }
  }
}
