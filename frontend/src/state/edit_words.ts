/** Edits and single words as the page's address writes them (address.ts says how). */

import type { Doc } from "../document/schema";
import { block, isWired, source } from "../model/layout";
import type { Edit } from "../model/types";

const MOST_EDITS = 200;

/** A whole number within 0 … count − 1; null if it is no number. */
export function whole(text: string | null, count: number): number | null {
  const value = Number(text);
  if (text === null || text === "" || Number.isNaN(value)) return null;
  return Math.max(0, Math.min(count - 1, Math.round(value)));
}

export function editWords(edit: Edit): string {
  const words = (): (string | number)[] => {
    switch (edit.kind) {
      case "site":
        return [edit.place ? `${edit.place}.${edit.site}` : edit.site, edit.time ?? "all", edit.unit ?? "all", edit.value];
      case "input":
        return ["x", edit.item, edit.time, edit.feature, edit.value];
      case "weight":
        return ["w", edit.place, edit.part, edit.row, edit.column, edit.value];
      case "initial":
        return ["s", edit.item, edit.place, edit.state, edit.unit, edit.value];
    }
  };
  return [...(edit.on ? [] : ["off"]), ...words()].map((one) => word(String(one))).join("~");
}

export function editsOf(doc: Doc, text: string): Edit[] {
  if (!doc.computed) return [];
  const found = text.split(",", MOST_EDITS).map((one) => editOf(doc, one.split("~").map(unword)));
  return found.filter((edit) => edit !== null);
}

function editOf(doc: Doc, words: string[]): Edit | null {
  const on = words[0] !== "off";
  const [first, ...rest] = on ? words : words.slice(1);
  const value = Number(rest.pop() || "x");
  if (!Number.isFinite(value) || first === undefined) return null;
  if (first === "x" && rest.length === 3) return inputOf(doc, on, rest, value);
  if (first === "w" && rest.length === 4) return weightOf(doc, on, rest, value);
  if (first === "s" && rest.length === 4) return initialOf(doc, on, rest, value);
  return rest.length === 2 ? siteOf(doc, on, first, rest, value) : null;
}

function siteOf(doc: Doc, on: boolean, name: string, [when, which]: string[], value: number): Edit | null {
  const dot = name.lastIndexOf(".");
  const [place, site] = [name.slice(0, Math.max(dot, 0)), name.slice(dot + 1)];
  const layer = doc.layers.find((one) => one.place === place);
  if (!layer || !(doc.cell.sites.includes(site) || (site === "m" && layer.weights?.projection))) return null;
  const longest = Math.max(...doc.items.map((item) => item.steps));
  const [time, unit] = [whole(when, longest), whole(which, site === doc.cell.state[0] ? layer.output : layer.hidden)];
  if ((time === null && when !== "all") || (unit === null && which !== "all")) return null;
  return { on, kind: "site", place, site, value, time, unit };
}

function inputOf(doc: Doc, on: boolean, [which, when, what]: string[], value: number): Edit | null {
  const item = whole(which, doc.items.length);
  if (item === null) return null;
  const time = whole(when, doc.items[item].steps);
  const feature = whole(what, doc.items[item].input.shape[1] ?? 1);
  return time === null || feature === null ? null : { on, kind: "input", item, time, feature, value };
}

function weightOf(doc: Doc, on: boolean, [place, part, across, along]: string[], value: number): Edit | null {
  const layer = doc.layers.find((one) => one.place === place);
  const weights = layer?.weights;
  if (!weights) return null;
  const vectors: Record<string, unknown> = weights.vectors;
  const known = ["input", "recurrent", "bias_input", "bias_recurrent", "projection"].includes(part);
  const packed = known ? weights[part as "input"] : Object.hasOwn(vectors, part) ? weights.vectors[part] : null;
  if (!packed) return null;
  const row = whole(across, packed.shape[0]);
  const column = whole(along, packed.shape[1] ?? 1);
  if (row === null || column === null) return null;
  const read = part === "recurrent" ? source(doc.cell, layer, column) : null;
  if (read && !isWired(doc.cell, doc.cell.gates[Math.floor(row / layer.hidden)], read.state, read.unit)) return null;
  return { on, kind: "weight", place, part, row: block(doc.cell, layer, part, row).first, column, value };
}

function initialOf(doc: Doc, on: boolean, [which, place, state, one]: string[], value: number): Edit | null {
  const item = whole(which, doc.items.length);
  const layer = doc.layers.find((found) => found.place === place);
  if (item === null || !layer || !doc.cell.state.includes(state)) return null;
  const unit = whole(one, state === doc.cell.state[0] ? layer.output : layer.hidden);
  return unit === null ? null : { on, kind: "initial", item, place, state, unit, value };
}

/** A word without the signs that join words. */
export function word(text: string): string {
  return encodeURIComponent(text).replace(/~/g, "%7E");
}

export function unword(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
