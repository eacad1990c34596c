/** The model in the page: all layers and directions over a sequence, with edits; or the maps that the document brings. */

import { copied } from "../document/read";
import type { Doc, LayerDoc } from "../document/schema";
import { type Seed, Sensitivity } from "./backward";
import { initialEdits, inputEdits, siteEdits } from "./edits";
import { equationText } from "./expression";
import { headOf } from "./head";
import { kept, runsOf } from "./kept_results";
import { equationOf, evaluate, factorOf, foldedGates, type Plan, stepPlan } from "./program";
import { recordedRun, valuesOf } from "./recorded";
import { before, type Done, LayerJob, levels, siteNames, type Task } from "./recurrence";
import { type Job, LazyRun } from "./run";
import { type Context, gateSum, termsOf } from "./terms";
import type { Edit, Expression, Model, Run, Term, Values } from "./types";
import { uncertainty } from "./uncertainty";
import { errorAt, row, valueAt } from "./values";
import { numberOf, WeightStore } from "./weights";

/** The page's network for a document. */
export function makeModel(doc: Doc): Model {
  return new Network(doc);
}

const AT_ONCE = 3e7; // multiplications that nobody sees: a run of no more is computed as a whole

class Network implements Model {
  private readonly plan: Plan | null;
  private readonly folded: Set<string>;
  private readonly weights: WeightStore;
  private readonly runs = new Map<string, Run>();
  private readonly done = new Map<string, Done[]>();
  private readonly inputs = new Map<string, Values>();
  private readonly factors = new Map<string, Expression | null>();
  private readonly equations = new Map<string, Expression>();
  private readonly sensitivity: Sensitivity | null;
  private readonly cost: number; // multiplications of a step
  private readonly width: number; // numbers of a step

  constructor(readonly doc: Doc) {
    const { program } = doc.cell;
    this.weights = new WeightStore(doc);
    this.plan = doc.computed && program ? stepPlan(program, doc.cell) : null;
    this.folded = program ? foldedGates(program, doc.cell) : new Set();
    this.cost = doc.layers.reduce((all, one) => all + doc.cell.gates.length * one.hidden * (one.input + one.output), 0);
    this.width = doc.layers.reduce((all, one) => all + doc.cell.sites.length * one.hidden, 0);
    this.sensitivity = doc.computed && program ? new Sensitivity(doc, program, this.plan!) : null;
  }

  run(item: number, edits: Edit[], snapshot: number | null): Run {
    const on = edits.filter((edit) => edit.on);
    const key = JSON.stringify([item, snapshot, this.plan ? on : []]);
    let found = this.runs.get(key);
    const bare = (layer: LayerDoc) => this.initialOf(layer, item, []);
    found ??= this.plan ? this.compute(item, on, snapshot) : recordedRun(this.doc, item, this.inputOf(item, []), bare);
    this.runs.delete(key); // and put at the end: the one longest unused goes first
    this.runs.set(key, found);
    while (this.runs.size > runsOf(found.steps * this.width)) this.runs.delete(this.runs.keys().next().value!);
    return found;
  }

  /** Layer by layer; within a layer only from the first step on that differs from a run before. */
  private compute(item: number, edits: Edit[], snapshot: number | null): Run {
    const { cell, layers } = this.doc;
    const run = new LazyRun(item, this.inputOf(item, edits), levels(layers), {
      names: (layer) => siteNames(cell, Boolean(layer.weights?.projection)),
      initial: (layer) => this.initialOf(layer, item, edits),
      job: (layer, input) => this.runLayer(this.task(layer, input, item, edits, snapshot)),
      head: (outputs) => headOf(this.weights.head(snapshot), outputs),
      output: cell.state[0],
    });
    if (run.steps * this.cost <= AT_ONCE) while (!run.done) run.advance();
    return run;
  }

