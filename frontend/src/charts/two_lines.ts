/** Two lines over the steps on one logarithmic axis: A solid, B dashed. */

import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { make, makeSvg } from "../dom/elements";
import { figure } from "../text/format";

const HEIGHT = 190;
const MARGIN = { top: 12, right: 14, bottom: 28, left: 60 };
const LEAST = 1e-12; // of what is drawn, as a share of the largest

export class TwoLines {
  readonly element = make("div", { class: "two-lines" });
  private readonly watcher = new ResizeObserver(() => this.draw());
  private found: (number[] | null)[] = [];
  private time = 0;

  constructor(private readonly what: string) {
    this.watcher.observe(this.element);
  }

  /** found: of A and B a number for each step, not negative; null: it is not known. time: where the cursor stands. */
  update(found: (number[] | null)[], time: number): void {
    [this.found, this.time] = [found, time];
    this.draw();
  }

  private draw(): void {
    const width = Math.round(this.element.clientWidth);
    const there = this.found.filter((one): one is number[] => one !== null);
    const top = Math.max(0, ...there.flat().filter(Number.isFinite));
    if (!width || !this.found.length) return;
    if (!top) {
      this.element.replaceChildren(make("p", { class: "soft" }, "Nothing gets through, or the page cannot compute it."));
      return;
    }
    const steps = Math.max(...there.map(({ length }) => length));
    const least = Math.min(...there.flat().filter((value) => value > top * LEAST));
    const x = scaleLinear([0, Math.max(1, steps - 1)], [MARGIN.left, width - MARGIN.right]);
    const y = scaleLog([Math.min(least, top / 10), top], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice();
    const said = this.found.map(
      (one, which) =>
        `${"AB"[which]}: ${one ? `${figure(one[0])} at step 0, ${figure(one[this.time])} at step ${this.time}` : "not known"}`,
    );
    const svg = makeSvg("svg", { width, height: HEIGHT, role: "img", "aria-label": `${this.what}, logarithmic. ${said.join("; ")}` });
    const [low, high] = y.domain().map((value) => Math.round(Math.log10(value)));
    for (let power = high; power >= low; power -= Math.max(1, Math.ceil((high - low) / 5))) {
      const at = y(10 ** power);
      svg.append(makeSvg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      svg.append(
        makeSvg(
          "text",
          { class: "tick", x: MARGIN.left - 8, y: at, dy: "0.35em", "text-anchor": "end" },
          `1e${String(power).replace("-", "−")}`,
        ),
      );
    }
    for (const tick of x.ticks(Math.max(2, Math.min(10, Math.floor(width / 70)))).filter(Number.isInteger))
      svg.append(makeSvg("text", { class: "tick", x: x(tick), y: HEIGHT - 8, "text-anchor": "middle" }, String(tick)));
    svg.append(makeSvg("line", { class: "now", x1: x(this.time), x2: x(this.time), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }));
    this.found.forEach((one, which) => {
      const path =
        one &&
        line<number>(
          (_, time) => x(time),
          (size) => y(size),
        ).defined((size) => size > top * LEAST)(one);
      if (path) svg.append(makeSvg("path", { class: `line ${"ab"[which]}`, d: path }));
    });
    this.element.replaceChildren(svg);
  }

  destroy(): void {
    this.watcher.disconnect();
  }
}
