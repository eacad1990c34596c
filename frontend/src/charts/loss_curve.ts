/** The loss over the epochs, with the snapshots marked; a click chooses the nearest. */

import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import type { TrainingDoc } from "../document/schema";
import { make, makeSvg } from "../dom/elements";
import { figure } from "../text/format";

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
    const logarithmic = low > 0 && high / low > WORTH_LOG;
    const x = scaleLinear(ends, [MARGIN.left, this.width - MARGIN.right]);
    const span = [HEIGHT - MARGIN.bottom, MARGIN.top];
    const y = logarithmic ? scaleLog([low, high], span).nice() : scaleLinear([Math.min(0, low), high || 1], span).nice();
    const label = `loss${logarithmic ? ", logarithmic" : ""}: ${figure(losses[0].loss)} at epoch ${losses[0].epoch}, ${figure(losses.at(-1)!.loss)} at epoch ${losses.at(-1)!.epoch}`;
    const svg = makeSvg("svg", { width: this.width, height: HEIGHT, role: "img", "aria-label": label });

    const all = y.ticks(4);
    const powers = all.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9);
    for (const tick of logarithmic && powers.length > 1 ? powers : all) {
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
    const path = line<{ epoch: number; loss: number }>(
      (one) => x(one.epoch),
      (one) => y(one.loss),
    )(losses);
    svg.append(makeSvg("path", { class: "loss", d: path ?? "" }));
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
