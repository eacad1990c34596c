/** The map of one site on the page: its label and legend, its canvas, and over it the cursor, which moves without a redraw. */

import type { CellDoc } from "../document/schema";
import { make, write } from "../dom/elements";
import type { Values } from "../model/types";
import { columnsOf, errorAt, valueAt } from "../model/values";
import { brief, count } from "../text/format";
import { type Figure, showFigures } from "./cell_labels";
import { gateOf, type Scheme } from "./colours";
import { paint, placeOf, stepAt, type Window } from "./heatmap";

export interface Cell {
  time: number;
  unit: number;
}

export interface MapEvents {
  hover(map: SiteMap, cell: Cell | null, pointer: { x: number; y: number } | null): void;
  choose(cell: Cell): void;
  open(cell: Cell): void;
}

/** What is drawn. order: units from top to bottom; marked: how many of the first of them are set apart. */
export interface Picture {
  values: Values;
  scheme: Scheme;
  order: number[];
  marked: number;
  shown: Window;
}

const ROW = 14; // pixels of one unit, while there are few

const TALL = 88;

const LARGE = 4;

export class SiteMap {
  readonly element = make("div", { class: "map-row" });
  readonly box = make("div", { class: "map-box", role: "application", tabindex: 0 });
  readonly canvas = make("canvas", { role: "img" });
  private readonly cursorTime = make("div", { class: "cursor time" });
  private readonly cursorUnit = make("div", { class: "cursor unit" });
  private readonly spanBand = make("div", { class: "span-band" });
  private readonly markLine = make("div", { class: "mark-line" });
  private readonly numbers = make("div", { class: "figures", "aria-hidden": "true" });
  private readonly low = make("span");
  private readonly high = make("span");
  private readonly bar = make("span", { class: "legend-bar" });
  private readonly note = make("span", { class: "map-note" });
  private readonly swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  private readonly enlarge: HTMLButtonElement;
  private picture: Picture | null = null;
  private columns: number[] = [];
  private units: number[] = [];
  private rowOf = new Map<number, number>();
  private dirty = true;
  private seen = false;
  private large = false;

  constructor(
    readonly site: string,
    readonly label: string,
    cell: CellDoc,
    private readonly events: MapEvents,
  ) {
    this.enlarge = make("button", { class: "map-enlarge", type: "button", "aria-pressed": "false", title: "taller" }, "↕");
    this.enlarge.setAttribute("aria-label", `${label}: taller map`);
    this.enlarge.addEventListener("click", () => this.toggle());
    const legend = make("div", { class: "legend", "aria-hidden": "true" }, this.low, this.bar, this.high);
    const name = make("div", { class: "map-name" }, this.swatch, make("b", {}, site), ` ${label === site ? "" : label}`);
    const title = make("div", { class: "map-label" }, make("div", { class: "map-head" }, name, this.enlarge), legend, this.note);
    if (!gateOf(cell, site)) this.swatch.classList.add("memory");
    this.box.append(this.canvas, this.numbers, this.spanBand, this.markLine, this.cursorUnit, this.cursorTime);
    this.element.append(title, this.box);
    this.element.dataset["panel"] = `${label} map`;
    this.element.dataset["site"] = site;
    this.box.setAttribute("aria-label", `${label} map. Arrow keys move the cell, Enter opens the unit.`);
    this.listen();
  }

  /** What to draw from now on; drawn when it is in sight. */
  show(picture: Picture): void {
    this.picture = picture;
    const found = columnsOf(picture.values, picture.order);
    [this.columns, this.units] = [found.columns, found.units];
    this.rowOf = new Map(this.units.map((unit, row) => [unit, row]));
    const { scheme, shown } = picture;
    const size = `${count(found.units.length, "unit")} by ${count(shown.to - shown.from, "step")}`;
    this.canvas.setAttribute("aria-label", `${this.label}: ${size}, from ${brief(scheme.low)} to ${brief(scheme.high)}`);
    write(this.note, scheme.beyond === null ? "" : `some reach ±${brief(scheme.beyond)}`);
    write(this.low, brief(scheme.low));
    write(this.high, brief(scheme.high));
    this.bar.style.background = `linear-gradient(to right, ${scheme.colours.join(", ")})`;
    this.swatch.style.background = this.swatch.classList.contains("memory")
      ? `linear-gradient(135deg, ${scheme.colours[0]} 50%, ${scheme.swatch} 50%)`
      : scheme.swatch;
    this.box.style.height = `${this.height()}px`;
    this.markLine.hidden = !picture.marked || picture.marked >= this.units.length;
    this.markLine.style.top = `${(100 * picture.marked) / Math.max(1, this.units.length)}%`;
    this.stale();
  }

  /** The size has changed, or the values: draw again. */
  stale(): void {
    this.dirty = true;
    if (this.seen) this.draw();
  }

