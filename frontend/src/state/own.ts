/** The reader's own sequence in a link: there it is the last of the items, whatever was typed before it. */

import type { Doc, ItemDoc } from "../document/schema";
import { given, placed } from "../model/own";
import type { Edit } from "../model/types";
import type { State } from "./types";

const MOST = 1500; // letters of it that a link carries; one that is longer is left out

/** Whether a link has room for it. */
export function carried(own: string | null): boolean {
  return own === null || encodeURIComponent(own).length <= MOST;
}

/** The document as links see it, and what takes a state out of one back to where the sequence stands, or will. */
export function fromLink(doc: Doc, own: string | null): { doc: Doc; own: string | null; placed(state: State): State } {
  const last = given(doc);
  const { item, at } = own === null ? { item: null, at: last } : placed(doc, own);
  const items: ItemDoc[] = [...doc.items.slice(0, last), ...(item ? [item] : [])];
  const back = <Some extends { item: number }>(one: Some): Some => (one.item === last ? { ...one, item: at } : one);
  return {
    doc: { ...doc, items },
    own: item && own,
    placed: (state) =>
      back({ ...state, marks: state.marks.map(back), edits: state.edits.map((edit) => ("item" in edit ? back(edit) : edit)) }),
  };
}

/** Without the changes of the reader's own sequence, which nobody has who has the model. */
export function ofTheModel(doc: Doc, edits: Edit[]): Edit[] {
  return edits.filter((edit) => !("item" in edit) || edit.item < given(doc));
}

/** The state as a link holds it: without the changes of what was typed before. */
export function toLink(doc: Doc, state: State): State {
  const last = given(doc);
  const own = carried(state.own) ? state.own : null;
  const kept = (edit: Edit): boolean => !("item" in edit) || edit.item < last || (own !== null && edit.item === state.item);
  const moved = (edit: Edit): Edit => ("item" in edit ? { ...edit, item: Math.min(edit.item, last) } : edit);
  const item = own === null && state.item >= last ? 0 : Math.min(state.item, last);
  const marks = state.marks.filter((one) => one.item < last || (own !== null && one.item === state.item));
  return {
    ...state,
    ...{ own, item, edits: state.edits.filter(kept).map(moved) },
    marks: marks.map((one) => ({ ...one, item: Math.min(one.item, last) })),
  };
}
