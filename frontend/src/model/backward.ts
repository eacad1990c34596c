import type { Doc, Program } from "../document/schema";
import { SLOPES } from "./functions";
import { multiplyTransposed } from "./multiply";
import { productGate, productsOf } from "./products";
import { Machine, type Plan, wholePlan } from "./program";
import { before, changeAt, Feeder, levels, publicName, type Task } from "./recurrence";
import type { Run, Values } from "./types";
import { row, values } from "./values";

/** What a state listens to: its derivative by the input of every step, through all layers. byhand's own derivative program runs
 *  backwards; at steps where a site is edited, the lines of the step are differentiated one by one, and nothing passes an edit. */

type Vector = Float64Array;

/** A direction in which a state's change at one step is asked about. */
export interface Seed {
  state: string;
  at: number;
  vector: Vector;
}

export class Sensitivity {
  private readonly whole: Plan;

  constructor(
    private readonly doc: Doc,
    program: Program,
    private readonly step: Plan,
  ) {
    this.whole = wholePlan(program);
  }

  /** steps × features. tasks: of every place, as they were run. seeds: by place, all of one level. */
  of(run: Run, tasks: Record<string, Task>, seeds: Record<string, Seed>): Values {
    const groups = levels(this.doc.layers);
    let level = groups.findIndex((group) => group.some((layer) => layer.place in seeds));
    let found = summed(Object.entries(seeds).map(([place, seed]) => this.through(tasks[place], run, seed)));
    for (level -= 1; level >= 0; level--) {
      let offset = 0;
      const parts = groups[level].map((layer) => {
        const part = columns(found, offset, layer.output);
        offset += layer.output;
        return this.through(tasks[layer.place], run, part);
      });
      found = summed(parts);
    }
    return found;
  }

  /** The derivative by a layer's input, given that of its outputs, or of one state at one step. */
  private through(task: Task, run: Run, from: Values | Seed): Values {
    const { cell, layer, weights, input } = task;
    const { steps } = input;
    const { sites, initial } = run.places[layer.place];
    const output = cell.state[0];
    const result = values(steps, input.width);
    const back = new StepBack(task, this.whole, this.step);
    let carried: Record<string, Vector> = {};
    for (const name of cell.state) carried[name] = new Float64Array(initial[name].length);
    for (let done = 0; done < steps; done++) {
      const time = layer.reverse ? done : steps - 1 - done;
      if ("data" in from) add(carried[output], row(from, time));
      else if (from.at === time) add(carried[from.state], from.vector);
      if (cell.state.every((name) => carried[name].every((one) => one === 0))) continue;
      const last = before(layer, steps, time);
      const state: Record<string, Vector> = {};
      for (const name of cell.state) state[name] = last < 0 ? initial[name] : row(sites[name], last);
      if (weights.projection) carried[output] = this.unprojected(task, carried[output], time);
      back.run(time, state, carried);
      const next: Record<string, Vector> = {};
      for (const name of cell.state) {
        next[name] = new Float64Array(initial[name].length);
        const direct = back.grad(`s.${name}`);
        if (direct && direct.length === next[name].length) add(next[name], direct);
      }
      this.products(task, back, row(result, time), next);
      carried = next;
    }
    return result;
  }

  private unprojected(task: Task, grad: Vector, time: number): Vector {
    const cut = grad.slice();
    cutAt(task, time)(task.cell.state[0], cut);
    const out = new Float64Array(task.layer.hidden);
    multiplyTransposed(out, task.weights.projection!, cut);
    return out;
  }

  /** Through W into the input, through U into the states before (unless the cell cuts the gradient there). */
  private products({ cell, layer, weights }: Task, back: StepBack, input: Vector, states: Record<string, Vector>): void {
    const all = new Float64Array(cell.gates.length * layer.hidden);
    const gather = (kind: string): boolean => {
      all.fill(0);
      let some = false;
      cell.gates.forEach((gate, g) => {
        const grad = back.grad(`${kind}.${gate}`);
        if (grad) all.set(grad, g * layer.hidden);
        some ||= !!grad;
      });
      return some;
    };
    if (gather("x")) multiplyTransposed(input, weights.input, all);
    if (!weights.recurrent || cell.truncated || !gather("u")) return;
    const read = new Float64Array(weights.recurrent.columns);
    multiplyTransposed(read, weights.recurrent, all);
    let offset = 0;
    for (const name of cell.sources) {
      add(states[name], read.subarray(offset, offset + states[name].length));
      offset += states[name].length;
    }
  }
}

