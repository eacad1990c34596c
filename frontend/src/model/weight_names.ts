/** What a weight is called: in LSTM.py, in its cell's equations, and in torch, with the index into the model's own parameter. */

import type { CellDoc, Doc, LayerDoc } from "../document/schema";
import type { WeightEdit } from "./edits";
import { block, ownColumn, ownWidth } from "./layout";

export type WeightPlace = Pick<WeightEdit, "place" | "part" | "row" | "column">;

export interface WeightNames {
  lesson: string | null; // "w_blue1"; null: the model is not that of LSTM.py
  symbol: string | null; // "U_f", "U_f[3, 7]"; null: the equations do not have it
  module: string; // path of the layer in the model: "", "encoder"
  parameter: string; // "weight_hh_l0", an attribute of that module
  index: number[];
  summed: string[]; // torch's two biases, where the equations have one letter for their sum; else empty
}

/** LSTM.py: each gate's colour, and which of its three numbers belongs to which part. */
const COLOURS: Record<string, string> = { f: "blue", i: "green", g: "orange", o: "purple" };
const LESSON: Record<string, (colour: string) => string> = {
  recurrent: (colour) => `w_${colour}1`,
  input: (colour) => `w_${colour}2`,
  bias_input: (colour) => `b_${colour}1`,
  bias_recurrent: (colour) => `b_${colour}1`,
};

/** Of the parts that have a block of rows for each gate: torch's parameter, and the letter in the equations. */
const OF_GATES: Record<string, { parameter: string; letter: string }> = {
  input: { parameter: "weight_ih", letter: "W" },
  recurrent: { parameter: "weight_hh", letter: "U" },
  bias_input: { parameter: "bias_ih", letter: "b" },
  bias_recurrent: { parameter: "bias_hh", letter: "b" },
};

/** The path of a place's module, and what its parameters end with: byhand/engine/names.py. */
export function moduleOf(place: string): { module: string; suffix: string } {
  const found = /^(?:(.*)\.)?(l\d+)(\.reverse)?$/s.exec(place);
  if (!found) return { module: place, suffix: "" };
  return { module: found[1] ?? "", suffix: `_${found[2]}${found[3] ? "_reverse" : ""}` };
}

/** part, row and column as the document has them: spread out, every gate and state as wide as the layer. */
export function weightNames(doc: Doc, { place, part, row, column }: WeightPlace): WeightNames {
  const layer = doc.layers.find((one) => one.place === place)!;
  const { module, suffix } = moduleOf(place);
  const none = { lesson: null, summed: [], module };
  if (part === "projection") return { ...none, symbol: null, parameter: `weight_hr${suffix}`, index: [row, column] };
  if (!(part in OF_GATES)) {
    return { ...none, symbol: indexed(part, layer.hidden > 1 ? [row] : []), parameter: part + suffix, index: [row] };
  }
  const { cell } = doc;
  const { parameter } = OF_GATES[part];
  const gate = cell.gates[Math.floor(row / layer.hidden)];
  const { first, size } = block(cell, layer, part, row);
  const unit = (first % layer.hidden) / size;
  const matrix = part === "input" || part === "recurrent";
  const along = matrix ? [part === "input" ? column : ownColumn(cell, layer, column)] : [];
  const width = part === "recurrent" ? ownWidth(cell, layer) : layer.input;
  const single = layer.hidden === size && (!matrix || width === 1);
  const letter = matrix ? OF_GATES[part].letter : biasLetter(cell, part, gate);
  return {
    lesson: isLesson(doc) ? LESSON[part](COLOURS[gate]) : null,
    symbol: indexed(`${letter}_${gate}`, single ? [] : [unit, ...along]),
    module,
    parameter: parameter + suffix,
    index: [firstRow(cell, layer, gate) + unit, ...along],
    summed: matrix || !areSummed(cell, layer, gate) ? [] : [`bias_ih${suffix}`, `bias_hh${suffix}`],
  };
}

/** "weight_hh_l0[1, 0]", as in named_parameters() of the model. */
export function torchName({ module, parameter, index }: WeightNames): string {
  return indexed(module ? `${module}.${parameter}` : parameter, index);
}

/** "w_blue1 (LSTM.py) = U_f = weight_hh_l0[1, 0]" */
export function namesText(names: WeightNames): string {
  const { lesson, symbol, summed } = names;
  const own = torchName(names);
  const torch = summed.length ? summed.map((parameter) => torchName({ ...names, parameter })).join(" + ") : own;
  const all = [lesson && `${lesson} (LSTM.py)`, symbol, torch].filter((one, k, list) => one && list.indexOf(one) === k);
  return all.join(" = ") + (summed.length ? `; this is ${own}` : "");
}

/** One unit that reads one number, as nn.LSTM computes it, with biases. */
function isLesson({ cell, layers }: Doc): boolean {
  const [{ input, hidden, output, reverse, weights }] = layers;
  const one = layers.length === 1 && [input, hidden, output].every((size) => size === 1) && !reverse;
  return one && cell.name === "lstm" && Boolean(weights?.bias_input) && !weights?.projection;
}

/** The first of a gate's rows in the layer's own parameter, in which what units share stands once. */
function firstRow(cell: CellDoc, layer: LayerDoc, gate: string): number {
  const earlier = cell.gates.slice(0, cell.gates.indexOf(gate));
  return earlier.reduce((sum, one) => sum + layer.hidden / (cell.shared[one] ?? 1), 0);
}

/** The second bias is b′ where an equation keeps it apart, as the GRU's. */
function biasLetter(cell: CellDoc, part: string, gate: string): string {
  return part === "bias_recurrent" && hasSecondBias(cell, gate) ? "b′" : "b";
}

function areSummed(cell: CellDoc, layer: LayerDoc, gate: string): boolean {
  return Boolean(layer.weights?.bias_input && layer.weights.bias_recurrent) && !hasSecondBias(cell, gate);
}

function hasSecondBias(cell: CellDoc, gate: string): boolean {
  return cell.equations.some((line) => new RegExp(`b′_${gate}(?![\\w])`, "u").test(line));
}

function indexed(name: string, index: number[]): string {
  return index.length ? `${name}[${index.join(", ")}]` : name;
}