  private task(layer: LayerDoc, input: Values, item: number, edits: Edit[], snapshot: number | null): Task {
    return {
      cell: this.doc.cell,
      layer,
      weights: this.weights.of(layer.place, edits, snapshot),
      input,
      initial: this.initialOf(layer, item, edits),
      edits: siteEdits(edits, layer.place),
    };
  }

  private runLayer(task: Task): Job {
    const { place } = task.layer;
    const job = new LayerJob(task, this.plan!, this.done.get(place) ?? []);
    return {
      sites: job.sites,
      get share() {
        return job.share;
      },
      advance: (milliseconds) => {
        const done = job.advance(milliseconds);
        if (done) this.done.set(place, kept([job, ...(this.done.get(place) ?? [])]));
        return done;
      },
    };
  }

  private inputOf(item: number, edits: Edit[]): Values {
    const changes = inputEdits(edits, item);
    const key = JSON.stringify([item, changes]);
    let input = this.inputs.get(key);
    if (!input) {
      const doc = this.doc.items[item];
      input = valuesOf(doc.input, doc.steps);
      for (const { time, feature, value } of changes) if (time < doc.steps && feature < input.width) row(input, time)[feature] = value;
      this.inputs.set(key, input);
      if (this.inputs.size > 2 * this.doc.items.length + 8) this.inputs.delete(this.inputs.keys().next().value!);
    }
    return input;
  }

  private initialOf(layer: LayerDoc, item: number, edits: Edit[]): Record<string, Float64Array> {
    const { state } = this.doc.cell;
    const given = this.doc.items[item].initial[layer.place] ?? {};
    const initial: Record<string, Float64Array> = {};
    for (const name of state) {
      const width = name === state[0] ? layer.output : layer.hidden;
      initial[name] = given[name] ? copied(given[name]) : new Float64Array(width);
    }
    for (const { state: name, unit, value } of initialEdits(edits, item, layer.place)) {
      if (initial[name] && unit < initial[name].length) initial[name][unit] = value;
    }
    return initial;
  }

  terms(run: Run, edits: Edit[], snapshot: number | null, place: string, gate: string, unit: number, time: number): Term[] {
    if (!this.plan) return [];
    const peepholes = this.doc.cell.sites.map((site) => this.equation(site));
    const look = (name: string): number => this.value(run, edits, snapshot, place, name, unit, time);
    const error = (name: string): number => this.errorOf(run, place, name, unit);
    return termsOf(this.context(run, edits, snapshot, place), gate, unit, time, peepholes, look, error);
  }

  private errorOf(run: Run, place: string, name: string, unit: number): number {
    const values = run.places[place].sites[name.replace(/^s\./, "")];
    return values ? errorAt(values, unit) : 0;
  }

  value(run: Run, edits: Edit[], snapshot: number | null, place: string, name: string, unit: number, time: number): number {
    const { cell } = this.doc;
    const dot = name.indexOf(".");
    const [kind, bare] = dot < 0 ? ["", name] : [name.slice(0, dot), name.slice(dot + 1)];
    const at = run.places[place];
    if (!at) return NaN;
    if (kind === "x" || kind === "u") {
      if (!this.plan) return NaN;
      const context = this.context(run, edits, snapshot, place);
      return gateSum(context, kind === "x" && this.folded.has(bare) ? "both" : kind, bare, unit, time);
    }
    if (kind === "p") {
      if (bare in cell.constants) return cell.constants[bare];
      return this.plan ? numberOf(this.weights.of(place, edits, snapshot), bare, unit, 0) : NaN;
    }
    if (kind === "s") {
      const last = before(this.layer(place), run.steps, time);
      return last < 0 ? (at.initial[bare]?.[unit] ?? NaN) : at.sites[bare] ? valueAt(at.sites[bare], last, unit) : NaN;
    }
    const site = at.sites.m && name === cell.state[0] && !cell.sites.includes("m") ? "m" : name;
    return at.sites[site] ? valueAt(at.sites[site], time, unit) : NaN;
  }

