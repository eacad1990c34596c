/** The model in the page: all layers and directions over a sequence, with edits; or the maps that the document brings. */

import { matrix, unpack } from "../document/read";
import type { Doc, ItemDoc, LayerDoc, MapDoc } from "../document/schema";
import { Sensitivity } from "./backward";
import { initialEdits, inputEdits, siteEdits } from "./edits";
import { headOf } from "./head";
import { equationOf, foldedGates, type Plan, stepPlan } from "./program";
import { before, type Done, levels, runLayer, type Task } from "./recurrence";
import { gateSum, termsOf } from "./terms";
import type { Edit, Expression, Model, Run, Term, Values } from "./types";
import { row, valueAt, values } from "./values";
import { numberOf, WeightStore } from "./weights";

/** The page's network for a document. */
export function makeModel(doc: Doc): Model {
  return new Network(doc);
}

const KEPT_RUNS = 6;

const KEPT_LAYERS = 4;

class Network implements Model {
  private readonly plan: Plan | null;
  private readonly folded: Set<string>;
  private readonly weights: WeightStore;
  private readonly runs = new Map<string, Run>();
  private readonly done = new Map<string, Done[]>();
  private readonly inputs = new Map<string, Values>();
  private readonly equations = new Map<string, Expression>();
  private readonly sensitivity: Sensitivity | null;

  constructor(readonly doc: Doc) {
    const { program } = doc.cell;
    this.weights = new WeightStore(doc);
    this.plan = doc.computed && program ? stepPlan(program, doc.cell) : null;
    this.folded = program ? foldedGates(program, doc.cell) : new Set();
    this.sensitivity = doc.computed && program ? new Sensitivity(doc, program, this.plan!) : null;
  }

  run(item: number, edits: Edit[], snapshot: number | null): Run {
    const on = edits.filter((edit) => edit.on);
    const key = JSON.stringify([item, snapshot, this.plan ? on : []]);
    let found = this.runs.get(key);
    if (!found) found = this.plan ? this.compute(item, on, snapshot) : this.recorded(item);
    this.runs.delete(key); // and put at the end: the one longest unused goes first
    this.runs.set(key, found);
    if (this.runs.size > KEPT_RUNS) this.runs.delete(this.runs.keys().next().value!);
    return found;
  }

  /** Layer by layer; within a layer only from the first step on that differs from a run before. */
  private compute(item: number, edits: Edit[], snapshot: number | null): Run {
    const input = this.inputOf(item, edits);
    const run: Run = { item, steps: input.steps, input, places: {}, head: null };
    let below = input;
    for (const level of levels(this.doc.layers)) {
      const outputs = level.map((layer) => {
        const task = this.task(layer, below, item, edits, snapshot);
        const sites = this.runLayer(task);
        run.places[layer.place] = { input: below, initial: task.initial, sites };
        return sites[this.doc.cell.state[0]];
      });
      below = sideBySide(outputs);
    }
    run.head = headOf(this.weights.head(snapshot), below);
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

  private runLayer(task: Task): Record<string, Values> {
    const { place } = task.layer;
    const earlier = this.done.get(place) ?? [];
    const done = runLayer(task, this.plan!, earlier);
    this.done.set(place, [done, ...earlier.filter((one) => one.sites !== done.sites)].slice(0, KEPT_LAYERS));
    return done.sites;
  }

  private inputOf(item: number, edits: Edit[]): Values {
    const changes = inputEdits(edits, item);
    const key = JSON.stringify([item, changes]);
    let input = this.inputs.get(key);
    if (!input) {
      const doc = this.doc.items[item];
      const { data, columns } = matrix(doc.input);
      input = { steps: doc.steps, width: columns, every: 1, units: null, data };
      if (changes.length) {
        input = { ...input, data: data.slice() };
        for (const { time, feature, value } of changes) {
          if (time < doc.steps && feature < columns) row(input, time)[feature] = value;
        }
      }
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
      initial[name] = given[name] ? unpack(given[name]).slice() : new Float64Array(width);
    }
    for (const { state: name, unit, value } of initialEdits(edits, item, layer.place)) {
      if (initial[name] && unit < initial[name].length) initial[name][unit] = value;
    }
    return initial;
  }

  /** What the document brings, where the page cannot compute. */
  private recorded(item: number): Run {
    const doc = this.doc.items[item];
    const run: Run = { item, steps: doc.steps, input: this.inputOf(item, []), places: {}, head: null };
    for (const layer of this.doc.layers) {
      const maps = doc.maps?.[layer.place] ?? {};
      const sites = Object.fromEntries(Object.entries(maps).map(([site, map]) => [site, unmapped(map, doc)]));
      run.places[layer.place] = { input: null, initial: this.initialOf(layer, item, []), sites };
    }
    const last = levels(this.doc.layers)
      .at(-1)!
      .map((layer) => run.places[layer.place].sites[this.doc.cell.state[0]]);
    if (last.every((one) => one && one.every === 1 && one.units === null)) run.head = headOf(this.doc.head, sideBySide(last));
    return run;
  }

  terms(run: Run, edits: Edit[], snapshot: number | null, place: string, gate: string, unit: number, time: number): Term[] {
    if (!this.plan) return [];
    const peepholes = this.doc.cell.sites.map((site) => this.equation(site));
    const look = (name: string): number => this.value(run, edits, snapshot, place, name, unit, time);
    return termsOf(this.context(run, edits, snapshot, place), gate, unit, time, peepholes, look);
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

  private context(run: Run, edits: Edit[], snapshot: number | null, place: string) {
    return {
      cell: this.doc.cell,
      layer: this.layer(place),
      weights: this.weights.of(place, edits, snapshot),
      steps: run.steps,
      ...run.places[place],
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

  listens(item: number, edits: Edit[], snapshot: number | null, place: string, state: string, unit: number, at: number): Values | null {
    if (!this.sensitivity) return null;
    const run = this.run(item, edits, snapshot);
    const tasks: Record<string, Task> = {};
    for (const layer of this.doc.layers) {
      tasks[layer.place] = this.task(
        layer,
        run.places[layer.place].input!,
        item,
        edits.filter((edit) => edit.on),
        snapshot,
      );
    }
    return this.sensitivity.of(run, tasks, place, state, unit, at);
  }

  weight(place: string, part: string, row: number, column: number, edits: Edit[], snapshot: number | null): number {
    return this.plan ? numberOf(this.weights.of(place, edits, snapshot), part, row, column) : NaN;
  }
}

function sideBySide(outputs: Values[]): Values {
  if (outputs.length === 1) return outputs[0];
  const width = outputs.reduce((sum, one) => sum + one.width, 0);
  const joined = values(outputs[0].steps, width);
  for (let time = 0; time < joined.steps; time++) {
    let offset = 0;
    for (const one of outputs) {
      row(joined, time).set(row(one, time), offset);
      offset += one.width;
    }
  }
  return joined;
}

function unmapped(map: MapDoc, item: ItemDoc): Values {
  const { columns, data } = matrix(map.values);
  return { steps: item.steps, width: columns, every: map.every, units: map.units, data };
}
