/** "Find units": which units carry what can be said of each step, chosen on one half of the steps and tried on the other. */

import { drawnFeatures } from "../../charts/lane_paths";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { bestOf, type FoundUnit, type FoundUnits, findUnits } from "../../model/find_units";
import { sequencesOf, tablesOf } from "../../model/sequences";
import { seriesTracks, since, textTracks } from "../../model/tracks";
import type { Finding, Store } from "../../state/types";
import { count, figure, MINUS } from "../../text/format";
import { feature, inOrder, label, symbol } from "../../text/labels";
import type { Marks } from "./span";
import { Work } from "./work";

const MOST = 10;

const EACH = "each track";

const MARKED = "marked";

export class Find implements View {
  readonly element: HTMLElement;
  private readonly sites = make("select");
  private readonly period = make("input", { type: "number", min: 0, step: "any", inputmode: "decimal", placeholder: "none" });
  private readonly periods = make("label", {}, "period ", this.period);
  private readonly go = make("button", { type: "button", class: "outlined find-go" }, "Find units");
  private readonly bar = make("progress", { max: 1, "aria-label": "how much is compared" });
  private readonly mark = make("button", { type: "button", class: "outlined" }, "Mark this span");
  private readonly unmark = make("button", { type: "button" }, "Clear marks");
  private readonly marked = make("span", { class: "small soft" });
  private readonly track = make("select");
  private readonly tracks = make("label", { class: "find-row" }, "best of ", this.track);
  private readonly says = make("p", { class: "small soft", role: "status" });
  private readonly list = make("ol", { class: "find-list" });
  private readonly work = new Work<FoundUnits>(
    (share) => (this.bar.value = share),
    (result) => this.ended(result),
  );
  private found: FoundUnits | null = null;
  private of: unknown[] = [];
  private asked: Finding | null = null;

  constructor(
    private readonly store: Store,
    private readonly marks: Marks,
  ) {
    const states = store.model.doc.cell.state.join(", ");
    this.sites.append(make("option", { value: "" }, `memories (${states})`), make("option", { value: "all" }, "all sites"));
    this.go.addEventListener("click", () => (this.work.running ? this.drop("Stopped.") : this.ask()));
    for (const choice of [this.sites, this.period]) choice.addEventListener("change", () => this.drop(""));
    this.track.addEventListener("change", () => {
      this.keep(this.track.value);
      this.show();
    });
    this.mark.addEventListener("click", () => {
      const { item, span } = store.state;
      if (span) this.marks.add(item, span);
    });
    this.unmark.addEventListener("click", () => this.marks.clear());
    const asked = make("div", { class: "find-row" }, make("label", {}, "of ", this.sites), this.periods, this.go, this.bar);
    const own = make("div", { class: "find-row" }, this.mark, this.unmark, this.marked);
    const head = make("header", {}, make("h3", {}, "Which units carry what can be said of each step?"));
    this.element = make("section", { class: "panel find" }, head, asked, own, this.tracks, this.says, this.list);
    this.element.dataset["panel"] = "find units";
    this.clear("");
  }

  /** What is found holds for these; of other ones it has to be found again. */
  private key(): unknown[] {
    const { item, edits, snapshot, place } = this.store.state;
    const { doc } = this.store.model;
    return [sequencesOf(this.store.model, item).join(), doc.items[item].own, edits, snapshot, place, this.marks.all];
  }

  update(): void {
    const { item, span } = this.store.state;
    this.periods.hidden = this.store.model.doc.items[item].characters !== null;
    this.mark.disabled = !span;
    this.unmark.hidden = !this.marks.all.length;
    const here = this.marks.count(item);
    write(this.marked, here ? `${count(here, "span")} marked here: a track of your own` : "a track of your own: mark spans");
    if (this.of.length && this.key().some((one, k) => one !== this.of[k])) this.drop("What was compared has changed: find again.");
    const { finding } = this.store.state;
    if (finding !== this.asked) this.open(finding);
  }

  /** A question that came with a link, or went with another one. */
  private open(finding: Finding | null): void {
    this.asked = finding;
    if (!finding) return this.clear("");
    this.sites.value = finding.all ? "all" : "";
    this.period.value = finding.period ? String(finding.period) : "";
    this.begin();
  }

