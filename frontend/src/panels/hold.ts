/** Holding a site: open, shut, or at a value; at this step or at all of them. */

import { make, write } from "../dom/elements";
import { handle } from "../dom/handle";
import { edited, siteAt, type Target } from "../model/editable";
import type { Reading } from "../model/reading";
import type { Store } from "../state/types";
import { figure, typed } from "../text/format";
import { label } from "../text/labels";

export interface Hold {
  element: HTMLElement;
  /** own: what the site would be by its own arithmetic. */
  update(reading: Reading, own: number): void;
}

const everywhere = new WeakMap<Store, boolean>(); // the last choice of the reader, for the next site too

/** Whether what is held next is held at all steps. */
export function holdEverywhere(store: Store, yes: boolean): void {
  everywhere.set(store, yes);
}

/** What holding a site changes: it at this step, or at all of them, as the reader chose last. */
export function holdOf(store: Store, { doc, layer, time, unit }: Reading, site: string): Target {
  return siteAt(doc.cell, layer.place, site, everywhere.get(store) ? null : time, unit);
}

/** Takes away every edit that stands at a target: those at all steps too. */
export function letGo(store: Store, target: Target): void {
  const { edits } = store.state;
  const kept = edits.filter((edit) => !edited([edit], target));
  if (kept.length < edits.length) store.set({ edits: kept });
}

export function hold(store: Store, reading: Reading, site: string): Hold {
  const { cell } = reading.doc;
  const share = cell.ranges[site] === "share";
  const name = label(cell, site);
  const target = (): Target => holdOf(store, reading, site);
  const set = (value: number, dragging = false): void => store.edit(target().edit(value), { dragging });
  const button = (text: string, key: string, act: () => void): HTMLButtonElement => {
    const made = make("button", { type: "button", "data-key": key }, text);
    made.addEventListener("click", act);
    return made;
  };
  const presets = share
    ? [button("open", "open", () => set(1)), button("shut", "shut", () => set(0))]
    : [button("at 0", "zero", () => set(0))];
  const bounds = siteAt(cell, reading.layer.place, site, null, reading.unit);
  const value = handle({
    ...{
      key: "hold",
      name: `hold ${name} at`,
      value: reading.read(site),
      low: bounds.low,
      high: bounds.high,
      step: bounds.step,
    },
    change: set,
    cancel: () => store.abandon(),
  });
  const which = make(
    "select",
    { "aria-label": "at which steps", "data-key": "which" },
    make("option", { value: "one" }, "at this step"),
    make("option", { value: "all" }, "at all steps"),
  );
  which.addEventListener("change", () => holdEverywhere(store, which.value === "all"));
  const free = button("let go", "free", () => letGo(store, siteAt(cell, reading.layer.place, site, reading.time, reading.unit)));
  const note = make("p", { class: "held" });
  const element = make(
    "fieldset",
    { class: "hold" },
    make("legend", {}, `Hold the ${name}`),
    make("div", { class: "hold-row" }, ...presets, make("span", {}, share ? "at " : "or at "), value.element, which, free),
    note,
  );

  function update(now: Reading, own: number): void {
    const here = edited(store.state.edits, siteAt(cell, now.layer.place, site, now.time, now.unit));
    const all = edited(store.state.edits, siteAt(cell, now.layer.place, site, null, now.unit));
    which.value = everywhere.get(store) ? "all" : "one";
    value.set(now.read(site), here || all, now.error(site));
    free.hidden = !here && !all;
    note.hidden = free.hidden;
    write(note, `Held at ${typed(now.read(site))}${all ? " at all steps" : ""}. By its own arithmetic: ${figure(own, now.error(site))}.`);
  }

  return { element, update };
}
