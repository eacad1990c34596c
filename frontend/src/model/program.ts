import type { CellDoc, Program } from "../document/schema";
import { FUNCTIONS, KERNELS, type Kernel } from "./functions";
import { isProduct, productGate } from "./products";
import type { Expression } from "./types";

/** byhand's own step, as Python traced it, run here: a small register machine over all units at once. Nothing is ever evaluated
 *  as text, so the page needs no right to make code. */

export interface Line {
  out: number;
  fn: string;
  args: number[];
}

/** Lines over numbered registers. sites: register -> the site that is ready once it is written. */
export interface Plan {
  count: number;
  lines: Line[];
  inputs: Map<string, number>;
  constants: [register: number, value: number][];
  results: Map<string, number>;
  sites: Map<number, string>;
}

type Value = string | number;

type Lines = Program["lines"];

/** The step alone: new states and sites. Every site has a register of its own, so that it can be changed there and all that follows
 *  from it follows; of two names for one value, the later follows from the earlier (as in byhand.cells.graph). */
export function stepPlan(program: Program, cell: CellDoc): Plan {
  const results: Record<string, Value> = {};
  for (const [name, value] of Object.entries(program.results)) {
    if (name.startsWith("n.") || name.startsWith("site.")) results[name] = value;
  }
  const first: Lines = [];
  const last: Lines = [];
  const instead = new Map<string, string>();
  const taken = new Set<string>();
  const own: Record<string, Value> = {};
  const after = (value: Value): Value => (typeof value === "string" ? (instead.get(value) ?? value) : value);
  for (const site of cell.sites) {
    const value = results[`site.${site}`];
    if (value === undefined) throw new Error(`the program does not compute the site ${site}`);
    if (typeof value === "number" || taken.has(value)) {
      last.push([`= ${site}`, "copy", [after(value)]]);
      own[site] = `= ${site}`;
    } else if (program.inputs.includes(value)) {
      first.push([`= ${site}`, "copy", [value]]);
      instead.set(value, `= ${site}`);
      own[site] = `= ${site}`;
    } else {
      own[site] = value;
    }
    if (typeof value === "string") taken.add(value);
  }
  const made: Record<string, Value> = {};
  for (const name of Object.keys(results)) {
    const bare = name.slice(name.indexOf(".") + 1);
    made[name] = own[bare] ?? after(results[name]);
  }
  const middle: Lines = program.lines.map(([name, fn, args]) => [name, fn, args.map(after)]);
  const plan = numbered(program.inputs, needed([...first, ...middle, ...last], Object.values(made)), made);
  for (const site of cell.sites) plan.sites.set(plan.results.get(`site.${site}`)!, site);
  return plan;
}

/** Everything, the derivative included. */
export function wholePlan(program: Program): Plan {
  return numbered(program.inputs, program.lines, program.results);
}

function needed(lines: Lines, results: Value[]): Lines {
  const wanted = new Set<Value>(results);
  const kept: Lines = [];
  for (const line of [...lines].reverse()) {
    if (!wanted.has(line[0])) continue;
    for (const argument of line[2]) wanted.add(argument);
    kept.push(line);
  }
  return kept.reverse();
}

function numbered(inputs: string[], lines: Lines, results: Record<string, Value>): Plan {
  const registers = new Map<Value, number>();
  const constants: [number, number][] = [];
  const register = (value: Value): number => {
    let found = registers.get(value);
    if (found === undefined) {
      found = registers.size;
      registers.set(value, found);
      if (typeof value === "number") constants.push([found, value]);
    }
    return found;
  };
  const plan: Plan = {
    inputs: new Map(inputs.map((name) => [name, register(name)])),
    lines: lines.map(([name, fn, args]) => {
      if (!(fn in KERNELS || isProduct(fn))) throw new Error(`the page does not know the function ${fn}`);
      const read = args.map((argument) => register(numeral(argument)));
      return { out: register(name), fn, args: read };
    }),
    results: new Map(Object.entries(results).map(([name, value]) => [name, register(numeral(value))])),
    constants,
    sites: new Map(),
    count: 0,
  };
  plan.count = registers.size;
  return plan;
}

/** NaN cannot stand in JSON as a number: it comes as null. */
function numeral(value: Value | null): Value {
  return value === null ? NaN : value;
}

/** A plan and its registers, as wide as there are units. products: see productsOf. */
export class Machine {
  readonly registers: Float64Array[];
  private readonly kernels: Kernel[];

  constructor(
    readonly plan: Plan,
    readonly width: number,
    readonly products: Record<string, Kernel> = {},
  ) {
    this.kernels = plan.lines.map(({ fn }) => KERNELS[fn] ?? products[fn]);
    this.registers = Array.from({ length: plan.count }, () => new Float64Array(width));
    for (const [register, value] of plan.constants) this.registers[register].fill(value);
  }

