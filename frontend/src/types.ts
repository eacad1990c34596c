/** What goes into the page (written by src/byhand/explorer/document.py), what the page remembers, and what a view is handed. */

/** Numbers. f4, f8: little-endian, base64. u1: value = low + (high - low) · q / 254, and q = 255 is NaN. */
export interface Packed {
  shape: number[];
  dtype: "f4" | "f8" | "u1";
  data: string;
  low?: number;
  high?: number;
}

/** A straight line of functions of single numbers: byhand.engine.tracing.joint(cell), as it is.
 *  Inputs x.GATE u.GATE s.STATE p.NAME d.STATE; results n.STATE (new states), site.NAME, grad.INPUT (derivative, given d.STATE). */
export interface Program {
  inputs: string[];
  lines: [name: string, fn: string, args: (string | number)[]][];
  results: Record<string, string | number>;
}

export interface CellDoc {
  name: string;
  gates: string[];
  state: string[]; // the first is the output
  sites: string[]; // in the order in which a step computes them
  sources: string[]; // the states that the recurrent product reads
  reads: Record<string, string[]>; // gate -> those of them that it reads
  shared: Record<string, number>; // gate or state -> how many neighbouring units have it in common, where that is more than one
  ranges: Record<string, "share" | "signed" | "free">; // site -> 0..1, -1..1, or neither
  labels: Record<string, string>;
  equations: string[]; // as the cell's own docstring writes them
  cite: string;
  constants: Record<string, number>; // masks, at their means
  truncated: boolean;
  program: Program | null; // null: not elementwise, or not traceable
}

/** One layer and direction. Weights as an engine multiplies by them: every gate is `hidden` rows, in the order of cell.gates. */
export interface LayerDoc {
  place: string; // "l0", "l0.reverse", "encoder.l1"
  layer: number;
  reverse: boolean;
  input: number;
  hidden: number;
  output: number; // width of the output: hidden, or the projection's
  weights: WeightsDoc | null;
}

export interface WeightsDoc {
  input: Packed; // gates·hidden × input
  recurrent: Packed | null; // gates·hidden × sources·width
  bias_input: Packed | null;
  bias_recurrent: Packed | null;
  projection: Packed | null; // output × hidden
  vectors: Record<string, Packed>;
}

/** Values of one site over time and units, for what the page does not compute. Thinned: row r is the mean of the steps
 *  r·every … r·every + every − 1; column k is unit units[k]. every 1, all units and f4 or f8: in full. */
export interface MapDoc {
  every: number;
  units: number[] | null; // null: all
  values: Packed; // rows × columns
}

/** One sequence of the batch. */
export interface ItemDoc {
  name: string;
  steps: number;
  input: Packed; // steps × features
  characters: string[] | null; // what stands at each step, where the input is text or symbols
  initial: Record<string, Record<string, Packed>>; // place -> state -> (width)
  maps: Record<string, Record<string, MapDoc>> | null; // place -> site -> map; null: the page computes them
}

/** What is made of the output: a linear layer on the last layer's outputs (both directions side by side). */
export interface HeadDoc {
  weight: Packed;
  bias: Packed | null;
  names: string[] | null; // of the outputs
  squash: "none" | "softmax" | "sigmoid";
}

export interface TrainingDoc {
  epochs: number[]; // ascending
  losses: { epoch: number; loss: number }[]; // may be denser than the snapshots
  weights: WeightsDoc[][]; // snapshot -> layer, in the order of Doc.layers
  heads: HeadDoc[] | null;
}

/** How the model was called, for the Python text. */
export interface CallDoc {
  around: "x" | "*x" | "**x" | null; // null: the layer itself was called; else how the model around it takes x
  packed: boolean; // of the layer's input, as are the next two
  batched: boolean;
  batch_first: boolean;
  lengths: number[] | null; // of a padded x that has to be packed first
  states: boolean; // first states were given
  random: boolean; // in training, the model draws at random
}

