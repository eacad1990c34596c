/** The model writes on, at the end of the reader's own text; from a given one, from the cursor on. */

import { spoken, written } from "../../model/alphabet";
import { given, LONGEST, wordsOf } from "../../model/own";
import { nextSymbol } from "../../model/writing";
import type { Store } from "../../state/types";

/** Whether this model can: the page runs it, and its outputs are the symbols that it reads. */
export function writes({ model: { doc } }: Store): boolean {
  return doc.computed && spoken(doc) !== null;
}

/** What is shown becomes the reader's own, up to the cursor; what is own already stays as it is. */
export function takeOver(store: Store, until = store.state.time): void {
  const { state, model } = store;
  if (state.own !== null && state.item >= given(model.doc)) return;
  const { alphabet } = model.doc;
  const own = wordsOf(model.doc, state.item, until, (symbols) => (alphabet ? written(alphabet, symbols) : symbols.join("")));
  store.set({ own, item: model.doc.items.length, time: until, playing: false });
}

/** One symbol more. null: done; else why not. */
export function writeOne(store: Store): string | null {
  const { doc } = store.model;
  if (!writes(store) || !doc.alphabet) return "this model does not say what comes next";
  takeOver(store);
  const { item, temperature, seed } = store.state;
  const { characters, steps } = doc.items[item];
  if (!characters || item < given(doc)) return "this text has symbols that the model does not know";
  if (steps >= LONGEST) return `a text ends at ${LONGEST.toLocaleString("en")} symbols`;
  const next = nextSymbol(doc, store.run(), temperature, seed);
  if (next === null) return "the model's answer is not a number";
  store.set({ own: written(doc.alphabet, [...characters, next]), time: steps, playing: false });
  return null;
}
