/** The loss over the epochs, with the snapshots marked; a click chooses the nearest. */

import type { TrainingDoc } from "../document/schema";
import { make, makeSvg } from "../dom/elements";
import { figure } from "../text/format";
import { linear, logarithmic, pathOf } from "./scale";

const HEIGHT = 210;

const MARGIN = { top: 12, right: 14, bottom: 30, left: 54 };

const WORTH_LOG = 20; // largest over smallest loss from which on the axis is logarithmic

export class LossCurve {
  readonly element = make("div", { class: "loss-curve" });
  private readonly watcher: ResizeObserver;
  private epoch: number | null = null;
  private width = 0;

  constructor(
    private readonly training: TrainingDoc,
    private readonly choose: (snapshot: number) => void,
  ) {
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(this.element);
  }

  private resized(): void {
    const width = Math.round(this.element.clientWidth);
    if (width === this.width || width === 0) return;
    this.width = width;
    this.draw();
  }

  update(epoch: number | null): void {
    this.epoch = epoch;
    if (this.width) this.draw();
    else this.resized();
  }

  private draw(): void {
    const losses = this.training.losses.filter(({ loss }) => Number.isFinite(loss));
    if (!losses.length) {
      this.element.replaceChildren(make("p", { class: "soft" }, "No losses were kept; the epochs can be walked through all the same."));
      return;
    }
    const { epochs } = this.training;
    const ends = [Math.min(losses[0].epoch, epochs[0]), Math.max(losses.at(-1)!.epoch, epochs.at(-1)!)];
    const [low, high] = [Math.min(...losses.map(({ loss }) => loss)), Math.max(...losses.map(({ loss }) => loss))];
    const powers = low > 0 && high / low > WORTH_LOG;
    const x = linear(ends, [MARGIN.left, this.width - MARGIN.right]);
    const span = [HEIGHT - MARGIN.bottom, MARGIN.top];
    const y = powers ? logarithmic([low, high], span) : linear([Math.min(0, low), high || 1], span, 10);
    const label = `loss${powers ? ", logarithmic" : ""}: ${figure(losses[0].loss)} at epoch ${losses[0].epoch}, ${figure(losses.at(-1)!.loss)} at epoch ${losses.at(-1)!.epoch}`;
    const svg = makeSvg("svg", { width: this.width, height: HEIGHT, role: "img", "aria-label": label });

    for (const tick of y.ticks(4)) {
      svg.append(makeSvg("line", { class: "grid", x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y(tick), y2: y(tick) }));
      svg.append(makeSvg("text", { class: "tick", x: MARGIN.left - 8, y: y(tick), dy: "0.35em", "text-anchor": "end" }, tickText(tick)));
    }
    for (const tick of x.ticks(Math.max(2, Math.min(8, Math.floor(this.width / 110)))).filter(Number.isInteger)) {
      svg.append(makeSvg("text", { class: "tick", x: x(tick), y: HEIGHT - 10, "text-anchor": "middle" }, tick.toLocaleString("en")));
    }
    svg.append(makeSvg("text", { class: "tick", x: MARGIN.left - 8, y: HEIGHT - 10, "text-anchor": "end" }, "epoch"));
    for (const epoch of epochs) {
      svg.append(
        makeSvg("line", {
          class: "snapshot",
          x1: x(epoch),
          x2: x(epoch),
          y1: HEIGHT - MARGIN.bottom,
          y2: HEIGHT - MARGIN.bottom + 4,
        }),
      );
    }
    svg.append(makeSvg("path", { class: "loss", d: pathOf(losses.map(({ epoch, loss }) => [x(epoch), y(loss)])) }));
    if (this.epoch !== null) svg.append(...cursor(x(this.epoch), y, losses, this.epoch));
    svg.addEventListener("pointerdown", (event) => this.pointed(event, svg, x));
    svg.addEventListener("pointermove", (event) => event.buttons && this.pointed(event, svg, x));
    this.element.replaceChildren(svg);
  }

  private pointed(event: PointerEvent, svg: SVGSVGElement, x: { invert(at: number): number }): void {
    const epoch = x.invert(event.clientX - svg.getBoundingClientRect().left);
    const distances = this.training.epochs.map((one) => Math.abs(one - epoch));
    this.choose(distances.indexOf(Math.min(...distances)));
  }

  destroy(): void {
    this.watcher.disconnect();
  }
}

function cursor(at: number, y: (loss: number) => number, losses: TrainingDoc["losses"], epoch: number): SVGElement[] {
  const parts: SVGElement[] = [makeSvg("line", { class: "cursor", x1: at, x2: at, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom })];
  const known = losses.filter((one) => one.epoch <= epoch).at(-1);
  if (known) parts.push(makeSvg("circle", { class: "cursor", cx: at, cy: y(known.loss), r: 4.5 }));
  return parts;
}

function tickText(tick: number): string {
  return tick !== 0 && (Math.abs(tick) < 0.001 || Math.abs(tick) >= 10_000)
    ? tick.toExponential(0).replace("-", "−")
    : String(Number(tick.toPrecision(3)));
}
