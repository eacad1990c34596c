/** What a model is to the page: its weights, its runs, and what can be changed in them. */

import type { Doc } from "../document/schema";

/** A change, in the words of byhand.edit. `on`: switched on. null: everywhere along it. */
export type Edit = { on: boolean } & (
  | { kind: "site"; place: string; site: string; value: number; time: number | null; unit: number | null }
  | { kind: "input"; item: number; time: number; feature: number; value: number }
  | { kind: "weight"; place: string; part: string; row: number; column: number; value: number } // part: a key of WeightsDoc or a vector
  | { kind: "initial"; item: number; place: string; state: string; unit: number; value: number }
);

export type Sort = "number" | "half-life" | "saturation" | "activity" | "similarity";

/** All values of one sequence. site -> steps × width, row after row, in order of time whatever the direction. */
export interface Values {
  steps: number;
  width: number;
  every: number; // > 1: thinned, as in MapDoc
  units: number[] | null;
  error: ArrayLike<number> | null; // of each column: how far its values may be from the model's own; null: not at all
  data: Float64Array;
}

export interface Run {
  item: number;
  steps: number;
  input: Values;
  places: Record<string, Place>;
  readonly head: Values | null; // outputs of the head, steps × outputs
  readonly output: Values | null; // of the last layer, both directions side by side; null where not all of it is there
  readonly ending: Values | null; // of the head, or the last layer, where each direction has read all: one × outputs
  shareOf(place: string): number; // of what a layer and those below it take to compute: how much is done, 0 to 1
  readonly done: boolean; // nothing is left to compute: what is read is there at once
  advance(): void; // compute some of what is left
}

/** One layer and direction. What is not there yet is computed when it is read. */
export interface Place {
  readonly names: string[]; // of the sites
  readonly input: Values | null;
  readonly initial: Record<string, Float64Array>;
  readonly sites: Record<string, Values>;
}

/** What the views use of the model. Everything is kept until edits, item or snapshot change. */
export interface Model {
  doc: Doc;
  run(item: number, edits: Edit[], snapshot: number | null): Run;
  /** Gate sums, term by term: what the worked arithmetic shows. Ranked by size where there are many. */
  terms(run: Run, edits: Edit[], snapshot: number | null, place: string, gate: string, unit: number, time: number): Term[];
  /** The value of any name that stands in an Expression, at a unit and step: a site, "x.GATE", "u.GATE", "s.STATE", "p.NAME". NaN: unknown. */
  value(run: Run, edits: Edit[], snapshot: number | null, place: string, name: string, unit: number, time: number): number;
  /** A site's equation of this cell, as a tree over other sites, gate sums, earlier states, vectors, constants. */
  equation(site: string): Expression;
  /** d state(at, unit) / d input(t, feature): steps × features; null where the page cannot compute it. */
  listens(item: number, edits: Edit[], snapshot: number | null, place: string, state: string, unit: number, at: number): Values | null;
  /** How much of the last layer's outputs at a step comes from each input: the length of the derivative of their length by each step's
   *  input; null where the page cannot compute it. */
  survives(item: number, edits: Edit[], snapshot: number | null, at: number): number[] | null;
  /** What a gate's recurrent product multiplies where it is made inside the step, of what that has computed; else null. */
  factor(gate: string): Expression | null;
  weight(place: string, part: string, row: number, column: number, edits: Edit[], snapshot: number | null): number;
}

export interface Term {
  label: string; // "short memory × weight"
  kind: "recurrent" | "input" | "bias" | "peephole";
  source: { part: string; row: number; column: number; index: number };
  value: number | null; // what is multiplied; null for a bias
  weight: number;
  product: number;
  errors: { value: number; weight: number; product: number }; // how far each may be from the model's own
}

export type Expression =
  | { kind: "number"; value: number }
  | { kind: "name"; name: string } // another site, "x.GATE" (the gate's whole sum, x + u), "u.GATE", "s.STATE", "p.NAME"
  | { kind: "call"; fn: string; args: Expression[] };

/** Where the page looks: one step of one unit of one sequence, and the edits there are. */
export interface Selection {
  item: number;
  place: string;
  unit: number;
  time: number;
  snapshot: number | null; // index into training.epochs; null: as trained
  edits: Edit[];
}

/** What a reading needs of the store. */
export interface Source {
  readonly state: Selection;
  readonly model: Model;
  run(): Run;
  original(): Run;
}
