/** What stands over and under the arithmetic of a unit: what is opened and where, and why the page cannot compute it. */

import { make } from "../../dom/elements";
import type { Reading } from "../../model/reading";
import { pythonOf } from "../../state/python";
import { type StepWord, step, symbol, tone } from "../../text/labels";
import { nodeName } from "./term_names";

export function heading(reading: Reading, node: string, word: StepWord): HTMLElement {
  const { cell } = reading.doc;
  const title = nodeName(reading, node);
  const { items, layers } = reading.doc;
  const where = [
    items.length > 1 ? items[reading.item].name : "",
    layers.length > 1 ? reading.layer.place : "",
    step(reading.doc, reading.item, reading.time, word),
    reading.layer.hidden > 1 ? `unit ${reading.unit}` : "",
  ].filter(Boolean);
  const badge = make("span", { class: `badge tone-${tone(cell, node)}`, "aria-hidden": "true" }, symbol(node));
  return make("header", {}, badge, make("div", {}, make("h2", {}, title), make("p", { class: "where" }, where.join(" · "))));
}

/** Why nothing can be changed here, and what does it in Python. */
export function whyNot(reading: Reading, node: string): HTMLElement {
  const { doc, layer, time, unit } = reading;
  const site = doc.cell.sites.includes(node) ? node : doc.cell.sites[0];
  const line = pythonOf(doc, [{ on: true, kind: "site", place: layer.place, site, value: 0, time, unit }]);
  return make(
    "div",
    { class: "why-not" },
    make("p", {}, doc.why_not ?? "The page cannot compute this model."),
    make("p", {}, "In Python:"),
    make("pre", {}, line),
  );
}
