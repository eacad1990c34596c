/** How far a computed value may be from the model's own, where the page holds rounded weights or rounded values. */

import type { Packed } from "../document/schema";
import { FUNCTIONS, SLOPES } from "./functions";
import type { Expression } from "./types";

/** What a rounded weight may be off by: half a unit of its last digit. */
const ROUNDING: Partial<Record<Packed["dtype"], { share: number; least: number }>> = {
  f2: { share: 2 ** -11, least: 2 ** -25 },
  f4: { share: 2 ** -24, least: 0 },
};

export function roundingOf(weight: number, dtype: Packed["dtype"]): number {
  const found = ROUNDING[dtype];
  return found ? Math.max(Math.abs(weight) * found.share, found.least) : 0;
}

export function productError(a: number, aError: number, b: number, bError: number): number {
  return Math.abs(a) * bError + Math.abs(b) * aError + aError * bError;
}

/** The error of an equation's value, by its slopes, given those of its names. */
export function uncertainty(tree: Expression, value: (name: string) => number, error: (name: string) => number): number {
  return follow(tree, value, error).error;
}

function follow(tree: Expression, value: (name: string) => number, error: (name: string) => number): { value: number; error: number } {
  if (tree.kind === "number") return { value: tree.value, error: 0 };
  if (tree.kind === "name") return { value: value(tree.name), error: error(tree.name) };
  const args = tree.args.map((one) => follow(one, value, error));
  const [a, b, c] = args.map((one) => one.value);
  const found = FUNCTIONS[tree.fn](a, b, c);
  if (tree.fn === "mul") return { value: found, error: productError(a, args[0].error, b, args[1].error) };
  const slopes = SLOPES[tree.fn]?.(a, b, c, found) ?? [];
  return { value: found, error: args.reduce((all, one, k) => all + Math.abs(slopes[k] ?? 0) * one.error, 0) };
}
