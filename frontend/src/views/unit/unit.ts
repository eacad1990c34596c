/** One unit: its picture, the arithmetic of what is opened in it, and its values over time. */

import "../../diagram/diagram.css";
import "./unit.css";
import { strips } from "../../charts/strips";
import { type Diagram, described, diagram } from "../../diagram/draw";
import { graphScene } from "../../diagram/graph";
import { lstmScene } from "../../diagram/lstm";
import type { Scene } from "../../diagram/scene";
import type { CellDoc } from "../../document/schema";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { anatomy } from "../../model/anatomy";
import { edited, targetOf } from "../../model/editable";
import { type Reading, reading } from "../../model/reading";
import type { Model } from "../../model/types";
import type { Store } from "../../state/types";
import { inOrder } from "../../text/labels";
import { makeArithmetic } from "./arithmetic";

const ROOM = 620; // pixels from which on the wide picture is used

/** The picture that fits the cell. */
function sceneOf(cell: CellDoc, model: Model, wide: boolean): Scene {
  const found = anatomy(cell, model);
  return found ? lstmScene(cell, found, wide) : graphScene(cell, model, wide);
}

/** The sites of the strips; what the memory is squashed to is in the picture. */
function sitesInOrder(cell: CellDoc): string[] {
  const shown = cell.sites.filter((one) => one !== "tanh_c" && one !== "squashed_c");
  return cell.sites.includes("g") && cell.sites.includes("c") ? inOrder(cell, shown) : cell.sites;
}

/** What is opened when nothing is: the forget gate, where there is one. */
export function opened(store: Store): string {
  const { sites } = store.model.doc.cell;
  return store.state.node ?? (sites.includes("f") ? "f" : sites[0]);
}

/** A picture in a box, drawn again where the room changes. */
export class Picture {
  readonly element = make("div", { class: "picture-box" });
  private drawn: Diagram | null = null;
  private scene: Scene | null = null;
  private words: HTMLElement | null = null;
  private wide: boolean | null = null;
  private travelled = "";
  private pointed: string[] = [];
  private room = 0; // known from the observer: to ask the element would cost a layout at every step
  private readonly resized = new ResizeObserver(([entry]) => {
    this.room = entry.contentRect.width;
    this.update();
  });

  constructor(private readonly store: Store) {
    this.resized.observe(this.element);
  }

  update(now = reading(this.store)): void {
    const wide = (this.room || this.element.clientWidth || ROOM) >= ROOM;
    if (wide !== this.wide) this.draw(wide);
    const { state } = this.store;
    this.drawn!.update(now, opened(this.store), (name) => isChanged(now, name, this.store));
    const words = described(this.scene!, now);
    this.words!.replaceChildren(...words.children);
    const here = [state.item, state.time].join();
    if (this.travelled && this.travelled !== here) this.drawn!.travel();
    this.travelled = here;
  }

  highlight(ids: string[]): void {
    this.pointed = ids;
    this.drawn?.highlight(ids);
  }

  destroy(): void {
    this.resized.disconnect();
    this.drawn?.destroy();
  }

  private draw(wide: boolean): void {
    const { model } = this.store;
    this.wide = wide;
    this.drawn?.destroy();
    this.scene = sceneOf(model.doc.cell, model, wide);
    this.words = described(this.scene, reading(this.store));
    this.drawn = diagram(this.scene, `One unit of ${model.doc.cell.name}`, (node) => this.store.set({ node }, { remember: true }));
    this.drawn.highlight(this.pointed);
    this.element.classList.toggle("wide", wide);
    this.element.replaceChildren(this.drawn.element, this.words);
  }
}

function isChanged(now: Reading, name: string, store: Store): boolean {
  const target = targetOf(now, name);
  return target !== null && edited(store.state.edits, target);
}

export function makeUnit(store: Store): View {
  const { doc } = store.model;
  const picture = new Picture(store);
  const arithmetic = makeArithmetic(store);
  const lines = strips(store, sitesInOrder(doc.cell), (node) => store.set({ node }, { remember: true }));
  const title = make("span", { class: "unit-title" });
  const equations = make(
    "details",
    { class: "equations" },
    make("summary", {}, title, doc.cell.equations.length ? " · equations" : ""),
    make("pre", {}, doc.cell.equations.join("\n")),
    make("p", {}, doc.cell.cite),
  );
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
