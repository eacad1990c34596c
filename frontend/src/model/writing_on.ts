/** A text goes on from a step of a run: only what follows is computed, from the memories that the run had there. */

import type { Doc, LayerDoc } from "../document/schema";
import { encoded, numbersOf } from "./alphabet";
import { siteEdits } from "./edits";
import { headOf } from "./head";
import { type Plan, stepPlan } from "./program";
import { LayerJob } from "./recurrence";
import type { Edit, Run, Values } from "./types";
import { row, values } from "./values";
import { WeightStore } from "./weights";
import { symbolAfter } from "./writing";

type States = Record<string, Record<string, Float64Array>>; // of each layer

interface Parts {
  plan: Plan;
  weights: WeightStore;
}

const parts = new WeakMap<Doc, Parts>();

function partsOf(doc: Doc): Parts {
  let found = parts.get(doc);
  if (!found) parts.set(doc, (found = { plan: stepPlan(doc.cell.program!, doc.cell), weights: new WeightStore(doc) }));
  return found;
}

/** Writes one symbol after the other behind a step of a run. Layers read forwards only (model/alphabet.ts, spoken). */
export class Pen {
  private readonly parts: Parts;
  private readonly edits: Edit[];
  private states: States;
  private output: Values; // the last layer's, of the last step

  /** time: the last step that is read of the run. edits: those of the run; at later steps they hold in what is written. */
  constructor(
    private readonly doc: Doc,
    run: Run,
    edits: Edit[],
    private readonly snapshot: number | null,
    private time: number,
  ) {
    this.parts = partsOf(doc);
    this.edits = edits.filter(({ on }) => on);
    const { state, sites } = doc.cell;
    const places = doc.layers.map(({ place }) => place);
    if (state.every((name) => sites.includes(name))) {
      const at = (place: string) => Object.fromEntries(state.map((name) => [name, row(run.places[place].sites[name], time).slice()]));
      this.states = Object.fromEntries(places.map((place) => [place, at(place)]));
      this.output = { ...run.output!, steps: 1, data: row(run.output!, time) };
    } else {
      this.states = Object.fromEntries(places.map((place) => [place, run.places[place].initial])); // a state that is no site is not kept
      this.output = run.output!;
      for (let step = 0; step <= time; step++) this.read(row(run.input, step), step);
    }
  }

  /** One symbol more; null where the model's answer is not a number. The draw is that of its place in the text. */
  next(temperature: number, seed: number): string | null {
    const outputs = headOf(this.parts.weights.head(this.snapshot), this.output);
    const symbol = outputs && symbolAfter(this.doc, row(outputs, 0), this.time + 1, temperature, seed);
    if (symbol === null) return null;
    const alphabet = this.doc.alphabet!;
    this.time += 1;
    this.read(encoded(alphabet, numbersOf(alphabet, [symbol]), this.doc.layers[0].input), this.time);
    return symbol;
  }

  private read(symbol: Float64Array, time: number): void {
    this.output = { ...values(1, symbol.length), data: symbol };
    for (const layer of this.doc.layers) this.output = this.layer(layer, this.output, time);
  }

  private layer(layer: LayerDoc, input: Values, time: number): Values {
    const { cell } = this.doc;
    const { place } = layer;
    const now = siteEdits(this.edits, place).filter((edit) => edit.time === null || edit.time === time);
    const edits = now.map((edit) => ({ ...edit, time: null }));
    const weights = this.parts.weights.of(place, this.edits, this.snapshot);
    const job = new LayerJob({ cell, layer, weights, input, initial: this.states[place], edits }, this.parts.plan, []);
    job.advance(Infinity);
    this.states[place] = job.after;
    return job.sites[cell.state[0]];
  }
}
