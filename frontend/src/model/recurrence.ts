/** One layer and direction over one sequence: byhand's reference engine, in the page, for a single sequence and in float64. */

import type { Matrix } from "../document/read";
import type { CellDoc, LayerDoc, Packed } from "../document/schema";
import { firstDifference, type SiteEdit } from "./edits";
import { multiply, multiplyAll } from "./multiply";
import { productsOf } from "./products";
import { Machine, type Plan } from "./program";
import type { Values } from "./types";
import { equal, row, values } from "./values";

export interface Weights {
  rounded: Packed["dtype"] | null; // as what the matrices are kept, where that is not all of them
  input: Matrix;
  recurrent: Matrix | null;
  bias_input: Matrix | null;
  bias_recurrent: Matrix | null;
  projection: Matrix | null;
  vectors: Record<string, Float64Array>;
}

/** All that a layer's values follow from. */
export interface Task {
  cell: CellDoc;
  layer: LayerDoc;
  weights: Weights;
  input: Values;
  initial: Record<string, Float64Array>;
  edits: SiteEdit[];
}

export interface Done {
  task: Task;
  sites: Record<string, Values>;
}

/** The layers by level: both directions of one side by side. */
export function levels(layers: LayerDoc[]): LayerDoc[][] {
  const found = new Map<string, LayerDoc[]>();
  for (const layer of layers) {
    const key = layer.place.replace(/\.?reverse$/, "");
    found.set(key, [...(found.get(key) ?? []), layer]);
  }
  return [...found.values()];
}

/** What a site of the step is called outside: the output, where it goes through a projection, is "m" before it. */
export function publicName(cell: CellDoc, projected: boolean, site: string): string {
  return projected && site === cell.state[0] ? "m" : site;
}

/** All sites of a layer, by these names. */
export function siteNames(cell: CellDoc, projected: boolean): string[] {
  const names = cell.sites.map((site) => publicName(cell, projected, site));
  return projected ? [...names, cell.state[0]] : names;
}

/** The step before, in the layer's own direction; −1: the initial states. */
export function before(layer: LayerDoc, steps: number, time: number): number {
  return layer.reverse ? (time + 1 < steps ? time + 1 : -1) : time - 1;
}

const BLOCK = 16; // steps whose inputs are multiplied at once

/** A step's arguments, written into a machine's registers: gate sums, last states, vectors. */
export class Feeder {
  readonly read: Float64Array;
  private readonly sums: Float64Array;
  private readonly block: Float64Array; // what the input gives to the gates, at some steps at once
  private from = -1; // the first of them
  private readonly places: [state: string, offset: number][] = [];

  constructor(
    private readonly task: Task,
    private readonly machine: Machine,
  ) {
    const { cell, layer, weights } = task;
    let width = 0;
    for (const state of cell.sources) {
      this.places.push([state, width]);
      width += state === cell.state[0] ? layer.output : layer.hidden;
    }
    this.read = new Float64Array(width);
    this.sums = new Float64Array(cell.gates.length * layer.hidden);
    this.block = new Float64Array(BLOCK * this.sums.length);
    for (const [name, value] of Object.entries(cell.constants)) machine.input(`p.${name}`)?.fill(value);
    for (const [name, value] of Object.entries(weights.vectors)) machine.input(`p.${name}`)?.set(value);
  }

  feed(time: number, state: Record<string, Float64Array>): void {
    const { cell, layer, weights } = this.task;
    this.scatter("x", this.ofInput(time));
    if (weights.recurrent) {
      for (const [name, offset] of this.places) this.read.set(state[name], offset);
      multiply(this.sums, weights.recurrent, this.read, weights.bias_recurrent);
      this.scatter("u", this.sums);
    }
    for (const name of cell.state) {
      const register = this.machine.input(`s.${name}`);
      if (register && state[name].length === layer.hidden) register.set(state[name]);
    }
  }

  private ofInput(time: number): Float64Array {
    const { weights, input } = this.task;
    const from = time - (time % BLOCK);
    if (from !== this.from) {
      const vectors = input.data.subarray(from * input.width);
      multiplyAll(this.block, weights.input, vectors, Math.min(BLOCK, input.steps - from), weights.bias_input);
      this.from = from;
    }
    const size = this.sums.length;
    return this.block.subarray((time - from) * size, (time - from + 1) * size);
  }

  private scatter(kind: string, sums: Float64Array): void {
    const { gates } = this.task.cell;
    const { hidden } = this.task.layer;
    for (let g = 0; g < gates.length; g++) this.machine.input(`${kind}.${gates[g]}`)?.set(sums.subarray(g * hidden, (g + 1) * hidden));
  }
}

/** The change of one step: writes every edit that holds at this time into the site's values. null where there is none. */
export function changeAt(task: Task, time: number): ((site: string, values: Float64Array) => void) | null {
  const now = task.edits.filter((edit) => edit.time === null || edit.time === time);
  if (!now.length) return null;
  const projected = task.weights.projection !== null;
  return (site, values) => write(now, publicName(task.cell, projected, site), values);
}

