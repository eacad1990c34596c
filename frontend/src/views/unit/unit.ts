/** One unit: its picture, the arithmetic of what is opened in it, and its values over time. */

import "../../diagram/diagram.css";
import "./unit.css";
import { strips } from "../../charts/strips";
import type { CellDoc } from "../../document/schema";
import { make, write } from "../../dom/elements";
import { reveal } from "../../dom/reveal";
import type { View } from "../../dom/view";
import { reading } from "../../model/reading";
import type { Store } from "../../state/types";
import { inOrder } from "../../text/labels";
import { makeArithmetic } from "./arithmetic";
import { opened, Picture } from "./picture";

export { opened, Picture };

/** The sites of the strips; what the memory is squashed to is in the picture. */
function sitesInOrder(cell: CellDoc): string[] {
  const shown = cell.sites.filter((one) => one !== "tanh_c" && one !== "squashed_c");
  return cell.sites.includes("g") && cell.sites.includes("c") ? inOrder(cell, shown) : cell.sites;
}

export function makeUnit(store: Store): View {
  const { doc } = store.model;
  const show = (): number => requestAnimationFrame(() => reveal(arithmetic.element)); // once it is drawn
  const picture = new Picture(store, show);
  const arithmetic = makeArithmetic(store);
  const lines = strips(store, sitesInOrder(doc.cell), (node) => {
    store.set({ node }, { remember: true });
    show();
  });
  const title = make("span", { class: "unit-title" });
  const equations = make(
    "details",
    { class: "equations" },
    make("summary", {}, title, doc.cell.equations.length ? " · equations" : ""),
    make("pre", {}, doc.cell.equations.join("\n")),
    make("p", {}, doc.cell.cite),
  );
  equations.addEventListener("toggle", () => equations.open && reveal(equations));
  const skip = make("button", { type: "button", class: "skip" }, "Skip to the arithmetic");
  skip.addEventListener("click", () => arithmetic.element.focus());
  const element = make(
    "div",
    { class: "unit-view" },
    skip,
    make("section", { class: "picture", "aria-label": "the unit" }, equations, picture.element),
    arithmetic.element,
    lines.element,
  );

  function update(): void {
    const { state } = store;
    const layer = doc.layers.find((one) => one.place === state.place)!;
    write(
      title,
      [doc.cell.name, doc.layers.length > 1 ? layer.place : "", layer.hidden > 1 ? `unit ${state.unit} of 0–${layer.hidden - 1}` : ""]
        .filter(Boolean)
        .join(" · "),
    );
    const changed = state.compare && state.edits.some((edit) => edit.on);
    const now = reading(store);
    picture.update(now);
    arithmetic.update(now, changed ? reading(store, store.original(), false) : null, opened(store));
    lines.update();
  }

  return {
    element,
    update,
    destroy() {
      picture.destroy();
      lines.destroy();
    },
  };
}
