/** Changes of whole memories: wiped, held as they are, or another's put in. */

import type { CellDoc, Doc, LayerDoc } from "../document/schema";
import { targetOf } from "./edits";
import type { Edit, Run } from "./types";
import { valueAt } from "./values";

/** Which memories: one unit, all of a layer, or all there are. */
export interface Whose {
  place: string | null; // null: of every layer
  unit: number | null; // null: every unit
}

/** What a cell remembers by: what it keeps beside its output, or else that. */
export function memoriesOf({ state }: CellDoc): string[] {
  return state.length > 1 ? state.slice(1) : state;
}

function layersOf({ layers }: Doc, { place }: Whose): LayerDoc[] {
  return layers.filter((layer) => place === null || layer.place === place);
}

/** At 0 at a step; the output follows from it. */
export function wiped(doc: Doc, { place, unit }: Whose, time: number): Edit[] {
  const sites = memoriesOf(doc.cell).filter((site) => doc.cell.sites.includes(site));
  return layersOf(doc, { place, unit }).flatMap((layer) =>
    sites.map((site): Edit => ({ on: true, kind: "site", place: layer.place, site, value: 0, time, unit })),
  );
}

/** The memories that a run has at a step, as edits. time null: held there at every step. outputs: the output too, which else follows. */
export function taken(doc: Doc, whose: Whose, run: Run, step: number, time: number | null, outputs: boolean): Edit[] {
  const names = outputs ? doc.cell.state : memoriesOf(doc.cell);
  return layersOf(doc, whose).flatMap((layer) =>
    names
      .filter((site) => doc.cell.sites.includes(site))
      .flatMap((site) => {
        const values = run.places[layer.place].sites[site];
        const units = whose.unit === null ? Array.from({ length: values.width }, (_, unit) => unit) : [whose.unit];
        const known = units.filter((unit) => unit < values.width);
        return known.map(
          (unit): Edit => ({ on: true, kind: "site", place: layer.place, site, value: valueAt(values, step, unit), time, unit }),
        );
      }),
  );
}

/** The edits with others behind them, in place of those of the same memories at the same step. A change of all units also replaces
 *  those of single ones, which would stand before it. */
export function joined(edits: Edit[], more: Edit[]): Edit[] {
  const units = new Set(more.map(targetOf));
  const all = new Set(more.flatMap((edit) => (edit.kind === "site" && edit.unit === null ? [targetOf({ ...edit, unit: -1 })] : [])));
  const whole = (edit: Edit): string => (edit.kind === "site" ? targetOf({ ...edit, unit: -1 }) : "");
  return [...edits.filter((edit) => !units.has(targetOf(edit)) && !all.has(whole(edit))), ...more];
}