/** All of the same size. */
function summed([first, ...others]: Values[]): Values {
  for (const { data } of others) add(first.data, data);
  return first;
}

/** One step backwards. */
class StepBack {
  private readonly whole: Machine;
  private readonly step: Machine;
  private readonly feeders: [Feeder, Feeder];
  private adjoints: Vector[] | null = null;

  constructor(
    private readonly task: Task,
    whole: Plan,
    step: Plan,
  ) {
    const products = productsOf(task);
    this.whole = new Machine(whole, task.layer.hidden, products);
    this.step = new Machine(step, task.layer.hidden, products);
    this.feeders = [new Feeder(task, this.whole), new Feeder(task, this.step)];
  }

  run(time: number, state: Record<string, Vector>, grads: Record<string, Vector>): void {
    const { cell } = this.task;
    const change = changeAt(this.task, time);
    this.adjoints = null;
    if (change) {
      this.feeders[1].feed(time, state);
      this.step.run(change);
      this.adjoints = this.lineByLine(time, grads);
      return;
    }
    this.feeders[0].feed(time, state);
    for (const name of cell.state) this.whole.input(`d.${name}`)?.set(grads[name]);
    this.whole.run();
  }

  /** The derivative by an input of the step, by name. */
  grad(name: string): Vector | undefined {
    if (this.adjoints) {
      const register = this.step.plan.inputs.get(name);
      return register === undefined ? undefined : this.adjoints[register];
    }
    const register = this.whole.plan.results.get(`grad.${name}`);
    return register === undefined ? undefined : this.whole.registers[register];
  }

  private lineByLine(time: number, grads: Record<string, Vector>): Vector[] {
    const { plan, registers, width } = this.step;
    const { cell, weights } = this.task;
    const adjoints = registers.map(() => new Float64Array(width));
    for (const name of cell.state) add(adjoints[plan.results.get(`n.${name}`)!], grads[name]);
    const cut = cutAt(this.task, time);
    for (const { out, fn, args } of [...plan.lines].reverse()) {
      const adjoint = adjoints[out];
      const site = plan.sites.get(out);
      if (site !== undefined) cut(publicName(cell, weights.projection !== null, site), adjoint);
      const gate = productGate(fn);
      if (gate !== null) {
        const back = new Float64Array(width);
        this.step.products[`transposed.${gate}`](back, adjoint, back, back);
        add(adjoints[args[0]], back);
      }
      const slopes = SLOPES[fn];
      if (!slopes) continue;
      const [a, b, c] = args.map((register) => registers[register]);
      for (let j = 0; j < width; j++) {
        if (adjoint[j] === 0) continue;
        const by = slopes(a[j], b?.[j], c?.[j], registers[out][j]);
        args.forEach((register, k) => {
          if (by[k] !== 0) adjoints[register][j] += adjoint[j] * by[k];
        });
      }
    }
    return adjoints;
  }
}

/** No derivative goes through what an edit has replaced by a number. */
function cutAt(task: Task, time: number): (name: string, adjoint: Vector) => void {
  const now = task.edits.filter((edit) => edit.time === null || edit.time === time);
  return (name, adjoint) => {
    for (const { site, unit } of now) {
      if (site !== name) continue;
      if (unit === null) adjoint.fill(0);
      else adjoint[unit] = 0;
    }
  };
}

function add(to: Vector, what: Vector): void {
  for (let k = 0; k < to.length; k++) to[k] += what[k];
}

function columns(from: Values, offset: number, width: number): Values {
  const part = values(from.steps, width);
  for (let time = 0; time < from.steps; time++) row(part, time).set(row(from, time).subarray(offset, offset + width));
  return part;
}
