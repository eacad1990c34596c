/** The steps that are chosen: as numbers, and what was marked of them as the reader's own track. */

import { make } from "../../dom/elements";
import type { View } from "../../dom/view";
import { MOST_MARKS } from "../../state/marks";
import type { Mark, Store } from "../../state/types";

/** Two fields for the first and the last step. */
export function makeSpan(store: Store): View {
  const fields = ["from step ", "to step "].map((words) => {
    const field = make("input", { type: "number", min: 0, inputmode: "numeric" });
    field.addEventListener("change", () => typed());
    return { label: make("label", {}, words, field), field };
  });
  const [from, to] = fields.map(({ field }) => field);
  const clear = make("button", { type: "button" }, "Clear");
  clear.addEventListener("click", () => store.set({ span: null }));
  const typed = (): void => {
    const last = store.run().steps - 1;
    const [a, b] = [from, to].map(({ value }) => (value === "" ? null : Math.max(0, Math.min(last, Math.round(Number(value))))));
    if (a === null && b === null) return store.set({ span: null });
    const ends = [a ?? b ?? 0, b ?? a ?? 0];
    store.set({ span: [Math.min(...ends), Math.max(...ends)] });
  };
  const update = (): void => {
    const { span } = store.state;
    [from, to].forEach((field, end) => {
      field.max = String(store.run().steps - 1);
      if (document.activeElement !== field) field.value = span ? String(span[end]) : "";
    });
    clear.hidden = !span;
  };
  const element = make(
    "div",
    { class: "find-row text-span", role: "group", "aria-label": "span" },
    ...fields.map(({ label }) => label),
    clear,
  );
  return { element, update, destroy: () => undefined };
}

/** Spans that the reader has marked: 1 in them, 0 elsewhere. */
export class Marks {
  constructor(private readonly store: Store) {}

  /** Another one whenever they change. */
  get all(): Mark[] {
    return this.store.state.marks;
  }

  count(item: number): number {
    return this.all.filter((one) => one.item === item).length;
  }

  add(item: number, span: [number, number]): void {
    this.store.set({ marks: [...this.all, { item, span }].slice(-MOST_MARKS) }, { remember: true });
  }

  clear(): void {
    this.store.set({ marks: [] }, { remember: true });
  }

  track(item: number): Float64Array {
    const found = new Float64Array(this.store.model.doc.items[item].steps);
    for (const { item: of, span } of this.all) if (of === item) found.fill(1, span[0], span[1] + 1);
    return found;
  }
}
