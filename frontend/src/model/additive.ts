/** Which memories are added to, and what they hold: new = keep · old + write, read off the cell's own equation. */

import { call, number } from "./expression";
import { evaluate } from "./program";
import type { Edit, Expression, Model, Run, Selection, Values } from "./types";
import { rowsOf, valueAt } from "./values";

/** new state = keep · s.STATE + write, neither of which reads s.STATE itself. */
export interface Additive {
  state: string;
  keep: Expression;
  write: Expression;
}

const ZERO = number(0);

const isNumber = (tree: Expression, value: number): boolean => tree.kind === "number" && tree.value === value;

function sum(a: Expression, b: Expression): Expression {
  return isNumber(a, 0) ? b : isNumber(b, 0) ? a : call("add", a, b);
}

function product(a: Expression, b: Expression): Expression {
  if (isNumber(a, 0) || isNumber(b, 0)) return ZERO;
  return isNumber(a, 1) ? b : isNumber(b, 1) ? a : call("mul", a, b);
}

type Line = { keep: Expression; write: Expression };

/** The tree as keep · name + write; null where it is not a straight line in that name. */
function lineIn(tree: Expression, name: string): Line | null {
  if (tree.kind === "number") return { keep: ZERO, write: tree };
  if (tree.kind === "name") return tree.name === name ? { keep: number(1), write: ZERO } : { keep: ZERO, write: tree };
  const parts = tree.args.map((one) => lineIn(one, name));
  if (parts.some((one) => one === null)) return null;
  const lines = parts as Line[];
  if (lines.every(({ keep }) => isNumber(keep, 0))) return { keep: ZERO, write: tree };
  const combined = COMBINED[tree.fn];
  return combined ? combined(lines, tree.args) : null;
}

const constant = ({ keep }: Line): boolean => isNumber(keep, 0);

const COMBINED: Record<string, (lines: Line[], args: Expression[]) => Line | null> = {
  add: ([a, b]) => ({ keep: sum(a.keep, b.keep), write: sum(a.write, b.write) }),
  sub: ([a, b]) => ({ keep: minus(a.keep, b.keep), write: minus(a.write, b.write) }),
  neg: ([a]) => ({ keep: call("neg", a.keep), write: call("neg", a.write) }),
  mul: ([a, b], [first, second]) => (constant(a) ? times(b, first) : constant(b) ? times(a, second) : null),
  div: ([a, b], [, second]) => (constant(b) ? { keep: call("div", a.keep, second), write: call("div", a.write, second) } : null),
  where: ([when, a, b], [condition]) =>
    constant(when) ? { keep: call("where", condition, a.keep, b.keep), write: call("where", condition, a.write, b.write) } : null,
};

function minus(a: Expression, b: Expression): Expression {
  return isNumber(b, 0) ? a : isNumber(a, 0) ? call("neg", b) : call("sub", a, b);
}

function times({ keep, write }: Line, factor: Expression): Line {
  return { keep: product(keep, factor), write: product(write, factor) };
}

/** The tree with every site that is no gate replaced by its own equation: a memory may be put together in several named steps. */
function opened(model: Model, tree: Expression): Expression {
  if (tree.kind === "number") return tree;
  if (tree.kind === "call") return call(tree.fn, ...tree.args.map((one) => opened(model, one)));
  const { sites, ranges } = model.doc.cell;
  return sites.includes(tree.name) && ranges[tree.name] === "free" ? opened(model, model.equation(tree.name)) : tree;
}

/** How a state is kept and written to, or why the two cannot be separated. */
export function additive(model: Model, state: string): Additive | { why: string } {
  const { cell } = model.doc;
  if (!cell.sites.includes(state)) return { why: `${cell.name} does not name ${state} among its sites.` };
  if (!cell.program)
    return {
      why: `The equation of ${state} is not known to the page: ${model.doc.why_not ?? "the cell could not be read line by line"}.`,
    };
  const equation = model.equation(state);
  let line = lineIn(equation, `s.${state}`);
  if (line && isNumber(line.keep, 0)) line = lineIn(opened(model, equation), `s.${state}`);
  if (!line) return { why: `${state} of ${cell.name} is squeezed on its way from step to step, so its parts do not add up.` };
  if (isNumber(line.keep, 0)) return { why: `${state} of ${cell.name} is replaced at every step: nothing is kept, so nothing adds up.` };
  return { state, ...line };
}

/** All states of the cell that are added to; the reasons for the others. */
export function memories(model: Model): { found: Additive[]; reasons: string[] } {
  const [output, ...others] = model.doc.cell.state;
  const all = [...others, output].map((state) => additive(model, state)); // a long memory before the output
  return {
    found: all.filter((one): one is Additive => !("why" in one)),
    reasons: all.filter((one): one is { why: string } => "why" in one).map(({ why }) => why),
  };
}

/** Reads the names in an equation at one step and unit. */
export function reader(model: Model, state: Selection, run: Run, place: string, unit: number): (time: number) => (name: string) => number {
  const { cell } = model.doc;
  const there = run.places[place];
  const reverse = isReverse(model, place);
  const edits = switchedOn(state.edits);
  return (time) => (name) => {
    const site = there?.sites[name];
    if (site) return valueAt(site, time, unit);
    const [kind, rest = ""] = [name[0], name.slice(2)];
    if (kind === "s") return before(there, rest, time, unit, reverse);
    if (kind === "p") return cell.constants[rest] ?? model.weight(place, rest, unit, 0, edits, state.snapshot);
    if (kind !== "x" && kind !== "u") return NaN;
    const terms = model.terms(run, edits, state.snapshot, place, rest, unit, time);
    return terms.filter((one) => kind === "x" || one.kind === "recurrent").reduce((all, one) => all + one.product, 0);
  };
}

function before(there: Run["places"][string] | undefined, state: string, time: number, unit: number, reverse: boolean): number {
  const values = there?.sites[state];
  if (!values) return NaN;
  const earlier = reverse ? time + 1 : time - 1;
  if (earlier < 0 || earlier >= values.steps) return there.initial[state]?.[unit] ?? 0;
  return valueAt(values, earlier, unit);
}

export function isReverse(model: Model, place: string): boolean {
  return model.doc.layers.find((one) => one.place === place)?.reverse ?? false;
}

export function switchedOn(edits: Edit[]): Edit[] {
  return edits.filter((edit) => edit.on);
}

/** What is kept of the first additive memory, step by step and for all units; null where no memory is added to. */
export function keepValues(model: Model, state: Selection, run: Run, place: string): { memory: string; keep: Values } | null {
  const [memory] = memories(model).found;
  if (!memory) return null;
  if (memory.keep.kind === "name") {
    const site = run.places[place]?.sites[memory.keep.name];
    if (site) return { memory: memory.state, keep: site };
  }
  const like = run.places[place]?.sites[memory.state];
  if (!like) return null;
  const data = new Float64Array(like.data.length);
  for (let column = 0; column < like.width; column += 1) {
    const read = reader(model, state, run, place, like.units?.[column] ?? column);
    for (let row = 0; row < rowsOf(like); row += 1) data[row * like.width + column] = evaluate(memory.keep, read(row * like.every));
  }
  return { memory: memory.state, keep: { ...like, data } };
}