export interface Doc {
  schema: 1;
  title: string;
  name: string; // of the model, in the Python text that is offered: "lstm"
  features: string[] | null; // names of the inputs
  call: CallDoc | null; // null: not known
  cell: CellDoc;
  layers: LayerDoc[]; // l0, l0.reverse, l1, l1.reverse, ...
  items: ItemDoc[];
  head: HeadDoc | null;
  computed: boolean; // all weights and a program are there: the page computes, and everything can be edited
  why_not: string | null; // why it does not
  notices: string[]; // thinning and the like, to be shown
  training: TrainingDoc | null;
}

/** A change, in the words of byhand.edit. `on`: switched on. null: everywhere along it. */
export type Edit = { on: boolean } & (
  | { kind: "site"; place: string; site: string; value: number; time: number | null; unit: number | null }
  | { kind: "input"; item: number; time: number; feature: number; value: number }
  | { kind: "weight"; place: string; part: string; row: number; column: number; value: number } // part: a key of WeightsDoc or a vector
  | { kind: "initial"; item: number; place: string; state: string; unit: number; value: number }
);

export type ViewName = "tour" | "unit" | "layer" | "ledger" | "training";
export type Sort = "number" | "half-life" | "saturation" | "activity" | "similarity";

/** All that the address of the page holds. */
export interface State {
  view: ViewName;
  item: number;
  place: string;
  unit: number;
  time: number; // the step under the cursor
  node: string | null; // what is opened in the unit's picture: a site, "x.GATE" for a gate's sum, "input", "s.STATE"
  edits: Edit[];
  compare: boolean; // the original, thin, under the edited
  playing: boolean; // not in the address
  stage: number; // of the tour
  snapshot: number | null; // index into training.epochs; null: as trained
  sort: Sort;
  span: [number, number] | null; // brushed steps, both ends included
  table: boolean; // the data table is open
  theme: "auto" | "light" | "dark";
}

/** All values of one sequence. site -> steps × width, row after row, in order of time whatever the direction. */
export interface Values {
  steps: number;
  width: number;
  every: number; // > 1: thinned, as in MapDoc
  units: number[] | null;
  data: Float64Array;
}

export interface Run {
  item: number;
  steps: number;
  input: Values;
  places: Record<string, { input: Values | null; initial: Record<string, Float64Array>; sites: Record<string, Values> }>;
  head: Values | null; // outputs of the head, steps × outputs
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
  weight(place: string, part: string, row: number, column: number, edits: Edit[], snapshot: number | null): number;
}

export interface Term {
  label: string; // "short memory × weight"
  kind: "recurrent" | "input" | "bias" | "peephole";
  source: { part: string; row: number; column: number; index: number };
  value: number | null; // what is multiplied; null for a bias
  weight: number;
  product: number;
}

export type Expression =
  | { kind: "number"; value: number }
  | { kind: "name"; name: string } // another site, "x.GATE" (the gate's whole sum, x + u), "u.GATE", "s.STATE", "p.NAME"
  | { kind: "call"; fn: string; args: Expression[] };

export interface Store {
  readonly state: State;
  readonly model: Model;
  /** The run with the edits that are on, and the one without. */
  run(): Run;
  original(): Run;
  /** Change the state; remember: a step that undo takes back (edits always are). Views are told in the next animation frame. */
  set(patch: Partial<State>, options?: { remember?: boolean }): void;
  /** Add an edit, or replace the one at the same place. While dragging: several calls, one step of undo. */
  edit(edit: Edit, options?: { dragging?: boolean }): void;
  undo(): void;
  redo(): void;
  canUndo(): boolean;
  canRedo(): boolean;
  /** The edits that are on, as Python text to copy. */
  python(): string;
  subscribe(listener: () => void): () => void;
}

/** A view: built once, updated when something changed. `destroy` removes its listeners. */
export interface View {
  element: HTMLElement;
  update(): void;
  destroy(): void;
}

export type MakeView = (store: Store) => View;
