/** What the Layer view works on: the sites of a place, and what its units can be sorted by. */

import type { CellDoc } from "../../document/schema";
import { isReverse, keepValues } from "../../model/additive";
import type { Material } from "../../model/ordering";
import type { Run, Values } from "../../model/types";
import type { Store } from "../../state/types";
import { inOrder } from "../../text/labels";

/** All that is known of a step: the cell's sites, and the output before a projection. */
export function sitesOf(store: Store): string[] {
  const { cell } = store.model.doc;
  const there = Object.values(store.run().places).flatMap(({ names }) => names);
  return inOrder(cell, [...new Set([...cell.sites, ...there])]);
}

export function hiddenOf({ model, state }: Store): number {
  return model.doc.layers.find(({ place }) => place === state.place)?.hidden ?? 0;
}

/** What units can be sorted by, here. */
export function materialOf(store: Store, run: Run): Material {
  const { state, model } = store;
  const { cell } = model.doc;
  const sites = run.places[state.place]?.sites ?? {};
  const kept = keepValues(model, state, run, state.place);
  const names = [kept?.memory, ...cell.state, ...cell.sites].filter(
    (name): name is string => name !== undefined && sites[name] !== undefined,
  );
  const whole = names.find((name) => sites[name].width === hiddenOf(store) || sites[name].units) ?? names[0];
  const memory = sites[whole];
  const units = memory.units ?? Array.from({ length: memory.width }, (_, unit) => unit);
  return { units, memory, keep: kept?.keep ?? null, reverse: isReverse(model, state.place), shares: sharesOf(cell, sites) };
}

function sharesOf(cell: CellDoc, sites: Record<string, Values>): Material["shares"] {
  return cell.sites.filter((site) => cell.ranges[site] === "share" && sites[site]).map((site) => ({ site, values: sites[site] }));
}
