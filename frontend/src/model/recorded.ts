/** What a document brings, where the page cannot compute. */

import { copied } from "../document/read";
import type { Doc, ItemDoc, LayerDoc, MapDoc, Packed } from "../document/schema";
import { levels } from "./recurrence";
import { sideBySide } from "./run";
import type { Run, Values } from "./types";

type Initial = Run["places"][string]["initial"];

/** The run of a sequence, out of its maps. initialOf: the memories that a layer begins with. */
export function recordedRun(doc: Doc, item: number, input: Values, initialOf: (layer: LayerDoc) => Initial): Run {
  const one = doc.items[item];
  const places: Run["places"] = {};
  for (const layer of doc.layers) {
    const maps = one.maps?.[layer.place] ?? {};
    const sites = Object.fromEntries(Object.entries(maps).map(([site, map]) => [site, unmapped(map, one)]));
    places[layer.place] = { names: Object.keys(sites), input: null, initial: initialOf(layer), sites };
  }
  const head = one.head ? valuesOf(one.head, one.steps) : null;
  const ending = one.answer?.value ? valuesOf(one.answer.value, 1) : null;
  const found = { item, steps: one.steps, input, places, head, ending, output: lastOf(doc, places), done: true };
  return { ...found, advance: () => undefined, shareOf: () => 1 };
}

/** The last layer's outputs, where the maps hold all of them. */
function lastOf(doc: Doc, places: Run["places"]): Values | null {
  const outputs = levels(doc.layers)
    .pop()!
    .map(({ place }) => places[place].sites[doc.cell.state[0]]);
  return outputs.every((one) => one && one.every === 1 && !one.units) ? sideBySide(outputs) : null;
}

function unmapped(map: MapDoc, item: ItemDoc): Values {
  return { ...valuesOf(map.values, item.steps), every: map.every, units: map.units };
}

/** Of a packed matrix, steps × width. */
export function valuesOf(packed: Packed, steps: number): Values {
  const width = packed.shape[packed.shape.length - 1] ?? 1;
  return { steps, width, every: 1, units: null, error: packed.error ? copied(packed.error) : null, data: copied(packed) };
}
