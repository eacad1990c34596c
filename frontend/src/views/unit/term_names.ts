/** The terms of a sum in the arithmetic of a unit, and what they are called. */

import { folded, ofMemory, type Reading } from "../../model/reading";
import type { Model, Term } from "../../model/types";
import { namesText, weightNames } from "../../model/weight_names";
import { feature, inWords } from "../../text/labels";

export const SHOWN = 8; // terms; the others on request

export const LONG = 14; // letters of a term's name, with which it gets a line of its own

/** The terms that belong to "x.GATE" or "u.GATE". */
export function termsIn(reading: Reading, model: Model, name: string): Term[] {
  const whole = folded(reading.doc.cell, model, name.slice(2));
  return reading.terms(name.slice(2)).filter((term) => {
    if (term.kind === "peephole") return false;
    return whole || name.startsWith("u.") === ofMemory(term);
  });
}

export const same = (one: Term, other: Term): boolean =>
  one.kind === other.kind &&
  one.source.part === other.source.part &&
  one.source.row === other.source.row &&
  one.source.column === other.source.column;

/** "short memory", "price": what a weight is multiplied with. */
export function termLabel(reading: Reading, term: Term): string {
  if (term.kind === "input" && reading.layer.layer === 0) return feature(reading.doc, term.source.index);
  return term.label.replace(/ × (weight|peephole)$/, "");
}

/** "w_blue1 (LSTM.py) = U_f = weight_hh_l0[1, 0]": the names of a term's weight. */
export function termNames({ doc, layer }: Reading, { source }: Term): string {
  return namesText(weightNames(doc, { place: layer.place, ...source }));
}

/** The same of a vector in an equation, "p.p_f"; null for all that the layer has not learned. */
export function vectorNames({ doc, layer, unit }: Reading, name: string): string | null {
  const part = name.slice(2);
  if (!name.startsWith("p.") || part in doc.cell.constants) return null;
  return namesText(weightNames(doc, { place: layer.place, part, row: unit, column: 0 }));
}

export function nodeName(reading: Reading, node: string): string {
  const text = inWords(reading.doc.cell, node);
  return text.charAt(0).toUpperCase() + text.slice(1);
}
