/** The keyboard: what a key does, unless something that has the focus wants it for itself. */

import { OWN_MODEL, type Store } from "../state/types";
import { viewsOf } from "./header";
import { writeOne, writes } from "./own/write";
import { stepBy, togglePlay } from "./timebar";

export const KEYS: [keys: string, what: string][] = [
  ["← →", "one step back or forward; with Shift ten; in the tour a day"],
  ["Enter", "in the tour: the next stage; with Shift the one before"],
  ["Home End", "first, last step"],
  ["↑ ↓", "another unit; on a gate, memory or input of the picture: change it"],
  ["Del", "on a part of the picture: let go of it, as a double click does"],
  ["Space", "play, pause"],
  ["1 … 9", "the views, in the order of their tabs"],
  ["u", "undo; Shift u: redo (or Ctrl z, Ctrl Shift z)"],
  ["w", "the model writes one more character; at the end of your own text, or from the cursor on"],
  ["t", "data table"],
  ["c", "show the original too, or not"],
  ["?", "this help"],
  ["Esc", "close the table, or this help; during a drag: take it back"],
];

const TYPED = "input:not([type=checkbox]), select, textarea, [contenteditable=''], [contenteditable=true]";

const NUMBER = "[role=spinbutton]:not(.node)"; // takes digits, and a letter beside them is a slip

/** A part of the picture takes ↑ and ↓ before they come here, and leaves the others. */
const ARROWS = `${TYPED}, [role=tablist], :is([role=slider], [role=spinbutton]):not(.node), [role=listbox], [role=menu], [role=grid], [role=radiogroup]`;

const PRESSED = "button, a[href], summary, [role=button], [role=checkbox], [role=tab], input";

/** Acts on a key. True if it meant something here. */
export function pressed(store: Store, event: KeyboardEvent, help: () => void): boolean {
  const target = event.target instanceof Element ? event.target : null;
  if (event.defaultPrevented || event.altKey || target?.closest("dialog")) return false;
  if (event.ctrlKey || event.metaKey) return !OWN_MODEL.includes(store.state.view) && !target?.closest(TYPED) && history(store, event);
  if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") {
    return !target?.closest(ARROWS) && move(store, event);
  }
  if (target?.closest(TYPED) && !(target instanceof HTMLInputElement && target.type === "range")) return false;
  if (target?.closest(NUMBER) && event.key.length === 1) return false;
  if (event.key === " ") return !target?.closest(PRESSED) && !OWN_MODEL.includes(store.state.view) && act(() => togglePlay(store));
  if (/^[1-9]$/.test(event.key)) {
    const view = viewsOf(store.model.doc)[Number(event.key) - 1];
    return view !== undefined && act(() => store.set({ view, playing: false }));
  }
  if (event.key === "?") return act(help);
  if (OWN_MODEL.includes(store.state.view)) return false; // they have a model and a history of their own
  switch (event.key) {
    case "Escape":
      return store.state.table && act(() => store.set({ table: false }));
    case "u":
      return act(() => store.undo());
    case "U":
      return act(() => store.redo());
    case "w":
      return writes(store) && act(() => store.set({ input: true })) && act(() => writeOne(store));
    case "t":
      return act(() => store.set({ table: !store.state.table }));
    case "c":
      return act(() => store.set({ compare: !store.state.compare }));
    default:
      return false;
  }
}

function act(what: () => void): true {
  what();
  return true;
}

function history(store: Store, event: KeyboardEvent): boolean {
  const key = event.key.toLowerCase();
  if (key === "z") return act(() => (event.shiftKey ? store.redo() : store.undo()));
  return key === "y" && act(() => store.redo());
}

function move(store: Store, event: KeyboardEvent): boolean {
  if (OWN_MODEL.includes(store.state.view)) return false;
  const far = event.shiftKey ? 10 : 1;
  const steps = store.model.doc.items[store.state.item].steps;
  const moves: Record<string, () => void> = {
    ArrowLeft: () => stepBy(store, -far),
    ArrowRight: () => stepBy(store, far),
    Home: () => stepBy(store, -steps),
    End: () => stepBy(store, steps),
    ArrowUp: () => store.set({ unit: store.state.unit - far }),
    ArrowDown: () => store.set({ unit: store.state.unit + far }),
  };
  return event.key in moves && act(moves[event.key]);
}
