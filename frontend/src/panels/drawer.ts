/** The drawer with the table of values: it slides over the view, which stays usable beside it. */

import { OWN_MODEL } from "./header";
import "./drawer.css";
import { make } from "../dom/elements";
import { iconButton } from "../dom/icons";
import type { View } from "../dom/view";
import type { Store } from "../state/types";
import { makeTable } from "./table";

/** The focus goes in when it opens, and back to where it was when it closes. */
export function makeDrawer(store: Store): View {
  const table = makeTable(store);
  const close = iconButton("close", "close the table (esc)", () => store.set({ table: false }));
  const head = make("header", { class: "drawer-head" }, make("h2", {}, "Values"), close);
  const element = make("section", { class: "drawer", "aria-label": "data table", tabindex: -1 }, head, table.element);
  element.dataset["panel"] = "data table";
  element.hidden = true;
  let came: HTMLElement | SVGElement | null = null; // from where the focus went in
  let first = true; // what the address opens takes no focus away

  element.addEventListener("focusin", ({ relatedTarget: from }) => {
    if ((from instanceof HTMLElement || from instanceof SVGElement) && !element.contains(from)) came = from;
  });

  function update(): void {
    const open = store.state.table && !OWN_MODEL.includes(store.state.view);
    const changed = open === element.hidden;
    const inside = element.contains(document.activeElement);
    element.hidden = !open;
    if (open) table.update();
    if (changed && open && !first) element.focus({ preventScroll: true });
    if (changed && !open && inside && came?.isConnected) came.focus({ preventScroll: true });
    first = false;
  }

  return { element, update, destroy: () => table.destroy() };
}
