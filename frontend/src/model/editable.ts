/** What can be changed, and by which edit. */

import type { CellDoc } from "../document/schema";
import { visible } from "../text/format";
import { feature, label } from "../text/labels";
import { block, source } from "./layout";
import { madeInside } from "./products";
import type { Reading } from "./reading";
import { levels } from "./recurrence";
import type { Edit, Term } from "./types";

export interface Target {
  key: string;
  name: string; // in words
  low?: number;
  high?: number;
  step: number;
  edit(value: number): Edit;
}

type Where = Pick<Reading, "doc" | "layer">;

/** What stands behind a name of an equation: a site at this step, a memory of the step before, a vector, a single input. */
export function targetOf(reading: Reading, name: string): Target | null {
  const { doc, layer, unit, time } = reading;
  if (!doc.computed) return null;
  const { cell } = doc;
  const rest = name.slice(name.indexOf(".") + 1);
  if (name === "input") return layer.input === 1 ? inputAt(reading, 0) : null;
  if (name.startsWith("s.")) return stateAt(reading, rest, unit);
  if (name.startsWith("p.")) {
    return rest in cell.constants ? null : { ...weightAt(reading, rest, unit, 0), name: label(cell, rest) };
  }
  if (name.includes(".") || !cell.sites.includes(name)) return null;
  return siteAt(cell, layer.place, name, time, unit);
}

/** A site held at a value. time null: at every step. */
export function siteAt(cell: CellDoc, place: string, site: string, time: number | null, unit: number): Target {
  const bounds = { share: { low: 0, high: 1 }, signed: { low: -1, high: 1 }, free: {} }[cell.ranges[site] ?? "free"];
  return {
    ...{ key: `site ${site} ${time}`, name: label(cell, site), step: 0.05, ...bounds },
    edit: (value) => ({ on: true, kind: "site", place, site, value, time, unit }),
  };
}

/** A memory of the step before: the initial one, or what the step before left. */
function stateAt({ doc, layer, item, earlier }: Reading, state: string, unit: number): Target {
  const many = layer.hidden > 1 ? ` of unit ${unit}` : "";
  if (earlier >= 0) {
    return {
      ...siteAt(doc.cell, layer.place, state, earlier, unit),
      key: `s.${state} ${unit}`,
      name: `${label(doc.cell, state)}${many} of the step before`,
    };
  }
  return {
    ...{ key: `s.${state} ${unit}`, name: `first ${label(doc.cell, state)}${many}`, step: 0.05 },
    edit: (value) => ({ on: true, kind: "initial", item, place: layer.place, state, unit, value }),
  };
}

/** An input of the layer: of the sequence, or an output of the layer below. */
export function inputAt(reading: Reading, index: number): Target | null {
  const { doc, layer, item, time } = reading;
  if (layer.layer === 0) {
    return {
      ...{ key: `input ${index}`, name: feature(doc, index), step: 0.05 },
      edit: (value) => ({ on: true, kind: "input", item, time, feature: index, value }),
    };
  }
  const from = below(reading, index);
  if (!from) return null;
  const target = siteAt(doc.cell, from.place, doc.cell.state[0], time, from.unit);
  return { ...target, key: `input ${index}`, name: `${target.name} of ${from.place}, unit ${from.unit}` };
}

/** Which unit of the layer below an input comes from. */
function below({ doc, layer }: Where, index: number): { place: string; unit: number } | null {
  const stack = levels(doc.layers);
  const feeding = stack[stack.findIndex((level) => level.some((one) => one.place === layer.place)) - 1] ?? [];
  let offset = 0;
  for (const one of feeding) {
    if (index < offset + one.output) return { place: one.place, unit: index - offset };
    offset += one.output;
  }
  return null;
}

/** What an input is called: "price"; "unit 3 of l0"; a single letter in quotes. */
export function inputName(where: Where, index: number): string {
  const own = where.layer.layer === 0 ? visible(feature(where.doc, index)) : "";
  if (own) return [...own].length === 1 ? `“${own}”` : own;
  const from = below(where, index);
  return from ? `unit ${from.unit} of ${from.place}` : `input ${index}`;
}

/** A weight that units share is edited in the first of them. */
export function weightAt({ doc, layer }: Reading, part: string, unit: number, column: number): Target {
  const row = block(doc.cell, layer, part, unit).first;
  return {
    ...{ key: `weight ${part} ${row} ${column}`, name: "weight", step: 0.05 },
    edit: (value) => ({ on: true, kind: "weight", place: layer.place, part, row, column, value }),
  };
}

/** What a term multiplies: a memory, an input, nothing for a bias. */
export function multiplied(reading: Reading, term: Term): Target | null {
  if (!reading.doc.computed) return null;
  if (term.kind === "input") return inputAt(reading, term.source.index);
  if (term.kind === "peephole") return targetOf(reading, term.label.split(" ")[0]);
  const { cell } = reading.doc;
  if (term.kind === "bias" || madeInside(cell, cell.gates[Math.floor(term.source.row / reading.layer.hidden)])) return null;
  const read = source(cell, reading.layer, term.source.column);
  return read && stateAt(reading, read.state, read.unit);
}

/** Whether an edit that is on stands at a target; one at every step or for every unit stands at each of them. */
export function edited(edits: Edit[], target: Target): boolean {
  const { value: _, on: __, ...wanted } = target.edit(0);
  const fits = (edit: Record<string, unknown>, key: string, value: unknown): boolean =>
    edit[key] === value || ((key === "time" || key === "unit") && edit[key] === null);
  return edits.some((edit) => edit.on && Object.entries(wanted).every(([key, value]) => fits(edit, key, value)));
}
