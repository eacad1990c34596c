/** A step in one sentence, for screen readers. */

import { valueAt } from "../model/values";
import type { Store } from "../state/types";
import { figure, visible } from "../text/format";
import { label } from "../text/labels";

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
