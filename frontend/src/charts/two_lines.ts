/** Two lines over the steps on one axis, logarithmic or even: A solid, B dashed. */

import { make, makeSvg } from "../dom/elements";
import { brief, figure } from "../text/format";
import { linear, logarithmic, pathOf } from "./scale";

const HEIGHT = 190;
const MARGIN = { top: 12, right: 14, bottom: 28, left: 60 };
const LEAST = 1e-12; // of what is drawn, as a share of the largest

export class TwoLines {
  readonly element = make("div", { class: "two-lines" });
  private readonly watcher = new ResizeObserver(() => this.draw());
  private found: (number[] | null)[] = [];
  private time = 0;

  constructor(
    private readonly what: string,
    private readonly even = false, // the axis; else it is logarithmic
  ) {
    this.watcher.observe(this.element);
  }

  /** found: of A and B a number for each step, not negative on a logarithmic axis; null: it is not known. time: where the cursor stands. */
  update(found: (number[] | null)[], time: number): void {
    [this.found, this.time] = [found, time];
    this.draw();
  }

  private draw(): void {
    const width = Math.round(this.element.clientWidth);
    const there = this.found.filter((one): one is number[] => one !== null);
    const finite = there.flat().filter(Number.isFinite);
    const top = this.even ? finite.reduce((a, b) => Math.max(a, b), -Infinity) : finite.reduce((a, b) => Math.max(a, b), 0);
    if (!width || !this.found.length) return;
    if (!(this.even ? Number.isFinite(top) : top)) {
      this.element.replaceChildren(make("p", { class: "soft" }, "Nothing gets through, or the page cannot compute it."));
      return;
    }
    const steps = Math.max(...there.map(({ length }) => length));
    const x = linear([0, Math.max(1, steps - 1)], [MARGIN.left, width - MARGIN.right]);
    const range = [HEIGHT - MARGIN.bottom, MARGIN.top];
    const shown = (size: number): boolean => (this.even ? Number.isFinite(size) : size > top * LEAST);
    const least = finite.filter(shown).reduce((a, b) => Math.min(a, b), top);
    const y = this.even
      ? linear(least < top ? [least, top] : [top - 1, top + 1], range, 10)
      : logarithmic([Math.min(least, top / 10), top], range);
    const said = this.found.map(
      (one, which) =>
        `${"AB"[which]}: ${one ? `${figure(one[0])} at step 0, ${figure(one[this.time])} at step ${this.time}` : "not known"}`,
    );
    const svg = makeSvg("svg", {
      width,
      height: HEIGHT,
      role: "img",
      "aria-label": `${this.what}${this.even ? "" : ", logarithmic"}. ${said.join("; ")}`,
    });
    for (const [value, name] of this.even ? y.ticks(5).map((one): [number, string] => [one, brief(one)]) : powers(y.domain)) {
      const at = y(value);
      svg.append(makeSvg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      svg.append(makeSvg("text", { class: "tick", x: MARGIN.left - 8, y: at, dy: "0.35em", "text-anchor": "end" }, name));
    }
    for (const tick of x.ticks(Math.max(2, Math.min(10, Math.floor(width / 70)))).filter(Number.isInteger))
      svg.append(makeSvg("text", { class: "tick", x: x(tick), y: HEIGHT - 8, "text-anchor": "middle" }, String(tick)));
    svg.append(makeSvg("line", { class: "now", x1: x(this.time), x2: x(this.time), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }));
    this.found.forEach((one, which) => {
      const path = one && pathOf(one.map((size, time) => (shown(size) ? [x(time), y(size)] : null)));
      if (path) svg.append(makeSvg("path", { class: `line ${"ab"[which]}`, d: path }));
    });
    this.element.replaceChildren(svg);
  }

  destroy(): void {
    this.watcher.disconnect();
  }
}

/** Powers of ten, five or so. */
function powers(domain: number[]): [number, string][] {
  const [low, high] = domain.map((value) => Math.round(Math.log10(value)));
  const found: [number, string][] = [];
  for (let power = high; power >= low; power -= Math.max(1, Math.ceil((high - low) / 5)))
    found.push([10 ** power, `1e${String(power).replace("-", "−")}`]);
  return found;
}
