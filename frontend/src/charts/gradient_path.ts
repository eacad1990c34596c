/** How large the gradient is at each step, on a logarithmic axis. */

import { make, makeSvg } from "../dom/elements";
import { figure } from "../text/format";
import { linear, logarithmic, pathOf } from "./scale";

const HEIGHT = 150;

const MARGIN = { top: 10, right: 14, bottom: 28, left: 54 };

const LEAST = 1e-12; // of what is drawn, as a share of the largest: what is less is nothing

export class GradientPath {
  readonly element = make("div", { class: "gradient-path" });
  private readonly watcher = new ResizeObserver(() => this.draw());
  private sizes: number[] = [];

  constructor() {
    this.watcher.observe(this.element);
  }

  /** sizes: of the gradient that arrives at each step. */
  update(sizes: number[]): void {
    this.sizes = sizes;
    this.draw();
  }

  private draw(): void {
    const width = Math.round(this.element.clientWidth);
    const top = Math.max(...this.sizes.filter(Number.isFinite), 0);
    if (!width) return;
    if (!top) {
      this.element.replaceChildren(make("p", { class: "soft" }, "No gradient: nothing is left to learn, or nothing gets through."));
      return;
    }
    const shown = this.sizes.map((size) => Math.max(size, top * LEAST));
    const low = Math.min(...shown, top / 10);
    const x = linear([0, Math.max(1, shown.length - 1)], [MARGIN.left, width - MARGIN.right]);
    const y = logarithmic([low, top], [HEIGHT - MARGIN.bottom, MARGIN.top]);
    const label = `gradient, logarithmic: ${figure(shown[0])} at step 0, ${figure(shown.at(-1)!)} at step ${shown.length - 1}`;
    const svg = makeSvg("svg", { width, height: HEIGHT, role: "img", "aria-label": label });
    const [first, last] = y.domain.map((value) => Math.round(Math.log10(value)));
    const every = Math.max(1, Math.ceil((last - first) / 4));
    for (let power = last; power >= first; power -= every) {
      const at = y(10 ** power);
      svg.append(makeSvg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      svg.append(makeSvg("text", { class: "tick", x: MARGIN.left - 8, y: at, dy: "0.35em", "text-anchor": "end" }, powerText(power)));
    }
    for (const tick of x.ticks(Math.max(2, Math.min(10, Math.floor(width / 60)))).filter(Number.isInteger))
      svg.append(makeSvg("text", { class: "tick", x: x(tick), y: HEIGHT - 8, "text-anchor": "middle" }, String(tick)));
    svg.append(makeSvg("text", { class: "tick", x: MARGIN.left - 24, y: HEIGHT - 8, "text-anchor": "end" }, "step"));
    svg.append(makeSvg("path", { class: "line", d: pathOf(shown.map((size, time) => [x(time), y(size)])) }));
    for (const [time, size] of shown.entries()) svg.append(makeSvg("circle", { cx: x(time), cy: y(size), r: shown.length > 60 ? 1.5 : 3 }));
    this.element.replaceChildren(svg);
  }

  destroy(): void {
    this.watcher.disconnect();
  }
}

function powerText(power: number): string {
  return power >= -3 && power <= 3 ? String(Number((10 ** power).toPrecision(1))) : `1e${String(power).replace("-", "−")}`;
}
