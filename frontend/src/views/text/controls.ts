/** Which site the text is coloured by, and what the colours stand for. */

import type { Scheme } from "../../charts/colours";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import type { Store } from "../../state/types";
import { brief } from "../../text/format";
import { inOrder, label, symbol, tone } from "../../text/labels";

/** The site that is opened, where it has values of its own; else the memory that the cell keeps, or its output. */
export function siteOf(store: Store): string {
  const { state, model } = store;
  const { cell } = model.doc;
  const names = store.run().places[state.place]?.names ?? [];
  if (state.node !== null && names.includes(state.node)) return state.node;
  return cell.state.find((one) => one !== cell.state[0] && names.includes(one)) ?? cell.state[0];
}

/** A button for each site. */
export function makeSites(store: Store): View {
  const element = make("div", { class: "text-sites", role: "group", "aria-label": "coloured by" });
  const { cell } = store.model.doc;
  let made = "";
  const update = (): void => {
    const names = inOrder(cell, store.run().places[store.state.place]?.names ?? []);
    if (made !== names.join()) element.replaceChildren(...names.map(button));
    made = names.join();
    const chosen = siteOf(store);
    for (const one of element.children) one.setAttribute("aria-pressed", String((one as HTMLElement).dataset["site"] === chosen));
  };
  const button = (site: string): HTMLElement => {
    const words = label(cell, site);
    const one = make("button", { type: "button", class: `tone-${tone(cell, site)}`, "data-site": site, title: words }, symbol(site));
    one.setAttribute("aria-label", `${symbol(site)}, ${words}`);
    one.addEventListener("click", () => store.set({ node: site }));
    return one;
  };
  return { element, update, destroy: () => undefined };
}

export class Legend {
  readonly element = make("div", { class: "text-legend", "aria-hidden": "true" });
  private readonly low = make("span");
  private readonly high = make("span");
  private readonly bar = make("span", { class: "text-legend-bar" });
  private readonly note = make("span", { class: "soft" });

  constructor() {
    this.element.append(this.low, this.bar, this.high, this.note);
  }

  show({ low, high, colours, beyond }: Scheme): void {
    write(this.low, brief(low));
    write(this.high, brief(high));
    this.bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    write(this.note, beyond === null ? "" : `some reach ±${brief(beyond)}`);
  }
}