export function write(edits: SiteEdit[], name: string, values: Float64Array): void {
  for (const edit of edits) {
    if (edit.site !== name) continue;
    if (edit.unit === null) values.fill(edit.value);
    else if (edit.unit < values.length) values[edit.unit] = edit.value;
  }
}

/** A layer's values, computed a slice at a time. earlier: results of the same layer; what they share with this task, from the first step
 *  on, is taken over from the one that shares most. */
export class LayerJob {
  readonly sites: Record<string, Values> = {};
  private readonly machine: Machine;
  private readonly feeder: Feeder;
  private state: Record<string, Float64Array>;
  private done = 0; // steps

  constructor(
    readonly task: Task,
    plan: Plan,
    earlier: Done[],
  ) {
    const { cell, layer, weights, input } = task;
    const projected = weights.projection !== null;
    this.machine = new Machine(plan, layer.hidden, productsOf(task));
    this.feeder = new Feeder(task, this.machine);
    this.state = { ...task.initial };
    let base: Done | null = null;
    for (const other of earlier) {
      const same = sharedSteps(task, other.task);
      if (same > this.done) [this.done, base] = [same, other];
    }
    for (const name of siteNames(cell, projected)) {
      const width = projected && name === cell.state[0] ? layer.output : layer.hidden;
      const error = layer.errors?.[name];
      this.sites[name] = base
        ? continued(base.sites[name], input.steps, this.done, layer.reverse)
        : values(input.steps, width, error ? new Float64Array(width).fill(error) : null);
    }
    if (base) this.state = Object.fromEntries(cell.state.map((name) => [name, row(this.sites[name], this.timeOf(this.done - 1))]));
  }

  /** The states after the last step that is computed. */
  get after(): Record<string, Float64Array> {
    return this.state;
  }

  get share(): number {
    return this.done / this.task.input.steps;
  }

  private timeOf(done: number): number {
    return this.task.layer.reverse ? this.task.input.steps - 1 - done : done;
  }

  /** Computes for so long, at least one step; whether all is there. */
  advance(milliseconds: number): boolean {
    const { steps } = this.task.input;
    const end = performance.now() + milliseconds;
    while (this.done < steps) {
      this.step(this.timeOf(this.done++));
      if (this.done % LOOK === 0 && performance.now() > end) break;
    }
    return this.done === steps;
  }

  private step(time: number): void {
    const { cell, weights } = this.task;
    const projected = weights.projection !== null;
    const output = cell.state[0];
    this.feeder.feed(time, this.state);
    this.machine.run(changeAt(this.task, time));
    for (const site of cell.sites) row(this.sites[publicName(cell, projected, site)], time).set(this.machine.result(`site.${site}`));
    if (projected) project(this.task, this.machine.result(`n.${output}`), row(this.sites[output], time), time);
    this.state = statesAfter(cell, this.sites, time, this.machine);
  }
}

const LOOK = 8; // steps between two looks at the clock

/** A site's values for so many steps, of which those done are taken over: as they stand where they are all of them. */
function continued(from: Values, steps: number, done: number, reverse: boolean): Values {
  if (done === steps) return from.steps === steps ? from : { ...from, steps, data: from.data.subarray(0, steps * from.width) };
  const found = values(steps, from.width, from.error);
  const [first, last] = reverse ? [(steps - done) * from.width, steps * from.width] : [0, done * from.width];
  found.data.set(from.data.subarray(first, last), first);
  return found;
}

/** The states that the next step reads. All states are sites; a state without one of its own comes from the machine. */
function statesAfter(cell: CellDoc, sites: Record<string, Values>, time: number, machine: Machine): Record<string, Float64Array> {
  const own = (name: string): Float64Array => (name in sites ? row(sites[name], time) : machine.result(`n.${name}`).slice());
  return Object.fromEntries(cell.state.map((name) => [name, own(name)]));
}

function project(task: Task, from: Float64Array, out: Float64Array, time: number): void {
  multiply(out, task.weights.projection!, from, null);
  const now = task.edits.filter((edit) => edit.time === null || edit.time === time);
  write(now, task.cell.state[0], out);
}

/** How many steps, in the layer's own direction, two tasks have in common; a text that goes on has all of the shorter one. */
function sharedSteps(a: Task, b: Task): number {
  const { width } = a.input;
  if (a.weights !== b.weights || b.input.width !== width || (a.layer.reverse && a.input.steps !== b.input.steps)) return 0;
  const steps = Math.min(a.input.steps, b.input.steps);
  if (a.cell.state.some((name) => !a.cell.sites.includes(name) || !equal(a.initial[name], b.initial[name]))) return 0;
  const same = firstDifference(a.edits, b.edits, steps, a.layer.reverse);
  if (a.input === b.input) return same;
  for (let done = 0; done < same; done++) {
    const time = a.layer.reverse ? steps - 1 - done : done;
    if (!equal(row(a.input, time), row(b.input, time))) return done;
  }
  return same;
}
