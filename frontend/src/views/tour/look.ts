/** What a stage looks at: the values of the two companies as they are now, and as they would be without the edits. */

import type { Edit, Run } from "../../model/types";
import { valueAt } from "../../model/values";
import type { OwnStore } from "../../state/store";
import type { State } from "../../state/types";
import { companies } from "./companies";

/** Days are counted from 1, as in the texts. item: another company than the one chosen. */
export interface Look {
  state: State;
  day: number; // the one chosen
  value(site: string, day: number, item?: number): number; // a site, or "input"
  was(site: string, day: number, item?: number): number; // without the edits
  gate: number; // of the last stage's slider
}

export const DAYS = companies.items[0].steps;

export function look(store: OwnStore, gate: number): Look {
  const { state, model } = store;
  const read = (edits: Edit[], site: string, day: number, item: number): number => {
    const run: Run = model.run(item, edits, state.snapshot);
    return valueAt(site === "input" ? run.input : run.places[companies.layers[0].place].sites[site], day - 1, 0);
  };
  return {
    state,
    gate,
    day: state.time + 1,
    value: (site, day, item = state.item) => read(state.edits, site, day, item),
    was: (site, day, item = state.item) => read([], site, day, item),
  };
}

/** The mean of all forget gates of both companies: what the last stage begins with. */
export function usualGate(store: OwnStore): number {
  const { was } = look(store, 0);
  const gates = companies.items.flatMap((_, item) => Array.from({ length: DAYS }, (_, time) => was("f", time + 1, item)));
  return gates.reduce((sum, gate) => sum + gate, 0) / gates.length;
}
