/** The values of a layer for all sequences of the page: what units are compared with tracks on, and where places are looked for. */

import { given } from "./own";
import type { Edit, Model, Values } from "./types";

/** All that came with the page; where a sequence of the reader's own is shown, that one alone. */
export function sequencesOf({ doc }: Model, item: number): number[] {
  return item < given(doc) ? Array.from({ length: given(doc) }, (_, k) => k) : [item];
}

/** Site -> of each sequence its values, all of them one for each step. Yields while they are computed. */
export function* tablesOf(
  model: Model,
  items: number[],
  edits: Edit[],
  snapshot: number | null,
  place: string,
  sites: string[],
): Generator<number, Map<string, Values[]>> {
  const found = new Map(sites.map((site) => [site, [] as Values[]]));
  for (const [k, item] of items.entries()) {
    const run = model.run(item, edits, snapshot);
    while (!run.done && run.shareOf(place) < 1) {
      run.advance();
      yield (k + run.shareOf(place)) / items.length;
    }
    for (const site of sites) {
      const values = run.places[place]?.sites[site];
      if (!values) throw new Error(`There is no ${site} of ${place} in sequence ${item}.`);
      if (values.every > 1) throw new Error("This page holds means of several steps: Python has them all.");
      found.get(site)?.push(values);
    }
    yield (k + 1) / items.length;
  }
  return found;
}
