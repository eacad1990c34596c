/** How a cell compares with the LSTM, by its equations. */

import type { CellDoc } from "../document/schema";
import { isName, joins, names, pair } from "./expression";
import type { Expression, Model } from "./types";

/** How a cell's parts compare with the LSTM's; null where the picture would not tell the truth. */
export interface Anatomy {
  forget: "gate" | "one";
  input: "gate" | "coupled" | "one";
  output: "gate" | "one";
  squash: string | null; // the site between c and ×, or null: c goes there as it is
  squash_word: string; // "tanh"
  candidate_word: string; // what squashes the candidate: "tanh", "" if nothing
  peepholes: { gate: string; reads: "s.c" | "c" }[];
  sites: Record<"f" | "i" | "g" | "o", boolean>;
}

type Equations = (site: string) => Expression | null;

/** Read from the equations, so that a cell of one's own gets the picture too if it fits. */
export function anatomy(cell: CellDoc, model: Model): Anatomy | null {
  const has = (site: string): boolean => cell.sites.includes(site);
  if (cell.state[0] !== "h" || !cell.state.includes("c") || !has("g") || !has("c") || !has("h")) return null;
  if (cell.state.some((state) => !["h", "c", "i", "o"].includes(state)) || cell.state.includes("f")) return null;
  const expected = ["i", "f", "g", "o", "c", "tanh_c", "squashed_c", "norm_c", "h"];
  if (cell.sites.some((site) => !expected.includes(site))) return null;
  const equation: Equations = (site) => {
    try {
      return model.equation(site);
    } catch {
      return null; // no program: the names are all that is known
    }
  };
  const found: Anatomy = {
    forget: has("f") ? "gate" : "one",
    input: has("i") ? "gate" : "one",
    output: has("o") ? "gate" : "one",
    squash: ["tanh_c", "squashed_c"].find(has) ?? null,
    squash_word: "tanh",
    candidate_word: "tanh",
    peepholes: [],
    sites: { f: has("f"), i: has("i"), g: has("g"), o: has("o") },
  };
  if (cell.program === null) return has("f") && has("i") && has("o") ? found : null;
  if (!written(equation("c"), found) || !exposed(equation("h"), found)) return null;
  if (found.input === "gate" && coupled(equation("i"))) found.input = "coupled";
  for (const gate of ["i", "f", "o"]) {
    if (!has(gate) || (gate === "i" && found.input === "coupled")) continue;
    const tree = equation(gate);
    if (tree?.kind !== "call" || tree.fn !== "sigmoid") return null;
    const reads = names(tree).filter((one) => one === "s.c" || one === "c") as ("s.c" | "c")[];
    found.peepholes.push(...reads.map((one) => ({ gate, reads: one })));
    if (names(tree).some((one) => !["s.c", "c", `x.${gate}`, `u.${gate}`, `p.p_${gate}`].includes(one))) return null;
  }
  const candidate = equation("g");
  if (!candidate || names(candidate).some((one) => !["x.g", "u.g"].includes(one))) return null;
  found.candidate_word = word(candidate);
  const squashed = found.squash ? equation(found.squash) : null;
  if (found.squash && (!squashed || names(squashed).join() !== "c")) return null;
  found.squash_word = squashed ? word(squashed) : "";
  return found;
}

/** c′ = f ⊙ c + i ⊙ g, with f or i left out. */
function written(tree: Expression | null, found: Anatomy): boolean {
  const sum = pair(tree, "add");
  if (!sum) return false;
  const kept = (one: Expression): boolean => (found.forget === "gate" ? joins(one, "mul", "f", "s.c") : isName(one, "s.c"));
  const added = (one: Expression): boolean => (found.input === "gate" ? joins(one, "mul", "i", "g") : isName(one, "g"));
  return (kept(sum[0]) && added(sum[1])) || (kept(sum[1]) && added(sum[0]));
}

/** h′ = o ⊙ tanh(c′), with either left out. */
function exposed(tree: Expression | null, found: Anatomy): boolean {
  const source = found.squash ?? "c";
  return found.output === "gate" ? joins(tree, "mul", "o", source) : isName(tree, source) || isName(tree, "c");
}

function coupled(tree: Expression | null): boolean {
  const difference = pair(tree, "sub");
  return difference !== null && difference[0].kind === "number" && difference[0].value === 1 && isName(difference[1], "f");
}

/** How a squashing is called on its box. */
function word(tree: Expression): string {
  if (tree.kind === "name") return "";
  if (tree.kind === "call" && (tree.fn === "tanh" || tree.fn === "sigmoid")) return tree.fn === "tanh" ? "tanh" : "σ";
  return JSON.stringify(tree).includes('"sigmoid"') ? "σ, scaled" : "squash";
}
