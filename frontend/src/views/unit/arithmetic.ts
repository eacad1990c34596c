/** The arithmetic of one part of the unit, in full, with the numbers of this step. Every number that can be changed is a handle. */

import "./arithmetic.css";
import { make } from "../../dom/elements";
import { reveal } from "../../dom/reveal";
import type { Reading } from "../../model/reading";
import type { Store } from "../../state/types";
import type { StepWord } from "../../text/labels";
import { Panel, type Refresh } from "./panel";
import { SHOWN } from "./term_names";

const FURTHER = 2; // of the terms that were opened, so many are brought into sight

export interface Arithmetic {
  element: HTMLElement;
  /** node: what is opened. before: the same moment without the edits. */
  update(reading: Reading, before: Reading | null, node: string): void;
}

/** word: what a step is called, and counted from: the lesson's days from 1. */
export function makeArithmetic(store: Store, word: StepWord = "step"): Arithmetic {
  const { computed } = store.model.doc; // else nothing in it takes the focus, by which it is scrolled
  const element = make("section", { class: "worked", "aria-label": "the arithmetic", tabindex: computed ? -1 : 0 });
  let built = "";
  let refreshes: Refresh[] = [];
  let expanded = ""; // the part whose terms are all shown
  let last: [Reading, Reading | null, string] | null = null;

  function update(reading: Reading, before: Reading | null, node: string): void {
    last = [reading, before, node];
    const place = [node, reading.layer.place, reading.unit, reading.item].join("|");
    const wanted = [place, reading.time, expanded === place, store.state.snapshot].join("|");
    if (built !== wanted) {
      built = wanted;
      const focused = element.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.key : undefined;
      refreshes = [];
      const panel = new Panel(store, word, refreshes, expanded === place, () => {
        expanded = expanded === place ? "" : place;
        if (last) update(...last);
        const more = element.querySelector(".more");
        reveal(expanded ? element.querySelectorAll(".term")[SHOWN + FURTHER] : more);
      });
      element.replaceChildren(...panel.build(reading, node));
      const found = focused && [...element.querySelectorAll<HTMLElement>("[data-key]")].find((one) => one.dataset.key === focused);
      if (found) found.focus({ preventScroll: true });
    }
    for (const refresh of refreshes) refresh(reading, before);
  }

  return { element, update };
}
