/** The panel for a sequence of the reader's own: typed, or drawn. The model runs on it in the page, and every view shows it. */

import "./own.css";
import { make } from "../../dom/elements";
import { iconButton } from "../../dom/icons";
import type { View } from "../../dom/view";
import { ownKind } from "../../model/own";
import { OWN_MODEL, type Store } from "../../state/types";
import { makeSeries } from "./series";
import { makeTyped } from "./typed";

/** Made when it is first opened. The focus goes in then, and back to the button when it closes. */
export function makeOwn(store: Store, back: () => void): View {
  const kind = ownKind(store.model.doc);
  const element = make("section", { class: "panel own", "aria-label": "your own input", hidden: true });
  let inner: (View & { focus(): void }) | null = null;
  let first = true; // what the address opens takes no focus away
  const close = iconButton("close", "close (the sequence stays)", () => store.set({ input: false }));
  close.classList.add("own-close");

  const update = (): void => {
    const open = store.state.input && kind !== null && !OWN_MODEL.includes(store.state.view);
    const changed = open === element.hidden;
    const inside = element.contains(document.activeElement);
    element.hidden = !open;
    if (open && !inner) {
      inner = kind === "text" ? makeTyped(store) : makeSeries(store);
      element.append(inner.element, close);
    }
    if (open) inner?.update();
    if (changed && open && !first) inner?.focus();
    if (changed && !open && inside) back();
    first = false;
  };
  return { element, update, destroy: () => inner?.destroy() };
}
