/** One strip a site, for the chosen unit over time; one cursor through all of them. */

import "./strips.css";
import type { LayerDoc } from "../document/schema";
import { make, makeSvg, write } from "../dom/elements";
import { FEW } from "../model/pooled";
import { inputOf } from "../model/reading";
import type { Run, Values } from "../model/types";
import { holds, sayAt } from "../model/values";
import type { Store } from "../state/types";
import { brief, figure, visible } from "../text/format";
import { label, symbol, tone } from "../text/labels";
import { lookOf } from "./colours";
import { stepAt } from "./heatmap";
import { largestInput, paintInput } from "./input_map";
import { outline, type Series } from "./outline";
import { linear } from "./scale";

export interface Strips {
  element: HTMLElement;
  update(): void;
  destroy(): void;
}

const HEIGHT = 40;

interface Row {
  site: string; // or "input"
  element: HTMLElement;
  figure: HTMLElement;
  note: HTMLElement; // the name of what the figure is of, where that is not the site
  plot: SVGSVGElement;
  canvas: HTMLCanvasElement; // in the plot's place, where there are too many lines
  drawn: string;
}

/** The input, then these sites from top to bottom. `open` gets the one whose name was pressed. */
export function strips(store: Store, sites: string[], open: (node: string) => void): Strips {
  const { doc } = store.model;
  const rows = ["input", ...sites].map((site) => strip(store, site, open));
  const cursor = make("div", { class: "strip-cursor" });
  const letters = make("div", { class: "strip-letters", "aria-hidden": "true" });
  const over = make("div", { class: "strip-over", role: "slider", tabindex: 0, "aria-label": "Step", "aria-valuemin": 0 }, cursor);
  const plots = make("div", { class: "strip-plots" }, ...rows.map((row) => row.element), over);
  const element = make("section", { class: "strips", "aria-label": "over time" }, plots, letters);
  let room = 0; // pixels
  const identities = new WeakMap<object, number>(); // a run that nobody else keeps is let go
  let seen = 0;
  const identity = (one: object): number => {
    if (!identities.has(one)) identities.set(one, ++seen);
    return identities.get(one) ?? 0;
  };

  function choose(event: PointerEvent): void {
    const { left, width } = over.getBoundingClientRect();
    store.set({ time: stepAt((event.clientX - left) / width, { from: 0, to: store.run().steps }) });
  }
  over.addEventListener("pointermove", choose);
  over.addEventListener("pointerdown", choose);
  over.addEventListener("keydown", (event) => {
    const { time } = store.state;
    const last = store.run().steps - 1;
    const moves: Record<string, number> = {
      ArrowLeft: time - 1,
      ArrowRight: time + 1,
      PageUp: time - 10,
      PageDown: time + 10,
      Home: 0,
      End: last,
    };
    const next = moves[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    store.set({ time: Math.max(0, Math.min(last, next)) });
  });

  function update(): void {
    const { state } = store;
    const [run, original] = [store.run(), store.original()];
    const both = state.compare && state.edits.some((edit) => edit.on);
    const width = Math.max(120, Math.round(room || over.clientWidth || 600));
    const look = lookOf(element);
    for (const row of rows) {
      const whose = (one: Run): number => identity((row.site === "input" && of(one, "input")) || one); // the input outlives most edits
      const drawn = [whose(run), both ? whose(original) : "", state.place, state.unit, width, look].join();
      if (row.drawn !== drawn) draw(row, run, both ? original : null, width);
      row.drawn = drawn;
      const [value, name] = said(run, row.site);
      write(row.figure, value);
      write(row.note, name);
    }
    cursor.style.left = `${(100 * (state.time + 0.5)) / run.steps}%`;
    cursor.style.width = `${Math.max(2, Math.min(26, width / run.steps))}px`;
    over.setAttribute("aria-valuemax", String(run.steps - 1));
    over.setAttribute("aria-valuenow", String(state.time));
    over.setAttribute("aria-valuetext", `step ${state.time} of 0 to ${run.steps - 1}`);
    spell(letters, doc.items[state.item].characters, state.time, width);
  }

  const layer = (): LayerDoc => doc.layers.find((one) => one.place === store.state.place) ?? doc.layers[0];

  const of = (run: Run, site: string): Values | null =>
    site === "input" ? inputOf(layer(), run) : (run.places[store.state.place]?.sites[site] ?? null);

  /** The figure beside a strip: of many inputs the largest, with its name; of a few none. */
  function said(run: Run, site: string): [value: string, name: string] {
    const { time, unit } = store.state;
    const values = of(run, site);
    if (!values) return [figure(NaN), ""];
    if (site !== "input") return [holds(values, unit) ? sayAt(values, time, unit) : "–", ""];
    if (values.width > FEW) return largestInput({ doc, layer: layer() }, values, time);
    return [values.width > 1 ? "" : sayAt(values, time, 0), ""];
  }

  function draw(row: Row, run: Run, original: Run | null, width: number): void {
    const range = row.site === "input" ? "free" : (doc.cell.ranges[row.site] ?? "free");
    const index = row.site === "input" ? 0 : store.state.unit;
    const [now, old] = [of(run, row.site), original && of(original, row.site)];
    const many = row.site === "input" && now !== null && now.width > FEW;
    row.element.classList.toggle("many", many);
    if (many) return paintInput(row.canvas, now, width, HEIGHT);
    const series = [now, old].map((values) => (values ? { values, column: column(values, index) } : null));
    const features =
      row.site === "input" && now && now.width > 1 ? Array.from({ length: now.width }, (_, k) => ({ values: now, column: k })) : null;
    paint(row.plot, features ?? [series[0]], features ? null : series[1], range, width);
  }

  const resized = new ResizeObserver(([entry]) => {
    room = entry.contentRect.width;
    update();
  });
  resized.observe(over);
  return { element, update, destroy: () => resized.disconnect() };
}

function column(values: Values, unit: number): number {
  return values.units ? values.units.indexOf(unit) : unit;
}

function strip({ model }: Store, site: string, open: (node: string) => void): Row {
  const { cell } = model.doc;
  const words = site === "input" ? "input" : label(cell, site);
  const number = make("span", { class: "strip-figure" });
  const name = make("button", {
    type: "button",
    class: `strip-name tone-${tone(cell, site)}`,
    title: words,
    "aria-label": `${words}, opens the arithmetic`,
  });
  const note = make("span", { class: "strip-note" });
  name.append(make("span", { class: "strip-letter" }, symbol(site)), number, note);
  name.addEventListener("click", () => open(site));
  const plot = makeSvg("svg", { class: `strip-plot tone-${tone(cell, site)}`, height: HEIGHT, "aria-hidden": "true" });
  const canvas = make("canvas", { "aria-hidden": "true" });
  return { site, element: make("div", { class: "strip" }, name, plot, canvas), figure: number, note, plot, canvas, drawn: "" };
}

/** The lines of one strip, its axis and what is not a number. */
function paint(plot: SVGSVGElement, series: (Series | null)[], old: Series | null, range: string, width: number): void {
  const all = [...series, old].filter((one): one is Series => one !== null);
  const scale = linear(domain(all, range), [HEIGHT - 5, 5], range === "free" ? 5 : 0);
  const [low, high] = scale.domain;
  plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  plot.setAttribute("width", String(width));
  const parts: SVGElement[] = [];
  const signed = plot.classList.contains("tone-memory") ? split(scale(Math.max(low, Math.min(high, 0)))) : null;
  if (signed) parts.push(makeSvg("defs", {}, signed));
  const zero = Math.max(low, Math.min(high, 0));
  for (const at of new Set([low, zero, high]))
    parts.push(makeSvg("line", { class: at === zero ? "zero" : "grid", x1: 0, x2: width, y1: scale(at), y2: scale(at) }));
  if (old) parts.push(makeSvg("path", { class: "old", d: outline(old, width, scale).line }));
  for (const one of series) {
    if (!one) continue;
    const { line, area, gaps, dots } = outline(one, width, scale, zero);
    if (series.length === 1) parts.push(makeSvg("path", { class: "area", d: area, style: signed ? `fill: url(#${signed.id})` : "" }));
    parts.push(makeSvg("path", { class: "now", d: line, style: signed ? `stroke: url(#${signed.id})` : "" }));
    parts.push(
      ...dots.map(([x, y]) => makeSvg("circle", { class: "dot", cx: x, cy: y, r: 2.6, style: signed ? `fill: url(#${signed.id})` : "" })),
    );
    parts.push(...gaps.map(([from, to]) => makeSvg("rect", { class: "gap", x: from, width: to - from, y: 3, height: HEIGHT - 6 })));
  }
  for (const at of [low, high]) parts.push(makeSvg("text", { class: "tick", x: 3, y: scale(at) + (at === low ? -2 : 9) }, brief(at)));
  plot.replaceChildren(...parts);
}

let splits = 0;

/** Teal above 0 and brown below it, as everywhere. */
function split(zero: number): SVGLinearGradientElement {
  const at = String(Math.max(0, Math.min(1, zero / HEIGHT)));
  return makeSvg(
    "linearGradient",
    { id: `signed-${++splits}`, gradientUnits: "userSpaceOnUse", x1: 0, x2: 0, y1: 0, y2: HEIGHT },
    makeSvg("stop", { class: "up", offset: at }),
    makeSvg("stop", { class: "down", offset: at }),
  );
}

function domain(all: Series[], range: string): [number, number] {
  if (range === "share") return [0, 1];
  if (range === "signed") return [-1, 1];
  let [low, high] = [0, 0];
  for (const { values, column: at } of all) {
    for (let index = at; at >= 0 && index < values.data.length; index += values.width) {
      const value = values.data[index];
      if (value < low && value > -Infinity) low = value;
      if (value > high && value < Infinity) high = value;
    }
  }
  return low === high ? [0, 1] : [low, high];
}

/** What stands along the time axis: all of it if there is room, else what stands around the cursor. */
function spell(line: HTMLElement, characters: string[] | null, time: number, width: number): void {
  line.hidden = !characters;
  if (!characters) return;
  const room = Math.floor(width / 11);
  const all = characters.length <= room;
  const from = all ? 0 : Math.max(0, Math.min(characters.length - room, time - Math.floor(room / 2)));
  const shown = characters.slice(from, from + (all ? characters.length : room));
  line.classList.toggle("spread", all);
  line.replaceChildren(...shown.map((one, index) => make("span", { class: from + index === time ? "here" : "" }, visible(one))));
}
