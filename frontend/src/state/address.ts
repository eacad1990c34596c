import type { Doc } from "../document/schema";
import type { Sort } from "../model/types";
import { editsOf, editWords, unword, whole, word } from "./edit_words";
import { findingOf, findingWords, marksOf, markWords } from "./marks";
import { fromLink, toLink } from "./own";
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
 *  "off~" before it: switched off. What makes no sense is left out, and named; numbers out of range are brought into it.
 *  marks and find: see marks.ts.
 */

const VIEWS: ViewName[] = ["tour", "unit", "layer", "ledger", "training", "text", "compare", "play"];

const SORTS: Sort[] = ["number", "half-life", "saturation", "activity", "similarity"];

const LESSONS: Lesson[] = ["class", "check"];

const THEMES: State["theme"][] = ["auto", "light", "dark"];

export const STAGES = 10;

export const HOTTEST = 2; // as a temperature

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
    input: false,
    own: null,
    temperature: 1,
    seed: 0,
    theme: "auto",
    sides: "",
    marks: [],
    finding: null,
    note: "",
    play: "",
  };
}

/** The step at which a view stands if none is said: the Ledger at the last, where it holds most. */
function usualTime(doc: Doc, view: ViewName, item: number): number {
  return view === "ledger" ? doc.items[item].steps - 1 : 0;
}

/** The state as a fragment, without "#". */
export function fragmentOf(doc: Doc, shown: State): string {
  const state = toLink(doc, shown);
  const first = start(doc);
  const parts: string[] = [`view=${state.view}`, ...(state.lesson ? [state.lesson] : [])];
  const put = (name: string, value: unknown, usual: unknown): void => {
    if (value !== usual) parts.push(`${name}=${word(String(value))}`);
  };
  put("own", state.own ?? "", "");
  put("item", state.item, first.item);
  put("place", state.place, first.place);
  put("unit", state.unit, first.unit);
  put("time", state.time, usualTime(doc, state.view, shown.item));
  put("node", state.node ?? "", "");
  put("stage", state.stage, first.stage);
  put("snapshot", state.snapshot ?? "", "");
  put("sort", state.sort, first.sort);
  put("span", state.span ? state.span.join("~") : "", "");
  put("table", state.table ? 1 : 0, 0);
  put("input", state.input ? 1 : 0, 0);
  put("temperature", state.temperature, first.temperature);
  put("seed", state.seed, first.seed);
  put("compare", state.compare ? 1 : 0, 1);
  put("theme", state.theme, first.theme);
  put("sides", state.sides, first.sides);
  put("play", state.play, first.play);
  if (state.marks.length) parts.push(`marks=${markWords(state.marks)}`);
  if (state.finding) parts.push(`find=${findingWords(state.finding)}`);
  if (state.edits.length) parts.push(`edits=${state.edits.map(editWords).join(",")}`);
  return parts.join("&");
}

/** The state in a fragment, with or without "#". Never throws. */
export function stateOf(brought: Doc, fragment: string): State {
  const given = new Map<string, string>();
  const bare: string[] = [];
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at < 0) bare.push(part);
    if (at > 0) given.set(part.slice(0, at), part.slice(at + 1));
  }
  const text = (name: string): string | null => (given.has(name) ? unword(given.get(name)!) : null);
  const { doc, own, placed } = fromLink(brought, text("own"));
  const first = start(doc);
  const index = (name: string, count: number): number => whole(text(name), count) ?? 0;
  const item = index("item", doc.items.length);
  const place = doc.layers.find((layer) => layer.place === text("place")) ?? doc.layers[0];
  const { steps } = doc.items[item];
  const views = VIEWS.filter((view) => (view !== "training" || doc.training) && (view !== "play" || doc.play));
  const { marks, whole: marked } = marksOf(doc, given.get("marks") ?? "");
  const finding = given.has("find") ? findingOf(given.get("find")!) : null;
  const edits = editsOf(doc, given.get("edits") ?? "");
  const damaged = [
    ...[...given.keys()].filter((name) => !NAMES.includes(name)),
    ...(marked ? [] : ["marks"]),
    ...(given.has("find") && !finding ? ["find"] : []),
    ...(given.get("edits") && edits.length < given.get("edits")!.split(",").length ? ["edits"] : []),
  ];
  const view = oneOf(views, text("view")) ?? views.find((one) => bare.includes(one)) ?? first.view;
  return placed({
    ...first,
    view,
    own,
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
    input: text("input") === "1",
    temperature: within(text("temperature"), 0, HOTTEST) ?? first.temperature,
    seed: whole(text("seed"), 2 ** 31) ?? first.seed,
    compare: text("compare") !== "0",
    theme: oneOf(THEMES, text("theme")) ?? first.theme,
    sides: text("sides") ?? "",
    play: doc.play ? (text("play") ?? "") : "",
    marks,
    finding,
    note: damaged.length ? `Not all of the link could be read; left out: ${damaged.slice(0, 4).map(shortened).join(", ")}.` : "",
    edits,
  });
}

const NAMES = [
  ...["view", "own", "item", "place", "unit", "time", "node", "stage", "snapshot", "sort", "span", "table", "input", "temperature"],
  ...["seed", "compare", "theme", "sides", "play", "marks", "find", "edits"],
];

const shortened = (name: string): string => (name.length > 20 ? `${name.slice(0, 20)}…` : name);

function within(text: string | null, low: number, high: number): number | null {
  const value = text ? Number(text) : NaN;
  return Number.isFinite(value) ? Math.max(low, Math.min(high, value)) : null;
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
