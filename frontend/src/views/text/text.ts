/** The Text view: the whole sequence in lines, on the colours of one site of one unit; beside it the units that are worth a look. */

import "./text.css";
import "./find.css";
import { lookOf, paletteOf, type Scheme, schemeOf } from "../../charts/colours";
import { drawnFeatures } from "../../charts/lane_paths";
import { Lens, type Written } from "../../charts/lens";
import { scaledTo, tinted } from "../../charts/tint";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import type { Values } from "../../model/types";
import { columnsOf, sayAt } from "../../model/values";
import type { Store } from "../../state/types";
import { brief } from "../../text/format";
import { feature, label, step } from "../../text/labels";
import { Legend, makeSites, siteOf } from "./controls";
import { Find } from "./find";
import { Matching } from "./match";
import { Marks, makeSpan } from "./span";
import { Worth } from "./worth";

class TextView implements View {
  readonly element = make("div", { class: "text-view" });
  private readonly title = make("h2");
  private readonly here = make("p", { class: "text-here" });
  private readonly drawing = make("p", { class: "small soft" });
  private readonly lens: Lens;
  private readonly legend = new Legend();
  private readonly sites: View;
  private readonly worth: Worth;
  private readonly tools: View[];
  private readonly sizes: ResizeObserver;
  private laid: unknown[] = [];
  private coloured: unknown[] = [];
  private at: unknown[] = [];
  private underlined: unknown[] = [];
  private scheme: Scheme | null = null;
  private hovered: number | null = null;
  private room = 0;

  constructor(private readonly store: Store) {
    this.lens = new Lens(
      (time) => store.set({ time, playing: false }),
      (time) => this.hover(time),
      (span) => store.set({ span, time: span[0], playing: false }),
    );
    this.sites = makeSites(store);
    this.worth = new Worth(store);
    const controls = make("div", { class: "text-controls" }, this.sites.element, this.legend.element);
    const main = make("section", { class: "panel text-main" }, this.title, controls, this.here, this.lens.element, this.drawing);
    main.dataset["panel"] = "text";
    const span = makeSpan(store);
    const [find, match] = [new Find(store, new Marks(store)), new Matching(store, span.element)];
    this.tools = [span, find, match];
    this.element.append(main, this.worth.element, make("div", { class: "text-tools" }, match.element, find.element));
    this.sizes = new ResizeObserver(() => {
      if (this.lens.room === this.room || this.lens.room === 0) return;
      this.update();
    });
    this.sizes.observe(this.lens.element);
  }

  /** What stands in the lines: the symbols, or the numbers of the features that vary most. */
  private written(): Written {
    const { model, state } = this.store;
    const { characters } = model.doc.items[state.item];
    if (characters) return { symbols: characters, spelt: characters.every((one) => [...one].length <= 1) };
    const { input } = this.store.run();
    return { input, features: drawnFeatures(input) };
  }

  update(): void {
    const { state, model } = this.store;
    const { doc } = model;
    const run = this.store.run();
    const site = siteOf(this.store);
    const values = run.places[state.place]?.sites[site];
    this.sites.update();
    if (!values) return;
    const isText = doc.items[state.item].characters !== null;
    const place = doc.layers.length > 1 ? ` of ${state.place}` : "";
    write(this.title, `What in this ${isText ? "text" : "series"} does unit ${state.unit}${place} respond to?`);

    const laying = [state.item, isText ? null : run.input, this.lens.room];
    const laid = changed(laying, this.laid);
    if (laid) {
      const written = this.written();
      this.lens.show(written);
      this.room = this.lens.room;
      this.laid = [...laying.slice(0, 2), this.room];
      this.names(written);
    }
    const look = lookOf(this.element);
    const colouring = [values, state.unit, look];
    if (laid || changed(colouring, this.coloured)) this.paint(values, site);
    this.coloured = colouring;

    const at = [state.item, state.time, this.room];
    this.lens.cursor(state.time, changed(at, this.at) && this.hovered === null);
    this.at = at;
    const underlining = [state.item, state.span?.join(), this.room];
    if (laid || changed(underlining, this.underlined)) this.lens.span(state.span);
    this.underlined = underlining;
    for (const tool of this.tools) tool.update();
    this.say(values, site);
    if (this.scheme) this.worth.update(values, site, this.scheme);
  }

  private paint(values: Values, site: string): void {
    const { unit } = this.store.state;
    const { cell } = this.store.model.doc;
    const palette = paletteOf(this.element);
    this.scheme = tinted(schemeOf(cell, site, values, palette), palette);
    const column = columnsOf(values, [unit]).columns[0] ?? -1;
    const own = scaledTo(this.scheme, cell, site, values, column);
    this.lens.colour(values, column, own);
    this.legend.show(own);
    const { low, high } = own;
    const words = `${label(cell, site)} of unit ${unit}, from ${brief(low)} to ${brief(high)}`;
    this.lens.element.setAttribute("aria-label", `the sequence, coloured by the ${words}`);
  }

  /** Which numbers are drawn in the lanes. */
  private names(written: Written): void {
    const { doc } = this.store.model;
    if ("symbols" in written) return write(this.drawing, "");
    const { input, features } = written;
    const drawn = features.map((one) => feature(doc, one)).join(", ");
    const of = input.width > features.length ? `, those of ${input.width} inputs that vary most` : "";
    write(this.drawing, `Drawn: ${drawn}${of}.`);
  }

  private hover(time: number | null): void {
    this.hovered = time;
    const site = siteOf(this.store);
    const values = this.store.run().places[this.store.state.place]?.sites[site];
    if (values) this.say(values, site);
  }

  /** The value at the cursor; while the pointer is over the text, under it. */
  private say(values: Values, site: string): void {
    const { state, model } = this.store;
    const time = this.hovered ?? state.time;
    write(this.here, `${step(model.doc, state.item, time)}: ${label(model.doc.cell, site)} ${sayAt(values, time, state.unit)}`);
  }

  destroy(): void {
    this.sizes.disconnect();
    this.worth.destroy();
    for (const tool of this.tools) tool.destroy();
  }
}

function changed(now: unknown[], before: unknown[]): boolean {
  return now.length !== before.length || now.some((one, index) => one !== before[index]);
}

export const makeText = (store: Store): View => new TextView(store);
