/** The list of edits as people read it. */

import type { Doc, LayerDoc } from "../document/schema";
import { targetOf } from "../model/edits";
import { block, source } from "../model/layout";
import type { Edit } from "../model/types";
import { typed } from "../text/format";
import { feature } from "../text/labels";

/** The edits with one more, which takes the place of an edit of the same target. */
export function withEdit(edits: Edit[], edit: Edit): Edit[] {
  const target = targetOf(edit);
  const index = edits.findIndex((one) => targetOf(one) === target);
  return index < 0 ? [...edits, edit] : edits.map((one, k) => (k === index ? edit : one));
}

/** "forget gate f of unit 3 at step 6 = 0". Steps are counted from 0, as in Python: that one is time=6. */
export function sentence(doc: Doc, edit: Edit): string {
  const place = "place" in edit && doc.layers.length > 1 ? `${edit.place}: ` : "";
  const single = doc.layers.every((layer) => layer.hidden === 1);
  const value = typed(edit.value);
  switch (edit.kind) {
    case "site": {
      const unit = single ? "" : edit.unit === null ? " of all units" : ` of unit ${edit.unit}`;
      const time = edit.time === null ? "at every step" : `at step ${edit.time}`;
      return `${place}${labelled(doc, edit.site)}${unit} ${time} = ${value}`;
    }
    case "input": {
      return `${feature(doc, edit.feature)} at step ${edit.time} of ${doc.items[edit.item]?.name ?? edit.item} = ${value}`;
    }
    case "weight":
      return `${place}${weightName(doc, edit)} = ${value}`;
    case "initial":
      return `${place}first ${labelled(doc, edit.state)}${single ? "" : ` of unit ${edit.unit}`} = ${value}`;
  }
}

/** "forget gate f"; the letter alone where the cell has no words for it. */
function labelled(doc: Doc, site: string): string {
  const label = doc.cell.labels[site];
  return label && label !== site ? `${label} ${site}` : site;
}

function weightName(doc: Doc, edit: Extract<Edit, { kind: "weight" }>): string {
  const layer = doc.layers.find((one) => one.place === edit.place)!;
  const { hidden } = layer;
  const gate = labelled(doc, doc.cell.gates[Math.floor(edit.row / hidden)] ?? "");
  const { first, size } = block(doc.cell, layer, edit.part, edit.row);
  const unit = size > 1 ? `, units ${first % hidden}–${(first % hidden) + size - 1}` : hidden > 1 ? `, unit ${first % hidden}` : "";
  switch (edit.part) {
    case "input":
      return `${gate}${unit}: weight of ${feature(doc, edit.column)}`;
    case "recurrent":
      return `${gate}${unit}: weight of ${memoryName(doc, layer, edit.column)}`;
    case "bias_input":
      return `${gate}${unit}: bias`;
    case "bias_recurrent":
      return `${gate}${unit}: second bias`;
    case "projection":
      return `projection ${edit.row}, ${edit.column}`;
    default:
      return `${edit.part} of unit ${edit.row}`;
  }
}

function memoryName(doc: Doc, layer: LayerDoc, column: number): string {
  const read = source(doc.cell, layer, column);
  if (!read) return `memory ${column}`;
  return `${labelled(doc, read.state)}${layer.hidden > 1 ? ` of unit ${read.unit}` : ""}`;
}
