/** What stands in a view's place while a long sequence is computed: how far it is. The page answers meanwhile. */

import { make, write } from "../dom/elements";
import type { View } from "../dom/view";
import type { Run } from "../model/types";
import type { Store } from "../state/types";
import { count } from "../text/format";

const WORTH = 1e9; // multiplications, about a second: what takes less is computed at once

const PATIENCE = 120; // milliseconds that a view stays without an answer: a change near the end is there by then, and nothing flickers

/** waits: whether the layer that is looked at is not there yet, and takes long. */
export function makeWaiting(store: Store): View & { waits(): boolean } {
  const { doc } = store.model;
  const words = make("p");
  const bar = make("progress", { max: 1, "aria-label": "computed" });
  const element = make("div", { class: "message panel" }, make("h2", {}, "The page computes the model"), words, bar);
  const cost = (): number => {
    const level = doc.layers.findIndex(({ place }) => place === store.state.place);
    const sizes = doc.layers.slice(0, level + 1).map(({ input, hidden, output }) => doc.cell.gates.length * hidden * (input + output));
    return sizes.reduce((sum, one) => sum + one, 0) * store.run().steps;
  };
  const update = (): void => {
    const { place } = store.state;
    const share = store.run().shareOf(place);
    const layer = doc.layers.find((one) => one.place === place);
    write(words, `${count(store.run().steps, "step")} of ${count(layer?.hidden ?? 0, "unit")}, ${Math.floor(100 * share)} % are there`);
    bar.value = share;
  };
  let seen: Run | null = null;
  const waits = (): boolean => {
    const run = store.run();
    const missing = (): boolean => run.shareOf(store.state.place) < 1;
    if (!doc.computed || !missing() || cost() <= WORTH) return false;
    const end = performance.now() + (run === seen ? 0 : PATIENCE);
    seen = run;
    while (missing() && performance.now() < end) run.advance();
    return missing();
  };
  return { element, update, waits, destroy: () => undefined };
}
