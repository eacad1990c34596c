/** The two that are compared: the model as it is, as it was trained, at an epoch, or one that was put beside it. */

import type { Doc } from "../../document/schema";
import { makeModel } from "../../model/network";
import type { Edit, Model, Run } from "../../model/types";
import type { Store } from "../../state/types";

export interface Side {
  key: string; // in the page's address
  label: string;
  model: Model;
  edits: Edit[];
  snapshot: number | null;
}

const others = new WeakMap<Doc, Model>();

/** The model that was put beside this one; made once. */
function besideOf({ beside }: Doc): Model | null {
  if (!beside) return null;
  let found = others.get(beside);
  if (!found) others.set(beside, (found = makeModel(beside)));
  return found;
}

/** All that can be chosen. */
export function sidesOf(store: Store): Side[] {
  const { model, state } = store;
  const { doc } = model;
  const own = { model, edits: [] as Edit[], snapshot: null };
  const beside = besideOf(doc);
  const epochs = (doc.training?.epochs ?? []).map(
    (epoch, snapshot): Side => ({ ...own, key: `epoch${snapshot}`, label: `after epoch ${epoch}`, snapshot }),
  );
  return [
    { ...own, key: "trained", label: doc.training ? "as trained" : "as it is" },
    ...(doc.computed ? [{ ...own, key: "changed", label: "with your changes", edits: state.edits, snapshot: state.snapshot }] : []),
    ...(beside ? [{ ...own, key: "beside", label: beside.doc.title, model: beside }] : []),
    ...epochs,
  ];
}

/** "trained~epoch0" as two of them; what makes no sense is as at first: as trained beside the most telling of the others. */
export function chosen(store: Store): { all: Side[]; left: Side; right: Side } {
  const all = sidesOf(store);
  const [one, other] = store.state.sides.split("~");
  const find = (key: string | undefined): Side | undefined => all.find((side) => side.key === key);
  const changed = store.state.edits.some(({ on }) => on) || store.state.snapshot !== null;
  const usual = find("beside") ?? (changed ? undefined : find("epoch0")) ?? find("changed") ?? all[0];
  return { all, left: find(one) ?? all[0], right: find(other) ?? usual };
}

/** null: that model has no such sequence. */
export function runOf({ model, edits, snapshot }: Side, item: number): Run | null {
  return model.doc.items[item] ? model.run(item, edits, snapshot) : null;
}