  inSight(seen: boolean): void {
    this.seen = seen;
    if (seen && this.dirty) this.draw();
  }

  private draw(): void {
    const { picture } = this;
    const { width, height } = this.box.getBoundingClientRect();
    if (!picture || width < 2) return;
    this.dirty = false;
    const sharp = Math.min(2, devicePixelRatio || 1);
    const size = { width: Math.round(width * sharp), height: Math.round(height * sharp) };
    paint(this.canvas, picture.values, this.columns, picture.shown, picture.scheme, size);
    const steps = picture.shown.to - picture.shown.from;
    showFigures(this.numbers, { columns: steps, rows: this.units.length }, { width, height }, picture.scheme, () => this.figures(picture));
    this.canvas.dataset["drawn"] = "yes";
  }

  private figures({ values, shown }: Picture): Figure[] {
    const steps = Array.from({ length: shown.to - shown.from }, (_, column) => column);
    return steps.flatMap((column) =>
      this.units.map((unit, row) => ({ column, row, value: valueAt(values, shown.from + column, unit), error: errorAt(values, unit) })),
    );
  }

  /** What a dot of the map stands for, where that is more than one value. */
  get grain(): string {
    if (!this.picture || this.canvas.width < 2) return "";
    const { values, shown } = this.picture;
    const steps = Math.max(values.every, Math.ceil((shown.to - shown.from) / this.canvas.width));
    const units = Math.ceil(this.units.length / this.canvas.height);
    const parts = [steps > 1 ? `${steps} steps` : "", units > 1 ? `${units} units` : ""].filter(Boolean);
    return parts.length ? `each dot is the mean of ${parts.join(" and ")}` : "";
  }

  /** Whether it is drawn or not yet in sight: draw it now, for a picture of the page. */
  finish(): void {
    if (this.dirty) this.draw();
  }

  private height(): number {
    const base = Math.max(2 * ROW, Math.min(TALL, ROW * this.units.length));
    return this.large ? Math.max(base * 2, Math.min(TALL * LARGE, ROW * this.units.length)) : base;
  }

  private toggle(): void {
    this.large = !this.large;
    this.enlarge.setAttribute("aria-pressed", String(this.large));
    this.box.style.height = `${this.height()}px`;
    this.stale();
  }

  /** Moves the cursor. */
  cursor(time: number, unit: number): void {
    if (!this.picture) return;
    const { left, width } = placeOf(time, this.picture.shown);
    this.cursorTime.hidden = left < 0 || left >= 1;
    this.cursorTime.style.left = `${left * 100}%`;
    this.cursorTime.style.width = `max(2px, ${width * 100}%)`;
    const row = this.rowOf.get(unit);
    this.cursorUnit.hidden = row === undefined;
    if (row === undefined) return;
    this.cursorUnit.style.top = `${(100 * row) / this.units.length}%`;
    this.cursorUnit.style.height = `max(2px, ${100 / this.units.length}%)`;
  }

  span(span: [number, number] | null): void {
    this.spanBand.hidden = !span || !this.picture;
    if (!span || !this.picture) return;
    const [first, last] = [placeOf(span[0], this.picture.shown), placeOf(span[1], this.picture.shown)];
    const left = Math.max(0, first.left);
    this.spanBand.style.left = `${left * 100}%`;
    this.spanBand.style.width = `${Math.max(0, Math.min(1, last.left + last.width) - left) * 100}%`;
  }

  /** The unit that many rows further down. */
  neighbour(unit: number, rows: number): number {
    const at = (this.rowOf.get(unit) ?? 0) + rows;
    return this.units[Math.max(0, Math.min(this.units.length - 1, at))] ?? unit;
  }

  ends(): [number, number] {
    return [this.units[0] ?? 0, this.units[this.units.length - 1] ?? 0];
  }

  get every(): number {
    return this.picture?.values.every ?? 1;
  }

  private cellUnder(event: MouseEvent): Cell | null {
    if (!this.picture || !this.units.length) return null;
    const { left, top, width, height } = this.box.getBoundingClientRect();
    const row = Math.floor(((event.clientY - top) / height) * this.units.length);
    const unit = this.units[Math.max(0, Math.min(this.units.length - 1, row))];
    return { time: stepAt((event.clientX - left) / width, this.picture.shown), unit };
  }

  private listen(): void {
    const { box, events } = this;
    box.addEventListener("pointermove", (event) => events.hover(this, this.cellUnder(event), { x: event.clientX, y: event.clientY }));
    box.addEventListener("pointerleave", () => events.hover(this, null, null));
    box.addEventListener("click", (event) => {
      const cell = this.cellUnder(event);
      if (cell) events.choose(cell);
    });
    box.addEventListener("dblclick", (event) => {
      const cell = this.cellUnder(event);
      if (cell) events.open(cell);
    });
  }
}
