/** "Units that switch here": which gates move most inside the span that was brushed. */

import { make, write } from "../../dom/elements";
import { type Switch, sizeOf } from "../../model/ordering";
import type { Store } from "../../state/types";
import { count, figure } from "../../text/format";

export const MARKED = 8;

export class Switching {
  readonly element: HTMLElement;
  private readonly title = make("h3");
  private readonly list = make("ol", { class: "switch-list" });
  private readonly hint = make("p", { class: "small" });

  constructor(private readonly store: Store) {
    this.element = make("section", { class: "panel switching" }, make("header", {}, this.title), this.hint, this.list);
    this.element.dataset["panel"] = "units that switch here";
  }

  show(span: [number, number] | null, found: Switch[]): void {
    write(this.title, "Units that switch here");
    const moved = found.filter((one) => sizeOf(one) > 0).slice(0, MARKED);
    this.element.hidden = !span;
    if (!span) return this.list.replaceChildren();
    const steps = count(span[1] - span[0] + 1, "step");
    write(
      this.hint,
      moved.length ? `Largest move of a gate within ${steps}, ${span[0]} to ${span[1]}.` : `Nothing moves within these ${steps}.`,
    );
    this.list.replaceChildren(...moved.map((one) => make("li", {}, this.entry(one))));
  }

  private entry({ unit, site, from, to, error }: Switch): HTMLElement {
    const { labels } = this.store.model.doc.cell;
    const bar = make("span", { class: "switch-bar", "aria-hidden": "true" }, make("i"));
    bar.style.setProperty("--from", String(Math.max(0, Math.min(1, Math.min(from, to)))));
    bar.style.setProperty("--to", String(Math.max(0, Math.min(1, Math.max(from, to)))));
    const words = `${labels[site] ?? site} ${figure(from, error)} → ${figure(to, error)}`;
    const button = make("button", { type: "button" }, make("b", {}, `unit ${unit}`), make("span", {}, words), bar);
    button.dataset["unit"] = String(unit);
    button.addEventListener("click", () => this.store.set({ unit }));
    return button;
  }
}
