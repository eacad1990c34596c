/** The controls over the maps. */

import type { Window } from "../charts/heatmap";
import { make, write } from "../dom/elements";
import { SORTS } from "../model/ordering";
import type { Sort } from "../model/types";
import type { State, Store } from "../state/types";
import { count } from "../text/format";

/** The row of controls over the maps: how units are sorted, which steps are marked. */
export class Bar {
  readonly element: HTMLElement;
  readonly head: HTMLElement;
  private readonly sorts = make("select");
  private readonly from = make("input", { type: "number", min: 0, inputmode: "numeric" });
  private readonly to = make("input", { type: "number", min: 0, inputmode: "numeric" });
  private readonly clear = make("button", { type: "button" }, "Clear");
  private readonly zoom = make("button", { type: "button", "aria-pressed": "false" }, "Zoom to span");
  private readonly title = make("h2");
  private readonly hint = make("p", { class: "small" });

  constructor(
    private readonly store: Store,
    toggleZoom: () => void,
  ) {
    for (const { sort, label } of SORTS) this.sorts.append(make("option", { value: sort }, label));
    this.sorts.addEventListener("change", () => store.set({ sort: this.sorts.value as Sort }));
    for (const field of [this.from, this.to]) field.addEventListener("change", () => this.typed(field));
    this.clear.addEventListener("click", () => store.set({ span: null }));
    this.zoom.addEventListener("click", toggleZoom);
    const span = make("span", { class: "span-fields" }, make("label", {}, "Span: steps ", this.from), make("label", {}, " to ", this.to));
    this.element = make("div", { class: "layer-bar" }, make("label", {}, "Sort units by ", this.sorts), span, this.zoom, this.clear);
    this.head = make("div", { class: "layer-title" }, this.title, this.hint);
  }

  private typed(changed: HTMLInputElement): void {
    const { steps } = this.store.run();
    const mine = changed.value === "" ? null : Math.max(0, Math.min(steps - 1, Math.round(Number(changed.value))));
    const other = this.store.state.span?.[changed === this.from ? 1 : 0] ?? null; // the field shows it a frame later
    if (mine === null && other === null) return this.store.set({ span: null });
    const [a, b] = [mine ?? other ?? 0, other ?? mine ?? 0];
    this.store.set({ span: [Math.min(a, b), Math.max(a, b)] });
  }

  /** sort: the one that this cell has nothing for. grain: what a dot stands for. */
  explain(sort: Sort | null, grain: string): void {
    const says = SORTS.find((one) => one.sort === (sort ?? this.store.state.sort))?.says ?? "";
    const sorting = sort ? "by number: this cell has nothing to measure the rest by" : says;
    const { place } = this.store.state;
    const layer = this.store.model.doc.layers.find((one) => one.place === place);
    write(this.title, `Layer ${place}: ${count(layer?.hidden ?? 0, "unit")}, ${count(this.store.run().steps, "step")}`);
    write(this.hint, [`Sorted ${sorting}`, grain].filter(Boolean).join("; "));
  }

  show(state: State, steps: number, zoom: Window | null): void {
    this.sorts.value = state.sort;
    for (const [field, end] of [
      [this.from, 0],
      [this.to, 1],
    ] as const) {
      field.max = String(steps - 1);
      if (document.activeElement !== field) field.value = state.span ? String(state.span[end]) : "";
    }
    this.clear.hidden = !state.span;
    this.zoom.hidden = !state.span && !zoom;
    this.zoom.setAttribute("aria-pressed", String(zoom !== null));
    write(this.zoom, zoom ? "Show all steps" : "Zoom to span");
  }
}
