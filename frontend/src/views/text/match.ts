/** "Match": the units that are on in a span, and the other places where they are on as well. */

import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { bestIn, better, type Match, onIn, placesOf, type Span, THRESHOLD } from "../../model/match";
import { sequencesOf, tablesOf } from "../../model/sequences";
import type { Store } from "../../state/types";
import { count, figure, visible } from "../../text/format";
import { inOrder, label, symbol } from "../../text/labels";
import { Work } from "./work";

const MOST = 50;

const AROUND = 6; // characters on each side of a place

const SPELT = 40; // characters of a place, at most

export class Matching implements View {
  readonly element: HTMLElement;
  private readonly site = make("select");
  private readonly threshold = make("input", { type: "number", step: 0.05, value: THRESHOLD, inputmode: "decimal" });
  private readonly says = make("p", { class: "small soft", role: "status" });
  private readonly list = make("ol", { class: "find-list" });
  private readonly work = new Work<Match[]>(
    () => write(this.says, "Looking …"),
    (found) => this.show(found),
  );
  private of: unknown[] = [];
  private on: number[] = [];
  private where = "";

  /** span: the fields in which it is chosen. */
  constructor(
    private readonly store: Store,
    span: HTMLElement,
  ) {
    for (const choice of [this.site, this.threshold]) choice.addEventListener("change", () => this.update());
    const head = make("header", {}, make("h3", {}, "Where else are the units of a span on?"));
    const asked = make("div", { class: "find-row" }, make("label", {}, "on: ", this.site), make("label", {}, "above ", this.threshold));
    this.element = make("section", { class: "panel match" }, head, span, asked, this.says, this.list);
    this.element.dataset["panel"] = "match";
  }

  /** What is found holds for these. */
  private key(): unknown[] {
    const { model, state } = this.store;
    const { item, span, edits, snapshot, place } = state;
    return [item, model.doc.items[item].own, span?.join(), edits, snapshot, place, this.site.value, this.threshold.value];
  }

  update(): void {
    const { model, state } = this.store;
    const { cell } = model.doc;
    const { item, span, place } = state;
    const names = inOrder(cell, this.store.run().places[place]?.names ?? []);
    if (this.site.childElementCount !== names.length) {
      this.site.replaceChildren(...names.map((name) => make("option", { value: name }, `${symbol(name)}, ${label(cell, name)}`)));
      this.site.value = cell.state[0];
    }
    const key = this.key();
    if (this.of.length && key.every((one, k) => Object.is(one, this.of[k]))) return;
    this.of = key;
    this.work.stop();
    this.list.replaceChildren();
    if (!span) return write(this.says, "Drag over some steps above, or type their numbers.");
    if (this.threshold.value === "") return write(this.says, "Above which value is a unit on? Type a number.");
    const items = sequencesOf(model, item);
    const threshold = Number(this.threshold.value);
    this.work.start(this.steps(items, { steps: [span[0], span[1] + 1], item: items.indexOf(item), threshold }));
  }

  private *steps(items: number[], span: Span): Generator<number, Match[]> {
    const { model, state } = this.store;
    const site = this.site.value;
    const tables = yield* tablesOf(model, items, state.edits, state.snapshot, state.place, [site]);
    const table = tables.get(site)!;
    const own = table[span.item];
    const columns = onIn(own, span);
    if (!columns.length) {
      throw new Error(`No unit is above ${span.threshold} in all of them; the best stays above ${figure(bestIn(own, span))}.`);
    }
    this.where = `steps ${span.steps[0]} to ${span.steps[1] - 1}`;
    this.on = columns.map((column) => own.units?.[column] ?? column);
    const found: Match[] = [];
    for (const [k, values] of table.entries()) {
      found.push(...placesOf(values, k, span, columns));
      yield k / table.length;
    }
    const size = span.steps[1] - span.steps[0];
    return found.sort((a, b) => better(a, b, size)).map((one) => ({ ...one, item: items[one.item] }));
  }

  private show(found: Match[] | Error): void {
    if (found instanceof Error) return write(this.says, found.message);
    const units = this.on.length > 12 ? `${this.on.slice(0, 12).join(", ")}, …` : this.on.join(", ");
    const shown = found.length > MOST ? `, the best ${MOST} here` : "";
    write(
      this.says,
      `${count(this.on.length, "unit")} on in all of ${this.where} (${units}); ${count(found.length, "other place")}${shown}.`,
    );
    this.list.replaceChildren(...found.slice(0, MOST).map((one) => make("li", {}, this.entry(one))));
  }

  private entry({ item, steps: [start, stop], units, others }: Match): HTMLElement {
    const { doc } = this.store.model;
    const { characters } = doc.items[item];
    const cut = (from: number, to: number): string => (characters ?? []).slice(Math.max(0, from), Math.max(0, to)).map(visible).join("");
    const end = Math.min(stop, start + SPELT);
    const text = make(
      "span",
      { class: "match-text" },
      cut(start - AROUND, start),
      make("mark", {}, cut(start, end)),
      cut(end, end + AROUND),
    );
    text.hidden = !characters;
    const where = `${doc.items.length > 1 ? `sequence ${item}, ` : ""}step${stop - start > 1 ? "s" : ""} ${start}${stop - start > 1 ? ` to ${stop - 1}` : ""}`;
    const figures = make("span", { class: "find-figures" }, `${units.length} of ${this.on.length}, ${count(others, "other")}`);
    const button = make("button", { type: "button" }, make("b", {}, where), figures, text);
    Object.assign(button.dataset, { item, start, stop, shared: units.join(), others });
    button.addEventListener("click", () => {
      this.store.set({ item, time: start, span: [start, stop - 1], playing: false });
      this.of = this.key(); // the list stays that of the span it was made for
    });
    return button;
  }

  destroy(): void {
    this.work.stop();
  }
}
