/** Small strips: each site of the chosen unit over time, at the epoch chosen, and thin beneath it as it is after all the training. */

import { make, makeSvg, write } from "../dom/elements";
import type { Values } from "../model/types";
import { sayAt, valueAt } from "../model/values";
import type { Store } from "../state/types";
import { brief } from "../text/format";
import { inOrder, label, symbol } from "../text/labels";
import { linear, pathOf } from "./scale";

const [WIDTH, HEIGHT] = [320, 84]; // of a strip, in its own units

const MOST = 400; // points drawn at most; a longer sequence is thinned evenly

const SAMPLES = 8; // epochs that are looked at for the range of an axis

export class Sparks {
  readonly element = make("div", { class: "sparks" });
  private readonly ranges = new Map<string, [number, number]>();

  constructor(private readonly store: Store) {}

  update(): void {
    const { place } = this.store.state;
    const sites = inOrder(this.store.model.doc.cell, this.store.run().places[place].names);
    const known = [...this.element.children] as HTMLElement[];
    if (known.map((one) => one.dataset.site).join() !== sites.join()) {
      this.element.replaceChildren(...sites.map((site) => this.strip(site)));
    }
    for (const one of this.element.children) this.draw(one as HTMLElement, (one as HTMLElement).dataset.site!);
  }

  private strip(site: string): HTMLElement {
    const { cell } = this.store.model.doc;
    const name = make(
      "figcaption",
      {},
      make("b", {}, symbol(site)),
      make("span", { class: "soft" }, ` ${label(cell, site)}`),
      make("output", { class: "value" }),
    );
    const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    svg.append(
      makeSvg("line", { class: "zero" }),
      makeSvg("path", { class: "after" }),
      makeSvg("path", { class: "then" }),
      makeSvg("line", { class: "cursor" }),
    );
    svg.addEventListener("pointerdown", (event) => this.pointed(event, svg));
    svg.addEventListener("pointermove", (event) => event.buttons && this.pointed(event, svg));
    const tone = ["f", "i", "g", "o"].includes(site) ? site : "plain";
    const scale = make("span", { class: "scale soft" });
    return make("figure", { "data-site": site, "data-tone": tone }, name, make("div", { class: "plot" }, svg, scale));
  }

  private draw(element: HTMLElement, site: string): void {
    const { unit, time, place, item, edits } = this.store.state;
    const values = this.store.run().places[place].sites[site];
    const after = this.store.model.run(item, edits, null).places[place].sites[site];
    const [low, high] = this.range(site);
    const x = linear([0, Math.max(1, values.steps - 1)], [4, WIDTH - 4]);
    const y = linear([low, high], [HEIGHT - 6, 6]);
    const path = (from: Values): string =>
      pathOf(
        stepsOf(from.steps).map((at) => {
          const value = valueAt(from, at, unit);
          return Number.isFinite(value) ? [x(at), y(value)] : null;
        }),
      );
    const svg = element.querySelector("svg")!;
    svg.querySelector(".then")!.setAttribute("d", path(values));
    svg.querySelector(".after")!.setAttribute("d", path(after));
    setLine(svg.querySelector(".cursor")!, x(time), x(time), 0, HEIGHT);
    setLine(svg.querySelector(".zero")!, 0, WIDTH, y(0), y(0));
    const now = sayAt(values, time, unit);
    svg.setAttribute(
      "aria-label",
      `${label(this.store.model.doc.cell, site)}: ${now} at step ${time}, ${sayAt(after, time, unit)} as trained`,
    );
    write(element.querySelector(".value")!, now);
    write(element.querySelector(".scale")!, `${brief(low)} to ${brief(high)}`);
  }

  /** Fixed over the epochs, so that one can see values grow. */
  private range(site: string): [number, number] {
    const { item, place, unit, edits } = this.store.state;
    const { cell, training } = this.store.model.doc;
    const kind = cell.ranges[site] ?? "free";
    if (kind !== "free") return kind === "share" ? [0, 1] : [-1, 1];
    const key = JSON.stringify([site, item, place, unit, edits]);
    let range = this.ranges.get(key);
    if (!range) {
      const count = training?.epochs.length ?? 0;
      const some = Array.from({ length: Math.min(SAMPLES, count) }, (_, k) => Math.floor((k * (count - 1)) / Math.max(1, SAMPLES - 1)));
      let most = 0;
      for (const snapshot of [null, ...some]) {
        const values = this.store.model.run(item, edits, snapshot).places[place].sites[site];
        for (let at = 0; at < values.steps; at++) {
          const size = Math.abs(valueAt(values, at, unit));
          if (size > most && size < Infinity) most = size;
        }
      }
      range = [-(most || 1), most || 1];
      this.ranges.set(key, range);
    }
    return range;
  }

  private pointed(event: PointerEvent, svg: SVGSVGElement): void {
    const { left, width } = svg.getBoundingClientRect();
    const { steps } = this.store.run();
    const at = ((event.clientX - left) / width) * WIDTH;
    this.store.set({ time: linear([4, WIDTH - 4], [0, Math.max(1, steps - 1)])(at), playing: false });
  }

  destroy(): void {
    this.ranges.clear();
  }
}

function stepsOf(steps: number): number[] {
  const every = Math.ceil(steps / MOST);
  return Array.from({ length: Math.ceil(steps / every) }, (_, k) => k * every);
}

function setLine(element: Element, x1: number, x2: number, y1: number, y2: number): void {
  for (const [name, value] of Object.entries({ x1, x2, y1, y2 })) element.setAttribute(name, String(value));
}
