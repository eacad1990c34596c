/** Every weight that the documents of the fixture hold, with its names and its number, as JSON: tests/unit/explorer/test_weight_names.py
 *  looks each of them up in the model. */

import { readDocument } from "../src/document/read";
import type { Packed } from "../src/document/schema";
import { isWired, source } from "../src/model/layout";
import { makeModel } from "../src/model/network";
import { namesText, torchName, weightNames } from "../src/model/weight_names";
import { pythonOf } from "../src/state/python";
import { cases } from "./fixture";

function weightsOf(given: unknown) {
  const model = makeModel(readDocument(given));
  const { doc } = model;
  return doc.layers.flatMap((layer) => {
    const { vectors, ...matrices } = layer.weights!;
    const parts = Object.entries<Packed | null>({ ...matrices, ...vectors }).filter((one): one is [string, Packed] => one[1] !== null);
    return parts.flatMap(([part, { shape }]) => {
      const [rows, columns] = [shape[0], shape[1] ?? 1];
      return Array.from({ length: rows * columns }, (_, k) => ({
        ...{ place: layer.place, part, row: Math.floor(k / columns), column: k % columns },
      }))
        .filter(({ row, column }) => {
          const read = part === "recurrent" ? source(doc.cell, layer, column)! : null;
          return !read || isWired(doc.cell, doc.cell.gates[Math.floor(row / layer.hidden)], read.state, read.unit);
        })
        .map((at) => {
          const names = weightNames(doc, at);
          const value = model.weight(at.place, at.part, at.row, at.column, [], null);
          const python = pythonOf(doc, [{ on: true, kind: "weight", ...at, value: 2.5 }]);
          return { ...at, ...names, torch: torchName(names), text: namesText(names), value, python };
        });
    });
  });
}

console.log(JSON.stringify(cases.map(({ name, doc }) => ({ name, weights: weightsOf(doc) }))));
