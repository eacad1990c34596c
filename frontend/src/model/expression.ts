/** Equations as trees: their values, and how they are written. */

import { figure } from "../text/format";
import { symbol } from "../text/labels";
import type { Expression } from "./types";

export const number = (value: number): Expression => ({ kind: "number", value });

export const name = (text: string): Expression => ({ kind: "name", name: text });

export const call = (fn: string, ...args: Expression[]): Expression => ({ kind: "call", fn, args });

/** All names in a tree, each once, in order. */
export function names(tree: Expression): string[] {
  if (tree.kind === "name") return [tree.name];
  if (tree.kind === "number") return [];
  return [...new Set(tree.args.flatMap(names))];
}

export type Token = { text: string } | { name: string };

const INFIX: Record<string, [sign: string, level: number]> = {
  add: [" + ", 1],
  sub: [" − ", 1],
  mul: [" × ", 2],
  div: [" / ", 2],
  gt: [" > ", 0],
  ge: [" ≥ ", 0],
  lt: [" < ", 0],
  le: [" ≤ ", 0],
  eq: [" = ", 0],
  ne: [" ≠ ", 0],
  and: [" and ", -1],
  or: [" or ", -1],
};

const SPELT: Record<string, string> = { sigmoid: "σ", maximum: "max", minimum: "min" };

/** A tree as people write it: pieces of text, and names for which a word or a number is put in. */
export function tokens(tree: Expression, above = -9): Token[] {
  if (tree.kind === "number") return [{ text: figure(tree.value).replace(/\.00$/, "") }];
  if (tree.kind === "name") return [{ name: tree.name }];
  const inside = logSigmoid(tree);
  if (inside) return [{ text: "log σ(" }, ...tokens(inside), { text: ")" }];
  const infix = INFIX[tree.fn];
  if (infix && tree.args.length === 2) {
    const [sign, level] = infix;
    const tight = tree.fn === "sub" || tree.fn === "div" ? level + 0.5 : level;
    const [first, second] = tree.fn === "mul" && isState(tree.args[0]) ? [tree.args[1], tree.args[0]] : tree.args;
    const inner = [...tokens(first, level), { text: sign }, ...tokens(second, tight)];
    return level < above ? [{ text: "(" }, ...inner, { text: ")" }] : inner;
  }
  if (tree.fn === "neg") return [{ text: "−" }, ...tokens(tree.args[0], 2)];
  if (tree.fn === "where") {
    const [when, yes, no] = tree.args as [Expression, Expression, Expression];
    return [{ text: "(" }, ...tokens(yes), { text: " if " }, ...tokens(when), { text: " else " }, ...tokens(no), { text: ")" }];
  }
  const listed = tree.args.flatMap((one, place) => (place ? [{ text: ", " }, ...tokens(one)] : tokens(one)));
  return [{ text: `${SPELT[tree.fn] ?? tree.fn}(` }, ...listed, { text: ")" }];
}

/** An equation in letters: σ(Σf). */
export function equationText(tree: Expression): string {
  return tokens(tree)
    .map((one) => ("text" in one ? one.text : symbol(one.name)))
    .join("");
}

/** x, where a tree is min(x, 0) − log1p(exp(−|x|)): that is how log σ(x) is computed without overflow. */
function logSigmoid(tree: Expression): Expression | null {
  const [low, rest] = pair(tree, "sub") ?? [];
  const [inside, zero] = pair(low ?? null, "minimum") ?? [];
  if (!inside || !rest || zero?.kind !== "number" || zero.value !== 0) return null;
  const wanted = call("log1p", call("exp", call("neg", call("abs", inside))));
  return JSON.stringify(rest) === JSON.stringify(wanted) ? inside : null;
}

/** Written second: f × c, not c × f. */
const isState = (tree: Expression): boolean => tree.kind === "name" && tree.name.startsWith("s.");

/** The tree if it is this function of two trees, in either order where the order is free. */
export function pair(tree: Expression | null, fn: string): [Expression, Expression] | null {
  return tree?.kind === "call" && tree.fn === fn && tree.args.length === 2 ? [tree.args[0], tree.args[1]] : null;
}

export const isName = (tree: Expression | undefined | null, text: string): boolean => tree?.kind === "name" && tree.name === text;

/** Whether a tree is fn(a, b) for these names, in either order. */
export function joins(tree: Expression | null, fn: string, a: string, b: string): boolean {
  const both = pair(tree, fn);
  return both !== null && ((isName(both[0], a) && isName(both[1], b)) || (isName(both[0], b) && isName(both[1], a)));
}
