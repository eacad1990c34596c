/** Gate sums, term by term: what the worked arithmetic shows. */

import type { CellDoc, LayerDoc } from "../document/schema";
import { isWired } from "./layout";
import { summands } from "./program";
import { before, type Weights } from "./recurrence";
import type { Expression, Term, Values } from "./types";
import { productError, roundingOf } from "./uncertainty";
import { errorAt, row } from "./values";

/** A place in a run, with its weights. */
export interface Context {
  cell: CellDoc;
  layer: LayerDoc;
  weights: Weights;
  steps: number;
  input: Values | null;
  initial: Record<string, Float64Array>;
  sites: Record<string, Values>;
  /** The values that a product inside the step multiplies, and what they are called; null where it is made before the step. */
  factors(gate: string, time: number): { name: string; values: number[]; errors: number[] } | null;
}

const MANY = 8;

const EXACT = { value: 0, weight: 0, product: 0 };

/** All terms of a gate's sum; the largest first where there are many. equations: in which peepholes are looked for. look: the value
 *  of a name in them. */
export function termsOf(
  context: Context,
  gate: string,
  unit: number,
  time: number,
  equations: Expression[],
  look: (name: string) => number,
  error: (name: string) => number,
): Term[] {
  const terms = [...recurrentTerms(context, gate, unit, time), ...inputTerms(context, gate, unit, time)];
  terms.push(...biasTerms(context, gate, unit), ...peepholeTerms(gate, unit, equations, look, error));
  return terms.length > MANY ? terms.sort((a, b) => Math.abs(b.product) - Math.abs(a.product)) : terms;
}

/** The sum of a gate: what the input gives ("x"), the last states ("u"), or both; each with its own bias. */
export function gateSum(context: Context, kind: "x" | "u" | "both", gate: string, unit: number, time: number): number {
  let sum = 0;
  if (kind !== "u") for (const { product } of inputTerms(context, gate, unit, time)) sum += product;
  if (kind !== "x") for (const { product } of recurrentTerms(context, gate, unit, time)) sum += product;
  const index = rowOf(context, gate, unit);
  if (kind !== "u") sum += context.weights.bias_input?.data[index] ?? 0;
  if (kind !== "x") sum += context.weights.bias_recurrent?.data[index] ?? 0;
  return sum;
}

function rowOf({ cell, layer }: Context, gate: string, unit: number): number {
  return cell.gates.indexOf(gate) * layer.hidden + unit;
}

function recurrentTerms(context: Context, gate: string, unit: number, time: number): Term[] {
  const { cell, layer, weights, steps, sites, initial } = context;
  if (!weights.recurrent) return [];
  const last = before(layer, steps, time);
  const index = rowOf(context, gate, unit);
  const terms: Term[] = [];
  const inside = context.factors(gate, time);
  if (inside) {
    const { name, values, errors } = inside;
    return values.map((value, k) => {
      const source = { part: "recurrent", row: index, column: k, index: k };
      return term(context, `${name}${values.length > 1 ? ` of unit ${k}` : ""} × weight`, "recurrent", source, value, errors[k]);
    });
  }
  let offset = 0;
  for (const state of cell.sources) {
    const given = last < 0 ? initial[state] : row(sites[state], last);
    const name = cell.labels[state] ?? state;
    for (let k = 0; k < given.length; k++) {
      if (!isWired(cell, gate, state, k)) continue;
      const label = given.length > 1 ? `${name} of unit ${k} × weight` : `${name} × weight`;
      const source = { part: "recurrent", row: index, column: offset + k, index: k };
      terms.push(term(context, label, "recurrent", source, given[k], last < 0 ? 0 : errorAt(sites[state], k)));
    }
    offset += given.length;
  }
  return terms;
}

function inputTerms(context: Context, gate: string, unit: number, time: number): Term[] {
  const { input } = context;
  if (!input) return [];
  const index = rowOf(context, gate, unit);
  return Array.from(row(input, time), (value, k) => {
    const label = input.width > 1 ? `input ${k} × weight` : "input × weight";
    return term(context, label, "input", { part: "input", row: index, column: k, index: k }, value, errorAt(input, k));
  });
}

function term(
  { weights }: Context,
  label: string,
  kind: "recurrent" | "input",
  source: Term["source"],
  value: number,
  error: number,
): Term {
  const { columns, data } = weights[kind]!;
  const weight = data[source.row * columns + source.column];
  const rounding = weights.rounded ? roundingOf(weight, weights.rounded) : 0;
  const errors = { value: error, weight: rounding, product: productError(value, error, weight, rounding) };
  return { label, kind, source, value, weight, product: value * weight, errors };
}

/** torch adds two biases. The second is left out where it is 0, as it is in models that were not made by torch. */
function biasTerms(context: Context, gate: string, unit: number): Term[] {
  const index = rowOf(context, gate, unit);
  const { bias_input: one, bias_recurrent: other } = context.weights;
  const terms: Term[] = [];
  const add = (part: string, label: string, weight: number): void => {
    const source = { part, row: index, column: 0, index: 0 };
    terms.push({ label, kind: "bias", source, value: null, weight, product: weight, errors: EXACT });
  };
  if (one) add("bias_input", "bias", one.data[index]);
  if (other && (other.data[index] !== 0 || !one)) add("bias_recurrent", one ? "second bias" : "bias", other.data[index]);
  return terms;
}

/** What stands beside the gate's sum in an equation as vector × value: the gate looks at a memory through it. */
function peepholeTerms(
  gate: string,
  unit: number,
  equations: Expression[],
  look: (name: string) => number,
  error: (name: string) => number,
): Term[] {
  const terms: Term[] = [];
  for (const equation of equations) {
    for (const sum of sumsWith(equation, `x.${gate}`)) {
      for (const one of summands(sum)) {
        if (one.kind !== "call" || one.fn !== "mul") continue;
        const names = one.args.map((argument) => (argument.kind === "name" ? argument.name : ""));
        const vector = names.findIndex((name) => name.startsWith("p."));
        const other = names[1 - vector];
        if (vector < 0 || !other) continue;
        const [value, weight] = [look(other), look(names[vector])];
        const source = { part: names[vector].slice(2), row: unit, column: 0, index: unit };
        const errors = { value: error(other), weight: 0, product: productError(value, error(other), weight, 0) };
        terms.push({ label: `${other} × peephole`, kind: "peephole", source, value, weight, product: value * weight, errors });
      }
    }
    if (terms.length) break;
  }
  return terms;
}

/** The additions in a tree that have this name among their summands. */
function sumsWith(tree: Expression, name: string): Expression[] {
  if (tree.kind !== "call") return [];
  if (tree.fn === "add" && summands(tree).some((one) => one.kind === "name" && one.name === name)) return [tree];
  return tree.args.flatMap((argument) => sumsWith(argument, name));
}
