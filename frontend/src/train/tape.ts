/** A program over many steps and a whole batch: forwards, then backwards through what was kept. A register holds batch × units. */

import type { Program } from "../document/schema";
import { KERNELS, type Kernel } from "../model/functions";
import { type Line, type Plan, wholePlan } from "../model/program";

/** A program, taken apart: the step, and its derivative, which reads what the step has computed. */
export interface Parts {
  plan: Plan;
  forward: Line[];
  backward: Line[];
  kept: Set<number>; // registers that every step has for itself
}

export function partsOf(program: Program, state: string[]): Parts {
  const plan = wholePlan(program);
  const registers = (wanted: (name: string) => boolean): number[] =>
    [...plan.results].filter(([name]) => wanted(name)).map(([, register]) => register);
  const step = needed(
    plan.lines,
    registers((name) => /^(n|site)\./.test(name)),
  );
  const derivative = needed(
    plan.lines,
    registers((name) => name.startsWith("grad.")),
  );
  const forward = plan.lines.filter((line) => step.has(line.out));
  const backward = plan.lines.filter((line) => derivative.has(line.out) && !step.has(line.out));
  const made = new Set(forward.map((line) => line.out));
  const given = new Set(plan.inputs.values());
  const passed = [...plan.inputs].filter(([name]) => /^[xu]\./.test(name)).map(([, register]) => register);
  const read = new Set([...backward.flatMap((line) => line.args), ...registers((name) => !name.startsWith("site."))]);
  for (const name of state) {
    if (!made.has(plan.results.get(`n.${name}`)!)) throw new Error(`the step does not compute the state ${name}`);
  }
  return {
    plan,
    forward,
    backward,
    kept: new Set([...made, ...passed].filter((register) => read.has(register) && (made.has(register) || given.has(register)))),
  };
}

/** The registers from which these follow. */
function needed(lines: Line[], results: number[]): Set<number> {
  const wanted = new Set(results);
  for (const line of [...lines].reverse()) if (wanted.has(line.out)) for (const argument of line.args) wanted.add(argument);
  return wanted;
}

interface Operation {
  kernel: Kernel;
  out: Float64Array;
  a: Float64Array;
  b: Float64Array;
  c: Float64Array;
}

export class Tape {
  readonly steps: { registers: Float64Array[]; forward: Operation[]; backward: Operation[] }[] = [];
  private readonly shared: Float64Array[];

  constructor(
    private readonly parts: Parts,
    private readonly width: number,
    private readonly state: string[],
  ) {
    const { plan } = parts;
    this.shared = Array.from({ length: plan.count }, () => new Float64Array(width));
    for (const [register, value] of plan.constants) this.shared[register].fill(value);
  }

  /** The register of an input that is the same at all steps; undefined if the program has none of that name. */
  constant(name: string): Float64Array | undefined {
    const register = this.parts.plan.inputs.get(name);
    return register === undefined ? undefined : this.shared[register];
  }

  input(time: number, name: string): Float64Array | undefined {
    const register = this.parts.plan.inputs.get(name);
    return register === undefined ? undefined : this.steps[time].registers[register];
  }

  result(time: number, name: string): Float64Array | undefined {
    const register = this.parts.plan.results.get(name);
    return register === undefined ? undefined : this.steps[time].registers[register];
  }

  forward(time: number): void {
    run(this.steps[time].forward);
  }

  backward(time: number): void {
    run(this.steps[time].backward);
  }

  /** Room for so many steps. A step reads the states where the step before has written them. */
  reach(steps: number): void {
    const { plan, forward, backward, kept } = this.parts;
    while (this.steps.length < steps) {
      const last = this.steps.at(-1)?.registers;
      const registers = this.shared.map((all, register) => (kept.has(register) ? new Float64Array(this.width) : all));
      for (const name of this.state) {
        const register = plan.inputs.get(`s.${name}`);
        if (register !== undefined) registers[register] = last ? last[plan.results.get(`n.${name}`)!] : new Float64Array(this.width);
      }
      const bound = ({ out, fn, args }: Line): Operation => ({
        kernel: KERNELS[fn],
        out: registers[out],
        a: registers[args[0]],
        b: registers[args[1] ?? args[0]],
        c: registers[args[2] ?? args[0]],
      });
      this.steps.push({ registers, forward: forward.map(bound), backward: backward.map(bound) });
    }
  }
}

function run(operations: Operation[]): void {
  for (let k = 0; k < operations.length; k++) {
    const { kernel, out, a, b, c } = operations[k];
    kernel(out, a, b, c);
  }
}
