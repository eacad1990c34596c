/** Equations and values in plain words. */

import { joins } from "../../model/expression";
import type { Reading } from "../../model/reading";
import type { Expression, Model } from "../../model/types";
import { productError } from "../../model/uncertainty";
import { figure, percent } from "../../text/format";
import { label } from "../../text/labels";

/** What a value means: "keeps 89 % of the long memory". */
export function sentenceOf(reading: Reading, site: string, model: Model): string {
  const { cell } = reading.doc;
  const [value, off] = [reading.read(site), reading.error(site)];
  if (!reading.has(site)) return "This unit is not in the page: large models are thinned.";
  if (Number.isNaN(value)) return `${capital(label(cell, site))} is not a number (NaN) at this step.`;
  const own = role(reading, site, model);
  if (own) return own;
  if (cell.ranges[site] === "share") return `${capital(label(cell, site))}: ${percent(value, off)} open.`;
  return `${capital(label(cell, site))} is ${reading.figure(site)}.`;
}

/** What a site does in a memory c′ = f ⊙ c + i ⊙ g; empty where the cell is not of that kind. */
function role(reading: Reading, site: string, model: Model): string {
  const { cell } = reading.doc;
  if (!cell.state.includes("c") || !cell.sites.includes("g")) return "";
  const [value, off] = [reading.read(site), reading.error(site)];
  const share = cell.ranges[site] === "share";
  const [keeps, written] = [share && site === "f", share && site === "i"];
  if (keeps) return value <= 0.005 ? "Keeps nothing of the long memory." : `Keeps ${percent(value, off)} of the long memory.`;
  if (written) return value <= 0.005 ? "Lets nothing of the candidate in." : `Lets ${percent(value, off)} of the candidate in.`;
  if (share && site === "o")
    return `Passes on ${percent(value, off)} of the ${cell.sites.includes("tanh_c") ? "squashed " : ""}long memory.`;
  if (site === "g") return `Offers ${reading.figure(site)}: what is let in of it ${value < 0 ? "lowers" : "raises"} the long memory.`;
  if (site === "c") return memorySentence(reading, cell.program ? model.equation("c") : null);
  if (site === "tanh_c") return `The long memory, squashed into −1…1, before it is passed on.`;
  if (site === "h") return `The short memory ${reading.figure(site)}: what the unit passes on, and what its gates read at the next step.`;
  return "";
}

function memorySentence(reading: Reading, tree: Expression | null): string {
  const parts = tree?.kind === "call" && tree.fn === "add" ? tree.args : [];
  const standard = parts.some((one) => joins(one, "mul", "f", "s.c")) && parts.some((one) => joins(one, "mul", "i", "g"));
  const moved = `The long memory goes from ${reading.figure("s.c")} to ${reading.figure("c")}`;
  if (!standard) return `${moved}.`;
  return `${moved}: ${productOf(reading, "f", "s.c")} is kept, ${productOf(reading, "i", "g")} is written.`;
}

function productOf(reading: Reading, one: string, other: string): string {
  const [a, b] = [reading.read(one), reading.read(other)];
  return figure(a * b, productError(a, reading.error(one), b, reading.error(other)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
