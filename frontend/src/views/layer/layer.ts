/** The Layer view: maps of every gate and memory, units x time, over one time axis. */

import "../../charts/maps.css";
import "./layer.css";
import "./side.css";
import { Axis } from "../../charts/axis";
import { largest, lookOf, paletteOf, schemeOf } from "../../charts/colours";
import type { Window } from "../../charts/heatmap";
import { makeOverview } from "../../charts/overview";
import { type Cell, SiteMap } from "../../charts/site_map";
import { Passage, Stream } from "../../charts/streams";
import { make, write } from "../../dom/elements";
import { PICTURE } from "../../dom/picture";
import type { View } from "../../dom/view";
import { outputName } from "../../model/answer";
import { type Switch, sorted, switches } from "../../model/ordering";
import type { Run, Sort } from "../../model/types";
import { sayAt } from "../../model/values";
import { Bar } from "../../panels/bar";
import { makeOutputs } from "../../panels/outputs";
import type { State, Store } from "../../state/types";
import { feature } from "../../text/labels";
import { hiddenOf, materialOf, sitesOf } from "./material";
import { moved } from "./moves";
import { makeSensitivity } from "./sensitivity";
import { MARKED, Switching } from "./switching";
import { measureText, showTip } from "./tip";

class LayerView implements View {
  readonly element = make("div", { class: "layer-view" });
  private readonly maps: SiteMap[];
  private readonly sites: string[];
  private readonly axis: Axis;
  private readonly input = new Stream("input");
  private readonly output = new Stream("output");
  private readonly passage = new Passage();
  private readonly stack = make("div", { class: "map-stack" });
  private readonly tip = make("div", { class: "map-tip", role: "status", hidden: true });
  private readonly readout = make("dl", { class: "readout-list" });
  private readonly readoutTitle = make("h3");
  private readonly measured = make("p", { class: "small" });
  private readonly figures = new Map<string, HTMLElement>();
  private readonly bar: Bar;
  private readonly switching: Switching;
  private readonly sensitivity: View;
  private readonly outputs: View;
  private readonly overview: View | null;
  private readonly sight: IntersectionObserver;
  private readonly sizes: ResizeObserver;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly redraw = (): void => {
    requestAnimationFrame(() => this.update()); // after the shell has changed its look
  };
  private readonly finish = (): void => this.maps.forEach((map) => map.finish());
  private zoom: Window | null = null;
  private drawn: unknown[] = [];
  private order: number[] = [];
  private measure = new Map<number, number>();
  private width = 0;
  private marked = 0;
  private unsorted: Sort | null = null;

