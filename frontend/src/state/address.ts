import type { Doc } from "../document/schema";
import { block, isWired, source } from "../model/layout";
import type { Edit, Sort } from "../model/types";
import type { Lesson, State, ViewName } from "./types";

/** The state in the page's address: "#view=unit&place=l0&unit=3&time=5&edits=l0.f~5~3~0". Only what differs from the start is written.
 *
 *  A bare word is a view, or what the tour is for: "#tour&class", "#tour&check".
 *
 *  An edit is a few words joined by "~", edits are joined by ",":
 *    l0.f~5~3~0          a site, its time and unit ("all": everywhere), the value
 *    x~0~2~1~0.5         an input: item, time, feature, value
 *    w~l0~input~3~0~0.5  a weight: place, part, row, column, value
 *    s~0~l0~c~3~1        a first state: item, place, state, unit, value
 *  "off~" before it: switched off. What makes no sense is left out; numbers out of range are brought into it.
 */

const VIEWS: ViewName[] = ["tour", "unit", "layer", "ledger", "training", "play"];

const SORTS: Sort[] = ["number", "half-life", "saturation", "activity", "similarity"];

const LESSONS: Lesson[] = ["class", "check"];

const THEMES: State["theme"][] = ["auto", "light", "dark"];

export const STAGES = 10;

const MOST_EDITS = 200;

/** What is shown first. */
export function start(doc: Doc): State {
  return {
    view: "unit",
    item: 0,
    place: doc.layers[0].place,
    unit: 0,
    time: 0,
    node: null,
    edits: [],
    compare: true,
    playing: false,
    stage: 0,
    lesson: "",
    snapshot: null,
    sort: "half-life",
    span: null,
    table: false,
    theme: "auto",
    play: "",
  };
}

/** The step at which a view stands if none is said: the Ledger at the last, where it holds most. */
function usualTime(doc: Doc, view: ViewName, item: number): number {
  return view === "ledger" ? doc.items[item].steps - 1 : 0;
}

/** The state as a fragment, without "#". */
export function fragmentOf(doc: Doc, state: State): string {
  const first = start(doc);
  const parts: string[] = [`view=${state.view}`, ...(state.lesson ? [state.lesson] : [])];
  const put = (name: string, value: unknown, usual: unknown): void => {
    if (value !== usual) parts.push(`${name}=${word(String(value))}`);
  };
  put("item", state.item, first.item);
  put("place", state.place, first.place);
  put("unit", state.unit, first.unit);
  put("time", state.time, usualTime(doc, state.view, state.item));
  put("node", state.node ?? "", "");
  put("stage", state.stage, first.stage);
  put("snapshot", state.snapshot ?? "", "");
  put("sort", state.sort, first.sort);
  put("span", state.span ? state.span.join("~") : "", "");
  put("table", state.table ? 1 : 0, 0);
  put("compare", state.compare ? 1 : 0, 1);
  put("theme", state.theme, first.theme);
  put("play", state.play, first.play);
  if (state.edits.length) parts.push(`edits=${state.edits.map(editWords).join(",")}`);
  return parts.join("&");
}

/** The state in a fragment, with or without "#". Never throws. */
export function stateOf(doc: Doc, fragment: string): State {
  const given = new Map<string, string>();
  const bare: string[] = [];
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at < 0) bare.push(part);
    if (at > 0) given.set(part.slice(0, at), part.slice(at + 1));
  }
  const first = start(doc);
  const text = (name: string): string | null => (given.has(name) ? unword(given.get(name)!) : null);
  const index = (name: string, count: number): number => whole(text(name), count) ?? 0;
  const item = index("item", doc.items.length);
  const place = doc.layers.find((layer) => layer.place === text("place")) ?? doc.layers[0];
  const { steps } = doc.items[item];
  const views = VIEWS.filter((view) => (view !== "training" || doc.training) && (view !== "play" || doc.play));
  const view = oneOf(views, text("view")) ?? views.find((one) => bare.includes(one)) ?? first.view;
  return {
    ...first,
    view,
    item,
    place: place.place,
    unit: index("unit", place.hidden),
    time: whole(text("time"), steps) ?? usualTime(doc, view, item),
    node: nodeOf(doc, text("node")),
    stage: index("stage", STAGES),
    lesson: LESSONS.find((one) => bare.includes(one)) ?? "",
    snapshot: doc.training ? whole(text("snapshot"), doc.training.epochs.length) : null,
    sort: oneOf(SORTS, text("sort")) ?? first.sort,
    span: spanOf(text("span"), steps),
    table: text("table") === "1",
    compare: text("compare") !== "0",
    theme: oneOf(THEMES, text("theme")) ?? first.theme,
    play: doc.play ? (text("play") ?? "") : "",
    edits: editsOf(doc, given.get("edits") ?? ""),
  };
}

/** A whole number within 0 … count − 1; null if it is no number. */
function whole(text: string | null, count: number): number | null {
  const value = Number(text);
  if (text === null || text === "" || Number.isNaN(value)) return null;
  return Math.max(0, Math.min(count - 1, Math.round(value)));
}

function oneOf<Choice extends string>(choices: Choice[], text: string | null): Choice | null {
  return choices.find((choice) => choice === text) ?? null;
}

function nodeOf(doc: Doc, node: string | null): string | null {
  const { sites, gates, state } = doc.cell;
  const known = ["input", "m", ...sites, ...gates.flatMap((gate) => [`x.${gate}`, `u.${gate}`]), ...state.map((one) => `s.${one}`)];
  return node !== null && known.includes(node) ? node : null;
}

function spanOf(text: string | null, steps: number): [number, number] | null {
  const ends = (text ?? "").split("~").map((end) => whole(end, steps));
  if (ends.length !== 2 || ends[0] === null || ends[1] === null) return null;
  return [Math.min(ends[0], ends[1]), Math.max(ends[0], ends[1])];
}

function editWords(edit: Edit): string {
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

function editsOf(doc: Doc, text: string): Edit[] {
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
function word(text: string): string {
  return encodeURIComponent(text).replace(/~/g, "%7E");
}

function unword(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
