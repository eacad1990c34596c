/** What a screen reader is told of a step, in one sentence. */

import { visible } from "./elements";
import { valueAt } from "./recurrence";
import type { Store } from "./types";
import { figure, label } from "./words";

export function summary(store: Store): string {
  const { doc } = store.model;
  const { place, unit, time, item, view } = store.state;
  if (view === "tour") return "";
  const run = store.run();
  const character = doc.items[item].characters?.[time];
  const here = character === undefined ? "" : `, “${visible(character)}”`;
  const sites = Object.entries(run.places[place]?.sites ?? {});
  const values = sites.map(([site, values]) => `${label(doc.cell, site)} ${figure(valueAt(values, time, unit))}`);
  return `Step ${time + 1} of ${run.steps}${here}, unit ${unit}: ${values.join(", ")}.`;
}