  /** The register of an input, to be written before run; undefined if the step has none of that name. */
  input(name: string): Float64Array | undefined {
    const register = this.plan.inputs.get(name);
    return register === undefined ? undefined : this.registers[register];
  }

  result(name: string): Float64Array {
    const register = this.plan.results.get(name);
    if (register === undefined) throw new Error(`the program has no result ${name}`);
    return this.registers[register];
  }

  /** Line by line. change: called with each site as soon as it is computed; it may override the values. */
  run(change: ((site: string, values: Float64Array) => void) | null = null): void {
    const { registers, plan, kernels } = this;
    for (let k = 0; k < kernels.length; k++) {
      const { out, args } = plan.lines[k];
      kernels[k](registers[out], registers[args[0]], registers[args[1]], registers[args[2]]);
      if (change !== null) {
        const site = plan.sites.get(out);
        if (site !== undefined) change(site, registers[out]);
      }
    }
  }
}

/** The gates whose input and recurrent sums are only ever read added up: for them "x.GATE" stands for the whole sum. */
export function foldedGates(program: Program, cell: CellDoc): Set<string> {
  const folded = new Set<string>();
  const lines = needed(program.lines, siteValues(program, cell));
  for (const gate of cell.gates) {
    const pair = [`x.${gate}`, `u.${gate}`];
    const readers = lines.filter(([, , args]) => args.some((one) => pair.includes(String(one))));
    const bare = siteValues(program, cell).some((value) => pair.includes(String(value)));
    const sums = readers.every(([, fn, args]) => fn === "add" && pair.every((name) => args.includes(name)));
    if (!bare && sums && readers.length && program.inputs.includes(pair[1])) folded.add(gate);
  }
  return folded;
}

function siteValues(program: Program, cell: CellDoc): Value[] {
  const names = [...cell.sites.map((site) => `site.${site}`), ...cell.state.map((state) => `n.${state}`)];
  return names.map((name) => program.results[name]).filter((value) => value !== undefined);
}

/** What a product inside the step is made of, as equationOf has it; null for a gate whose product is made before the step. */
export function factorOf(program: Program, cell: CellDoc, gate: string): Expression | null {
  const line = program.lines.find(([, fn]) => productGate(fn) === gate);
  return line ? treesOf(program, cell)(line[2][0]) : null;
}

/** The equation of a site, as a tree over other sites, gate sums, earlier states, vectors and constants. A product inside the step is
 *  the sum "u.GATE". */
export function equationOf(program: Program, cell: CellDoc, site: string): Expression {
  const value = program.results[`site.${site}`];
  if (value === undefined) throw new Error(`the cell has no site ${site}`);
  return treesOf(program, cell)(value, site);
}

/** own: the site whose equation is wanted; all others stand in it by name. */
function treesOf(program: Program, cell: CellDoc): (value: Value, own?: string) => Expression {
  const folded = foldedGates(program, cell);
  const lines = new Map(program.lines.map((line) => [line[0], line]));
  const named = new Map<Value, string>();
  for (const one of cell.sites) {
    const value = program.results[`site.${one}`];
    if (typeof value === "string" && !named.has(value)) named.set(value, one);
  }
  const tree = (value: Value, own?: string): Expression => {
    const number = numeral(value);
    if (typeof number === "number") return { kind: "number", value: number };
    const other = named.get(value);
    if (other !== undefined && other !== own) return { kind: "name", name: other };
    const line = lines.get(number);
    const inside = line && productGate(line[1]);
    if (inside) return { kind: "name", name: `u.${inside}` };
    if (!line) return { kind: "name", name: number };
    const gate = cell.gates.find((one) => folded.has(one) && line[2].includes(`x.${one}`) && line[2].includes(`u.${one}`));
    if (gate !== undefined && line[1] === "add") return { kind: "name", name: `x.${gate}` };
    return { kind: "call", fn: line[1], args: line[2].map((argument) => tree(argument)) };
  };
  return tree;
}

/** The value of a tree, given the values of its names. */
export function evaluate(tree: Expression, value: (name: string) => number): number {
  if (tree.kind === "number") return tree.value;
  if (tree.kind === "name") return value(tree.name);
  const [a, b, c] = tree.args.map((argument) => evaluate(argument, value));
  return FUNCTIONS[tree.fn](a, b, c);
}

/** What is added up to a tree: its summands. */
export function summands(tree: Expression): Expression[] {
  return tree.kind === "call" && tree.fn === "add" ? tree.args.flatMap(summands) : [tree];
}
