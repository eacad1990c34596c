/** The time axis over the maps: its ticks, and the brush that marks a span of steps. */

import { make, makeSvg } from "../dom/elements";
import { count } from "../text/format";
import { placeOf, stepAt, type Window } from "./heatmap";
import { ticks } from "./scale";

export interface AxisEvents {
  choose(time: number): void;
  brush(span: [number, number] | null): void;
  brushing(span: [number, number]): void; // while the pointer is down
}

export class Axis {
  readonly element = make("div", { class: "map-row axis-row" });
  private readonly box = make("div", {
    class: "axis",
    role: "slider",
    tabindex: 0,
    "aria-label": "Span of steps. Shift with the arrow keys marks a span, Escape clears it.",
  });
  private readonly labels = make("div", { class: "axis-labels", "aria-hidden": "true" });
  private readonly band = make("div", { class: "axis-span" });
  private readonly pointer = makeSvg("svg", { class: "axis-cursor", viewBox: "0 0 10 6" }, makeSvg("path", { d: "M0 0H10L5 6Z" }));
  private shown: Window = { from: 0, to: 1 };
  private time = 0;
  private span: [number, number] | null = null;

  constructor(private readonly events: AxisEvents) {
    this.box.append(this.band, this.labels, this.pointer);
    this.element.append(make("div", { class: "map-label axis-name" }, "step ", make("small", {}, "drag to mark a span")), this.box);
    this.drag();
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  show(shown: Window): void {
    this.shown = shown;
    const room = this.box.clientWidth || 600;
    const steps = shown.to - shown.from;
    const wanted = Math.max(1, Math.min(10, Math.floor(room / 56), steps));
    const places = [...new Set(ticks(shown.from, shown.to - 1, wanted).map(Math.round))].filter(
      (one) => one >= shown.from && one < shown.to,
    );
    this.labels.replaceChildren(
      ...places.map((step) => {
        const { left, width } = placeOf(step, shown);
        const mark = make("span", {}, String(step));
        mark.style.left = `${100 * (left + width / 2)}%`;
        return mark;
      }),
    );
  }

  cursor(time: number): void {
    this.time = time;
    const { left, width } = placeOf(time, this.shown);
    this.pointer.toggleAttribute("hidden", left < 0 || left >= 1);
    this.pointer.style.left = `${100 * (left + width / 2)}%`;
    this.box.setAttribute("aria-valuemin", "0");
    this.box.setAttribute("aria-valuemax", String(this.shown.to - 1));
    this.box.setAttribute("aria-valuenow", String(time));
    const span = this.span ? `, span ${this.span[0]} to ${this.span[1]}` : ", no span";
    this.box.setAttribute("aria-valuetext", `step ${time}${span}`);
  }

  mark(span: [number, number] | null): void {
    this.span = span;
    this.band.hidden = !span;
    if (!span) return;
    const left = Math.max(0, placeOf(span[0], this.shown).left);
    const last = placeOf(span[1], this.shown);
    this.band.style.left = `${100 * left}%`;
    this.band.style.width = `${100 * Math.max(0, Math.min(1, last.left + last.width) - left)}%`;
    this.band.title = count(span[1] - span[0] + 1, "step");
  }

  private stepUnder(event: PointerEvent): number {
    const { left, width } = this.box.getBoundingClientRect();
    return stepAt((event.clientX - left) / width, this.shown);
  }

  private drag(): void {
    let start: { step: number; x: number } | null = null;
    const spanTo = (event: PointerEvent): [number, number] => {
      const here = this.stepUnder(event);
      const first = start?.step ?? here;
      return [Math.min(first, here), Math.max(first, here)];
    };
    const moved = (event: PointerEvent): boolean => start !== null && Math.abs(event.clientX - start.x) > 4;
    this.box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = { step: this.stepUnder(event), x: event.clientX };
      this.box.setPointerCapture(event.pointerId);
    });
    this.box.addEventListener("pointermove", (event) => {
      if (!moved(event)) return;
      this.mark(spanTo(event));
      if (this.span) this.events.brushing(this.span);
    });
    this.box.addEventListener("pointerup", (event) => {
      if (!start) return;
      if (moved(event)) this.events.brush(spanTo(event));
      else this.events.choose(start.step);
      start = null;
    });
    this.box.addEventListener("pointercancel", () => {
      start = null;
    });
  }

  /** Shift with an arrow marks from the cursor on, or moves that end of the span which the cursor is at. */
  private key(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.span) {
      event.stopPropagation();
      this.events.brush(null);
      return;
    }
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const other = this.span?.includes(this.time) ? (this.span[0] === this.time ? this.span[1] : this.span[0]) : this.time;
    const here = Math.max(this.shown.from, Math.min(this.shown.to - 1, this.time + step));
    this.mark([Math.min(other, here), Math.max(other, here)]); // at once: the next key may come before the next frame
    this.cursor(here);
    this.events.brush(this.span);
    this.events.choose(here);
  }
}
