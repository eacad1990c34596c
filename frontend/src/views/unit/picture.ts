/** The picture of a unit in a box: drawn again where the room changes; its gates, memories and input are handles. */

import { type Described, described } from "../../diagram/described";
import { type Diagram, diagram } from "../../diagram/draw";
import { graphScene } from "../../diagram/graph";
import type { Hands } from "../../diagram/grips";
import { lstmScene } from "../../diagram/lstm";
import type { Scene } from "../../diagram/scene";
import type { CellDoc } from "../../document/schema";
import { make } from "../../dom/elements";
import { anatomy } from "../../model/anatomy";
import { edited, type Target, targetOf } from "../../model/editable";
import { type Reading, reading } from "../../model/reading";
import type { Model } from "../../model/types";
import { rowsOf, valueAt } from "../../model/values";
import { holdOf, letGo } from "../../panels/hold";
import type { Store } from "../../state/types";

const ROOM = 600; // pixels from which on the wide picture is used

/** The picture that fits the cell. */
function sceneOf(cell: CellDoc, model: Model, wide: boolean): Scene {
  const found = anatomy(cell, model);
  return found ? lstmScene(cell, found, wide) : graphScene(cell, model, wide);
}

/** What is opened when nothing is: the forget gate, where there is one. */
export function opened(store: Store): string {
  const { sites } = store.model.doc.cell;
  return store.state.node ?? (sites.includes("f") ? "f" : sites[0]);
}

export class Picture {
  readonly element = make("div", { class: "picture-box" });
  private drawn: Diagram | null = null;
  private words: Described | null = null;
  private wide: boolean | null = null;
  private travelled = "";
  private pointed: string[] = [];
  private room = 0; // known from the observer: to ask the element would cost a layout at every step
  private now: Reading;
  private reaches = new Map<string, number>();
  private reachesOf = "";
  private readonly resized = new ResizeObserver(([entry]) => {
    this.room = entry.contentRect.width;
    this.update();
  });

  /** open: what a click on a part does, after the part is chosen. */
  constructor(
    private readonly store: Store,
    private readonly open: () => void = () => undefined,
  ) {
    this.now = reading(store);
    this.resized.observe(this.element);
  }

  update(now = reading(this.store)): void {
    this.now = now;
    const wide = (this.room || this.element.clientWidth || ROOM) >= ROOM;
    if (wide !== this.wide) this.draw(wide);
    const { state } = this.store;
    this.drawn!.update(
      now,
      opened(this.store),
      (name) => this.isChanged(name),
      (site) => this.reach(site),
    );
    this.words!.update(now);
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
    const scene = sceneOf(model.doc.cell, model, wide);
    const choose = (node: string): void => {
      this.store.set({ node }, { remember: true });
      this.open();
    };
    this.words = described(scene, choose);
    this.drawn = diagram(scene, `One unit of ${model.doc.cell.name}`, choose, this.hands());
    this.drawn.highlight(this.pointed);
    this.element.classList.toggle("wide", wide);
    this.element.replaceChildren(this.drawn.element, this.words.element);
  }

  private hands(): Hands {
    const { store } = this;
    return {
      target: (node) => this.target(node),
      change: (node, value, dragging) => {
        const target = this.target(node);
        if (target) store.edit(target.edit(value), { dragging });
      },
      cancel: () => store.abandon(),
      free: (node) => {
        const target = targetOf(this.now, node);
        if (target) letGo(store, target);
      },
    };
  }

  /** What a drag of a node changes: a site as the panel would hold it, all else as the arithmetic's numbers do. */
  private target(node: string): Target | null {
    const target = targetOf(this.now, node);
    return target && this.now.doc.cell.sites.includes(node) ? holdOf(this.store, this.now, node) : target;
  }

  private isChanged(node: string): boolean {
    const target = targetOf(this.now, node);
    return target !== null && edited(this.store.state.edits, target);
  }

  /** The largest size that a site of this unit has without the edits, but 1 at least: it stays while one drags. */
  private reach(site: string): number {
    const { item, place, unit, snapshot } = this.store.state;
    const key = [item, place, unit, snapshot].join();
    if (key !== this.reachesOf) [this.reachesOf, this.reaches] = [key, new Map()];
    let most = this.reaches.get(site);
    if (most === undefined) {
      const values = this.store.original().places[place].sites[site];
      most = 1;
      for (let row = 0; values && row < rowsOf(values); row += 1) {
        const size = Math.abs(valueAt(values, row * values.every, unit));
        if (size > most && size < Infinity) most = size;
      }
      this.reaches.set(site, most);
    }
    return most;
  }
}
