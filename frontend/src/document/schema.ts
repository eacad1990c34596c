/** What goes into the page (written by src/byhand/explorer/document/), what the page remembers, and what a view is handed. */

/** Numbers, little-endian, base64: floats of 2, 4 or 8 bytes, or levels. u1: value = low + (high − low) · q / 254, and q = 255 is NaN;
 *  u2 likewise, with 65534 and 65535. low, high: one for all, or one for each column. */

export interface Packed {
  shape: number[];
  dtype: "f2" | "f4" | "f8" | "u1" | "u2";
  data: string;
  low?: number | Packed;
  high?: number | Packed;
  error?: Packed; // how far a column's values may be from what they stand for; absent: not at all
}

/** A straight line of functions of single numbers: byhand.ir.program_of(cell), as it is.
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
  errors?: Record<string, number>; // site -> how far the values go from the model's own, where weights are rounded
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
 *  r·every … r·every + every − 1, of which `values.error` says how far they are from it; column k is unit units[k]. */
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
  head?: Packed | null; // steps × outputs, where the page does not compute
  answer?: ItemAnswerDoc | null;
  own?: string; // made in the page: what was typed or drawn (model/own.ts)
}

/** The symbols that a model reads, and the input that each of them is. */
export interface AlphabetDoc {
  symbols: string[]; // as characters of items are written: "␣" for a space
  other: number | null; // the one that stands for all that are not among them; null: there are no others
  vectors: Packed | null; // symbols × inputs; null: one-hot
}

/** What the model is asked of a sequence. */
export interface ItemAnswerDoc {
  steps: number; // of the layer that answers: a decoder may have fewer than an encoder
  targets: Packed | null; // steps or one, for the end × outputs or one, the number of a class; NaN: nothing is asked; null: not known
  offsets: number[] | null; // as AnswerDoc.offsets, where they hold at the sequence's end only, as of changes
  labels: string[] | null; // what each output is: "rain 2004"
  value?: Packed; // one × outputs: the answer, where it is read at "ends" and the page does not compute
}

/** What is made of the output: a linear layer on the last layer's outputs (both directions side by side). */
export interface HeadDoc {
  weight: Packed;
  bias: Packed | null;
  names: string[] | null; // of the outputs
  squash: "none" | "softmax" | "sigmoid";
  error?: number; // how far its outputs go from the model's own, where weights are rounded
}

/** What the model answers: its head's outputs or, without a head, those of the last layer. */
export interface AnswerDoc {
  at: "every" | "last" | "ends"; // each step; the last; the last step of each direction, which is the first one of the reverse one
  kind: "numbers" | "class" | "next"; // next: the class is the symbol of the next step
  spreads: number[] | null; // an answer in its own unit: offset + spread · output; null: as it is
  offsets: number[] | null; // null: those of each sequence
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
  converted?: boolean; // its layers are torch's own: what is shown is a copy by byhand.convert
}

/** What training in the page needs beyond the script. */
export interface PlayDoc {
  first: boolean; // the page opens with it
  cells: Record<string, PlayCellDoc>; // by the name in the page's address
  lesson: { seed: number; numbers: Record<string, number[]> }; // LSTM.py's start for that seed
}

export interface PlayCellDoc {
  title: string;
  cell: CellDoc; // with its program
  held: Program; // of byhand.cells.held(cell): with p.hold_SITE and p.value_SITE
  biases: number; // of each gate: 1, or 2 as torch has them
}

export interface Doc {
  schema: 1;
  title: string;
  about: string; // what the model does, in a sentence
  telling: number; // the sequence to begin with: the one whose last output hangs most on its early steps
  name: string; // of the model, in the Python text that is offered: "lstm"
  features: string[] | null; // names of the inputs
  alphabet?: AlphabetDoc | null; // null: the input is no text, or it is not known which symbols there are
  call: CallDoc | null; // null: not known
  cell: CellDoc;
  layers: LayerDoc[]; // l0, l0.reverse, l1, l1.reverse, ...
  items: ItemDoc[];
  head: HeadDoc | null;
  answer?: AnswerDoc | null; // null: not known, or the page cannot tell; absent: written before there were answers
  computed: boolean; // all weights and a program are there: the page computes, and everything can be edited
  why_not: string | null; // why it does not
  notices: string[]; // thinning and the like, to be shown
  training: TrainingDoc | null;
  beside?: Doc; // another model on the same input
  play?: PlayDoc; // absent: there is no training in this page
}
