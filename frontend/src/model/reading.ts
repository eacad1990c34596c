/** All values of one unit at one step: what the picture and the arithmetic read. */

import type { CellDoc, Doc, LayerDoc } from "../document/schema";
import { figure } from "../text/format";
import { names } from "./expression";
import { before } from "./recurrence";
import type { Model, Run, Source, Term, Values } from "./types";
import { errorAt, valueAt } from "./values";

export interface Reading {
  doc: Doc;
  layer: LayerDoc;
  run: Run;
  item: number;
  unit: number;
  time: number;
  earlier: number; // the step before, in the layer's direction; −1: the initial memories
  /** A site, "s.STATE", "x.GATE", "u.GATE", "p.NAME", "input"; "from_h.GATE" and "from_x.GATE" are the parts of a sum. NaN where unknown. */
  read(name: string): number;
  /** Whether the page knows a name's value: large models bring some units' maps only, and no sums. */
  has(name: string): boolean;
  terms(gate: string): Term[];
  /** How far a name's value may be from the model's own; 0 where the page knows all of it. */
  error(name: string): number;
  /** A name's value, with the digits that are certain. */
  figure(name: string): string;
}

/** The unit under the store's cursor. `run`: the edited one, or the original. */
export function reading(store: Source, run: Run = store.run(), edited = true, time = store.state.time): Reading {
  const { state, model } = store;
  const { doc } = model;
  const layer = doc.layers.find((one) => one.place === state.place) ?? doc.layers[0];
  const edits = edited ? state.edits : [];
  const earlier = before(layer, run.steps, time);
  const kept = new Map<string, Term[]>();

  function terms(gate: string): Term[] {
    let found = kept.get(gate);
    if (!found) {
      try {
        found = model.terms(run, edits, state.snapshot, layer.place, gate, state.unit, time);
      } catch {
        found = []; // the weights are not in the page
      }
      kept.set(gate, found);
    }
    return found;
  }

  /** The terms that a sum stands for; null for what is no sum. */
  function summed(name: string): Term[] | null {
    const gate = name.slice(name.indexOf(".") + 1);
    const parts: Record<string, (term: Term) => boolean> = {
      x: folded(doc.cell, model, gate) ? whole : ofInput,
      u: ofMemory,
      from_h: (term) => term.kind === "recurrent",
      from_x: (term) => term.kind === "input",
    };
    const chosen = name.includes(".") ? parts[name.slice(0, name.indexOf("."))] : undefined;
    return chosen ? terms(gate).filter(chosen) : null;
  }

  function read(name: string): number {
    const rest = name.slice(name.indexOf(".") + 1);
    if (name === "input") return inputValue(layer, run, time);
    const sum = summed(name);
    if (sum) return terms(rest).length ? sum.reduce((total, term) => total + term.product, 0) : NaN;
    if (name.startsWith("s.")) return stateBefore(run, layer, rest, state.unit, earlier);
    if (name.startsWith("p.")) return vector(store, layer, rest, edited);
    const values = run.places[layer.place].sites[name];
    return values ? valueAt(values, time, state.unit) : NaN;
  }

  function has(name: string): boolean {
    if (doc.computed) return true;
    const site = name.startsWith("s.") ? name.slice(2) : name;
    if (name === "input") return Boolean(run.places[layer.place].input) || layer.layer === 0;
    if (name.startsWith("s.") && earlier < 0) return true;
    const values = run.places[layer.place].sites[site];
    return values !== undefined && (values.units === null || values.units.includes(state.unit));
  }

  function error(name: string): number {
    const rest = name.slice(name.indexOf(".") + 1);
    if (name === "input") return inputError(layer, run);
    const sum = summed(name);
    if (sum) return sum.reduce((total, term) => total + term.errors.product, 0);
    if (name.startsWith("p.") || (name.startsWith("s.") && earlier < 0)) return 0;
    const values = run.places[layer.place].sites[name.startsWith("s.") ? rest : name];
    return values ? errorAt(values, state.unit) : 0;
  }

  return {
    error,
    figure: (name) => figure(read(name), error(name)),
    has,
    doc,
    layer,
    run,
    item: run.item,
    unit: state.unit,
    time,
    earlier,
    read,
    terms,
  };
}

const whole = (term: Term): boolean => term.kind !== "peephole";

const ofInput = (term: Term): boolean => term.kind === "input" || (term.kind === "bias" && term.source.part === "bias_input");

/** Whether a term is part of the recurrent sum. */
export function ofMemory(term: Term): boolean {
  return term.kind === "recurrent" || (term.kind === "bias" && term.source.part === "bias_recurrent");
}

/** Whether "x.GATE" stands for the gate's whole sum: no equation reads the recurrent part by itself. */
export function folded(cell: CellDoc, model: Model, gate: string): boolean {
  if (!cell.program) return true;
  return !cell.sites.some((site) => names(model.equation(site)).includes(`u.${gate}`));
}

/** What a layer reads: the sequence, or the outputs of the layer below. */
export function inputOf(layer: LayerDoc, run: Run): Values | null {
  return run.places[layer.place].input ?? (layer.layer === 0 ? run.input : null);
}

/** What a layer reads at a step, where that is a single number. */
function inputValue(layer: LayerDoc, run: Run, time: number): number {
  const values = layer.input === 1 ? inputOf(layer, run) : null;
  return values ? valueAt(values, time, 0) : NaN;
}

function inputError(layer: LayerDoc, run: Run): number {
  const values = inputOf(layer, run);
  return values ? errorAt(values, 0) : 0;
}

function stateBefore(run: Run, layer: LayerDoc, state: string, unit: number, earlier: number): number {
  const place = run.places[layer.place];
  if (earlier < 0) return place.initial[state]?.[unit] ?? NaN;
  return place.sites[state] ? valueAt(place.sites[state], earlier, unit) : NaN;
}

function vector(store: Source, layer: LayerDoc, name: string, edited: boolean): number {
  const constant = store.model.doc.cell.constants[name];
  if (constant !== undefined) return constant;
  try {
    return store.model.weight(layer.place, name, store.state.unit, 0, edited ? store.state.edits : [], store.state.snapshot);
  } catch {
    return NaN;
  }
}