  private context(run: Run, edits: Edit[], snapshot: number | null, place: string): Context {
    const { input, initial, sites } = run.places[place];
    return {
      cell: this.doc.cell,
      layer: this.layer(place),
      weights: this.weights.of(place, edits, snapshot),
      steps: run.steps,
      ...{ input, initial, sites },
      factors: (gate, time) => {
        const tree = this.factor(gate);
        if (!tree) return null;
        const units = Array.from({ length: this.layer(place).hidden }, (_, unit) => unit);
        const at = (unit: number) => (name: string) => this.value(run, edits, snapshot, place, name, unit, time);
        const error = (unit: number) => (name: string) => this.errorOf(run, place, name, unit);
        return {
          name: equationText(tree),
          values: units.map((unit) => evaluate(tree, at(unit))),
          errors: units.map((unit) => uncertainty(tree, at(unit), error(unit))),
        };
      },
    };
  }

  private layer(place: string): LayerDoc {
    const found = this.doc.layers.find((layer) => layer.place === place);
    if (!found) throw new Error(`the document has no place ${place}`);
    return found;
  }

  equation(site: string): Expression {
    const { cell } = this.doc;
    if (!cell.program) return { kind: "name", name: site };
    const own = site === "m" && !cell.sites.includes("m") ? cell.state[0] : site;
    let found = this.equations.get(own);
    if (!found) this.equations.set(own, (found = equationOf(cell.program, cell, own)));
    return found;
  }

  factor(gate: string): Expression | null {
    const { cell } = this.doc;
    if (!this.factors.has(gate)) this.factors.set(gate, cell.program && factorOf(cell.program, cell, gate));
    return this.factors.get(gate)!;
  }

  listens(item: number, edits: Edit[], snapshot: number | null, place: string, state: string, unit: number, at: number): Values | null {
    const vector = new Float64Array(this.widthOf(place, state));
    vector[unit] = 1;
    return this.derivative(item, edits, snapshot, { [place]: { state, at, vector } });
  }

  survives(item: number, edits: Edit[], snapshot: number | null, at: number): number[] | null {
    const [state] = this.doc.cell.state;
    const run = this.run(item, edits, snapshot);
    const last = levels(this.doc.layers).at(-1)!;
    if (!this.sensitivity) return null;
    const outputs = last.map(({ place }) => row(run.places[place].sites[state], at));
    const length = Math.hypot(...outputs.map((one) => Math.hypot(...one))) || 1;
    const seeds = last.map(({ place }, k) => [place, { state, at, vector: outputs[k].map((value) => value / length) }]);
    const found = this.derivative(item, edits, snapshot, Object.fromEntries(seeds))!;
    return Array.from({ length: found.steps }, (_, time) => Math.hypot(...row(found, time)));
  }

  private widthOf(place: string, state: string): number {
    const layer = this.layer(place);
    return state === this.doc.cell.state[0] ? layer.output : layer.hidden;
  }

  /** steps × features: of the states in these directions, all of one level, by the input. */
  private derivative(item: number, edits: Edit[], snapshot: number | null, seeds: Record<string, Seed>): Values | null {
    if (!this.sensitivity) return null;
    const run = this.run(item, edits, snapshot);
    const on = edits.filter((edit) => edit.on);
    const tasks: Record<string, Task> = {};
    for (const level of levels(this.doc.layers)) {
      for (const layer of level) tasks[layer.place] = this.task(layer, run.places[layer.place].input!, item, on, snapshot);
      if (level.some((layer) => layer.place in seeds)) break; // what is above it does not matter
    }
    return this.sensitivity.of(run, tasks, seeds);
  }

  weight(place: string, part: string, row: number, column: number, edits: Edit[], snapshot: number | null): number {
    return this.plan ? numberOf(this.weights.of(place, edits, snapshot), part, row, column) : NaN;
  }
}