  constructor(private readonly store: Store) {
    const { cell, layers } = store.model.doc;
    this.axis = new Axis({
      choose: (time) => store.set({ time, playing: false }),
      brush: (span) => store.set({ span }),
      brushing: (span) => this.maps.forEach((map) => map.span(span)),
    });
    const events = {
      hover: (map: SiteMap, at: Cell | null, pointer: { x: number; y: number } | null) => this.hover(map, at, pointer),
      choose: ({ time, unit }: Cell) => store.set({ time, unit, playing: false }),
      open: ({ time, unit }: Cell) => store.set({ time, unit, view: "unit", playing: false }),
    };
    this.sites = sitesOf(store);
    this.maps = this.sites.map((site) => new SiteMap(site, cell.labels[site] ?? site, cell, events));
    for (const map of this.maps) map.box.addEventListener("keydown", (event) => this.key(map, event));
    this.bar = new Bar(store, () => this.toggleZoom());
    this.switching = new Switching(store);
    this.sensitivity = makeSensitivity(store);
    this.outputs = makeOutputs(store);
    this.overview = layers.length > 1 ? makeOverview(store) : null;
    this.build();
    this.sight = new IntersectionObserver(
      (seen) => seen.forEach((one) => this.maps.find(({ box }) => box === one.target)?.inSight(one.isIntersecting)),
      {
        rootMargin: "100px",
      },
    );
    for (const { box } of this.maps) this.sight.observe(box);
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.stack);
    this.dark.addEventListener("change", this.redraw);
    this.element.addEventListener(PICTURE, this.finish);
    window.addEventListener("beforeprint", this.finish);
  }

  private build(): void {
    const { doc } = this.store.model;
    const rows = [this.input.element, this.axis.element, ...this.maps.map(({ element }) => element)];
    if (doc.head) rows.push(this.output.element);
    this.stack.append(...rows);
    for (const site of this.sites) {
      const value = make("dd");
      const label = doc.cell.labels[site] ?? "";
      this.figures.set(site, value);
      this.readout.append(make("div", {}, make("dt", {}, make("b", {}, site), ` ${label}`), value));
    }
    const readout = make("section", { class: "panel readout" }, make("header", {}, this.readoutTitle), this.readout, this.measured);
    readout.dataset["panel"] = "values at the cursor";
    const side = make(
      "aside",
      { class: "layer-side", "aria-label": "about the chosen unit" },
      readout,
      this.outputs.element,
      this.switching.element,
      this.sensitivity.element,
    );
    if (this.overview) side.prepend(this.overview.element);
    const main = make("section", { class: "panel layer-main" }, this.bar.head, this.bar.element, this.passage.element, this.stack);
    main.dataset["panel"] = "layer";
    this.element.append(main, side, this.tip);
  }

  update(): void {
    const { state, model } = this.store;
    const run = this.store.run();
    const steps = run.steps;
    if (this.zoom && this.zoom.to > steps) this.zoom = null;
    const shown = this.zoom ?? { from: 0, to: steps };
    const ordering = [run, state.place, state.sort, state.span?.join()];
    const drawing = [...ordering, run.done, lookOf(this.stack), shown.from, shown.to, this.width];
    if (drawing.some((one, index) => one !== this.drawn[index])) {
      if (ordering.some((one, index) => one !== this.drawn[index])) this.sort(run);
      this.drawn = drawing;
      this.draw(run, shown);
    }
    this.cursor(state, run);
    this.overview?.update();
    this.outputs.update();
    this.sensitivity.update();
    const letters = model.doc.items[state.item]?.characters;
    this.passage.element.hidden = !letters;
    if (letters) this.passage.show(letters, state.time);
  }

  private sort(run: Run): void {
    const { state, model } = this.store;
    const material = materialOf(this.store, run);
    const found = sorted(state.sort, material);
    this.order = found?.units ?? material.units;
    this.measure = found?.measure ?? new Map();
    this.unsorted = found ? null : state.sort;
    const gates = material.shares.length ? material.shares : [{ site: model.doc.cell.state[0] ?? "", values: material.memory }];
    const moved: Switch[] = state.span ? switches(state.span, material.units, gates) : [];
    const first = moved
      .slice(0, MARKED)
      .filter(({ from, to }) => from !== to)
      .map(({ unit }) => unit);
    this.order = [...first, ...this.order.filter((unit) => !first.includes(unit))];
    this.marked = first.length;
    this.switching.show(state.span, moved);
  }

  private draw(run: Run, shown: Window): void {
    const { state, model } = this.store;
    const { cell } = model.doc;
    const palette = paletteOf(this.stack);
    const there = run.places[state.place];
    this.axis.show(shown);
    for (const map of this.maps) {
      const values = there?.sites[map.site];
      map.element.hidden = !values;
      if (!values) continue;
      const own = values.width !== hiddenOf(this.store) && !values.units; // a projected output counts its units by itself
      const order = own ? Array.from({ length: values.width }, (_, unit) => unit) : this.order;
      map.show({ values, scheme: schemeOf(cell, map.site, values, palette), order, marked: own ? 0 : this.marked, shown });
    }
    const item = model.doc.items[state.item];
    const names = Array.from({ length: run.input.width }, (_, index) => feature(model.doc, index));
    const letters = item?.characters ?? null;
    this.input.show(run.input, { names, share: false, letters, shown, palette, most: largest(run.input) });
    this.output.element.classList.toggle("computing", !run.done);
    if (run.done && run.head && model.doc.head) {
      const outputs = Array.from({ length: run.head.width }, (_, index) => outputName(model.doc, index));
      const share = model.doc.head.squash !== "none";
      this.output.show(run.head, { names: outputs, share, letters: null, shown, palette, most: largest(run.head) });
    }
  }

  private cursor(state: State, run: Run): void {
    const { time, unit, span } = state;
    this.axis.mark(span);
    this.axis.cursor(time);
    this.input.cursor(time);
    this.output.cursor(time);
    for (const map of this.maps) {
      map.cursor(time, unit);
      map.span(span);
    }
    this.bar.show(state, run.steps, this.zoom);
    this.bar.explain(this.unsorted, this.maps.find(({ element }) => !element.hidden)?.grain ?? "");
    write(this.readoutTitle, `Unit ${unit}, step ${time}`);
    const sites = run.places[state.place]?.sites ?? {};
    for (const [site, element] of this.figures) write(element, sites[site] ? sayAt(sites[site], time, unit) : "–");
    const measure = this.measure.get(unit);
    write(this.measured, measure === undefined ? "" : measureText(state.sort, measure, !Object.values(sites).some(({ error }) => error)));
  }

  private hover(map: SiteMap, at: Cell | null, pointer: { x: number; y: number } | null): void {
    showTip(this.element, this.tip, this.store, map, at, pointer);
  }

  private key(map: SiteMap, event: KeyboardEvent): void {
    const { state } = this.store;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const patch = moved(map, event, state, this.store.run().steps);
    if (!patch) return;
    event.preventDefault();
    event.stopPropagation();
    this.store.set({ ...patch, playing: false });
  }

  private toggleZoom(): void {
    const { span } = this.store.state;
    this.zoom = this.zoom || !span ? null : { from: span[0], to: span[1] + 1 };
    this.update();
  }

  private resized(): void {
    const { width } = this.stack.getBoundingClientRect();
    if (Math.abs(width - this.width) < 1 || width === 0) return;
    this.width = width;
    this.update();
  }

  destroy(): void {
    this.sight.disconnect();
    this.sizes.disconnect();
    this.dark.removeEventListener("change", this.redraw);
    window.removeEventListener("beforeprint", this.finish);
    this.sensitivity.destroy();
    this.overview?.destroy();
  }
}

export const makeLayer = (store: Store): View => new LayerView(store);