  private ask(): void {
    this.keep("");
    this.begin();
  }

  /** The question goes into the link. */
  private keep(track: string): void {
    this.asked = { all: this.sites.value === "all", period: Math.max(0, Number(this.period.value)) || 0, track };
    this.store.set({ finding: this.asked });
  }

  private drop(says: string): void {
    this.clear(says);
    this.asked = null;
    this.store.set({ finding: null });
  }

  private begin(): void {
    this.clear("");
    this.of = this.key();
    this.bar.hidden = false;
    write(this.go, "Stop");
    this.work.start(this.steps());
  }

  private *steps(): Generator<number, FoundUnits> {
    const { model, state } = this.store;
    const items = sequencesOf(model, state.item);
    const { names } = model.run(items[0], state.edits, state.snapshot).places[state.place];
    const sites = inOrder(model.doc.cell, names).filter((site) => this.sites.value || model.doc.cell.state.includes(site));
    const tables = yield* tablesOf(model, items, state.edits, state.snapshot, state.place, sites);
    yield 0;
    const tracks = this.tracksOf(items);
    yield 0;
    return yield* findUnits(tables, tracks);
  }

  private tracksOf(items: number[]): Map<string, Float64Array[]> {
    const { model, state } = this.store;
    const { doc } = model;
    const input = (item: number) => model.run(item, state.edits, state.snapshot).input;
    const features = drawnFeatures(input(items[0]));
    const made = items.map((item) => {
      const { characters } = doc.items[item];
      if (characters) return characters.every((one) => [...one].length <= 1) ? textTracks(characters) : new Map<string, Float64Array>();
      return seriesTracks(input(item), features, (one) => feature(doc, one), Number(this.period.value));
    });
    if (this.marks.all.length) {
      made.forEach((one, k) => {
        const own = this.marks.track(items[k]);
        one.set(MARKED, own);
        if (!doc.items[items[k]].characters) one.set("since a mark", since(own));
      });
    }
    return new Map(Array.from(made[0].keys(), (name) => [name, made.map((one) => one.get(name)!)]));
  }

  private clear(says: string): void {
    this.work.stop();
    this.found = null;
    this.of = [];
    this.bar.hidden = this.tracks.hidden = true;
    this.bar.value = 0;
    write(this.go, "Find units");
    write(this.says, says);
    this.list.replaceChildren();
  }

  private ended(result: FoundUnits | Error): void {
    if (result instanceof Error) return this.drop(result.message);
    this.bar.hidden = true;
    write(this.go, "Find units");
    this.found = result;
    this.tracks.hidden = false;
    this.track.replaceChildren(...[EACH, ...result.tracks].map((name) => make("option", { value: name === EACH ? "" : name }, name)));
    this.track.value = result.tracks.includes(this.asked?.track ?? "") ? this.asked!.track : "";
    this.show();
  }

  private show(): void {
    const { found } = this;
    if (!found) return;
    const [chosen, held] = found.steps.map((steps) => steps.toLocaleString("en"));
    const left = [...found.leftOut].map(([name, why]) => ` Left out: ${name}, ${why}.`).join("");
    write(
      this.says,
      `Chosen on ${chosen} steps; the score is that of ${held} others: 1 or ${MINUS}1 where they go together wholly, 0 not at all. p: how likely the best of all would be as good by chance.${left}`,
    );
    const rows = bestOf(found, this.track.value || null, MOST);
    this.list.replaceChildren(...rows.map((one) => make("li", {}, this.entry(one))));
  }

  private entry({ site, unit, track, score, p }: FoundUnit): HTMLElement {
    const { cell } = this.store.model.doc;
    const name = make("span", { class: "find-name", title: label(cell, site) }, `${symbol(site)} of unit ${unit}`);
    const figures = make("span", { class: "find-figures" }, `${figure(score)}, p ${figure(p)}`);
    const button = make("button", { type: "button" }, make("b", {}, track), figures, name);
    Object.assign(button.dataset, { unit, site, track, score, p });
    button.addEventListener("click", () => this.store.set({ unit, node: site, playing: false }));
    return button;
  }

  destroy(): void {
    this.work.stop();
  }
}
