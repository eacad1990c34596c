/** A program with some of its inputs known: what follows from them alone is computed here, once. */

import type { Program } from "../document/schema";
import { FUNCTIONS } from "../model/functions";

type Value = string | number;

/** The same program where these inputs are numbers. byhand.cells.held gives a cell whose sites can each be held: with the masks known,
 *  what is left is the step, and its derivative, in which the held sites stand still and nothing is learnt through them. */
export function fold(program: Program, known: Record<string, number>): Program {
  const found = new Map<Value, Value>(Object.entries(known));
  const now = (value: Value): Value => found.get(value) ?? value;
  const lines: Program["lines"] = [];
  for (const [name, fn, args] of program.lines) {
    const given = args.map(now);
    if (fn === "where" && typeof given[0] === "number") found.set(name, given[0] ? given[1] : given[2]);
    else if (given.every((one) => typeof one === "number")) found.set(name, FUNCTIONS[fn](...(given as [number, number, number])));
    else if (fn === "mul" && given.includes(0)) found.set(name, 0);
    else lines.push([name, fn, given]);
  }
  const results = Object.entries(program.results).map(([name, value]): [string, Value] => [name, now(value)]);
  return {
    inputs: program.inputs.filter((name) => !(name in known)),
    lines,
    results: Object.fromEntries(results.filter(([name]) => !(name.startsWith("grad.") && name.slice(5) in known))),
  };
}

/** The masks of byhand.cells.held: site -> what it is held at. */
export function masks(sites: string[], held: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    sites.flatMap((site) => [
      [`p.hold_${site}`, site in held ? 1 : 0],
      [`p.value_${site}`, held[site] ?? 0],
    ]),
  );
}
