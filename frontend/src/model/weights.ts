/** The weights of every layer, at a snapshot or as trained, with the edits of weights written into them. */

import { copied, type Matrix, matrix } from "../document/read";
import type { Doc, HeadDoc, LayerDoc, Packed, WeightsDoc } from "../document/schema";
import { type WeightEdit, weightEdits } from "./edits";
import { block } from "./layout";
import type { Weights } from "./recurrence";
import type { Edit } from "./types";

const MATRICES = ["input", "recurrent", "bias_input", "bias_recurrent", "projection"] as const;

export class WeightStore {
  private readonly kept = new Map<string, Weights>();

  constructor(private readonly doc: Doc) {}

  /** The same object for the same weights, so that it can identify results. Throws if the document has none. */
  of(place: string, edits: Edit[], snapshot: number | null): Weights {
    const changes = weightEdits(edits, place);
    const key = JSON.stringify([place, snapshot, changes.map(({ part, row, column, value }) => [part, row, column, value])]);
    let found = this.kept.get(key);
    if (!found) {
      const layer = this.doc.layers.find((one) => one.place === place)!;
      found = changed(
        read(this.document(place, snapshot), Boolean(layer.errors)),
        changes.flatMap((edit) => this.spread(layer, edit)),
      );
      this.kept.set(key, found);
      if (this.kept.size > 8 * this.doc.layers.length + 40) this.kept.delete(this.kept.keys().next().value!);
    }
    return found;
  }

  head(snapshot: number | null): HeadDoc | null {
    return (snapshot === null ? null : this.doc.training?.heads?.[snapshot]) ?? this.doc.head;
  }

  /** An edit of a weight that units share, in each of their rows. */
  private spread(layer: LayerDoc, edit: WeightEdit): WeightEdit[] {
    const { first, size } = block(this.doc.cell, layer, edit.part, edit.row);
    return Array.from({ length: size }, (_, k) => ({ ...edit, row: first + k }));
  }

  private document(place: string, snapshot: number | null): WeightsDoc {
    const index = this.doc.layers.findIndex((layer) => layer.place === place);
    const found = snapshot === null ? this.doc.layers[index]?.weights : this.doc.training?.weights[snapshot]?.[index];
    if (!found) throw new Error(`the document holds no weights of ${place}`);
    return found;
  }
}

function read(doc: WeightsDoc, rounded: boolean): Weights {
  const part = (packed: Packed | null): Matrix | null => (packed ? matrix(packed) : null);
  return {
    rounded: rounded ? doc.input.dtype : null,
    input: matrix(doc.input),
    recurrent: part(doc.recurrent),
    bias_input: part(doc.bias_input),
    bias_recurrent: part(doc.bias_recurrent),
    projection: part(doc.projection),
    vectors: Object.fromEntries(Object.entries(doc.vectors).map(([name, packed]) => [name, copied(packed)])),
  };
}

function changed(weights: Weights, edits: WeightEdit[]): Weights {
  if (!edits.length) return weights;
  const result = { ...weights, vectors: { ...weights.vectors } };
  const touched = new Set<string>();
  for (const { part, row, column, value } of edits) {
    const first = !touched.has(part);
    touched.add(part);
    if (part in result.vectors) {
      if (first) result.vectors[part] = result.vectors[part].slice();
      if (row < result.vectors[part].length) result.vectors[part][row] = value;
      continue;
    }
    const name = MATRICES.find((one) => one === part);
    const old = name && result[name];
    if (!name || !old) continue;
    if (first) result[name] = { ...old, data: old.data.slice() };
    const index = old.rows === 1 ? row : row * old.columns + column;
    if (index < old.data.length) result[name]!.data[index] = value;
  }
  return result;
}

/** One number of them; NaN if there is none of that name and place. */
export function numberOf(weights: Weights, part: string, row: number, column: number): number {
  if (part in weights.vectors) return weights.vectors[part][row] ?? NaN;
  const name = MATRICES.find((one) => one === part);
  const found = name && weights[name];
  if (!found) return NaN;
  return found.data[found.rows === 1 ? row : row * found.columns + column] ?? NaN;
}
