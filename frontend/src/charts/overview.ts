/** All layers and directions at a glance: small maps of their gates and memory; a click makes one of them large. */

import { make } from "../dom/elements";
import type { View } from "../dom/view";
import { columnsOf } from "../model/values";
import type { Store } from "../state/types";
import { count } from "../text/format";
import { inOrder } from "../text/labels";
import { lookOf, paletteOf, schemeOf } from "./colours";
import { paint } from "./heatmap";

const STRIP = 9; // pixels of one site

export function makeOverview(store: Store): View {
  const { doc } = store.model;
  const list = make("div", { class: "overview-list" });
  const element = make("section", { class: "panel overview" }, make("header", {}, make("h3", {}, "Layers")), list);
  element.dataset["panel"] = "layers";
  const buttons = new Map<string, { button: HTMLButtonElement; canvases: Map<string, HTMLCanvasElement> }>();
  for (const layer of doc.layers) {
    const canvases = new Map(inOrder(doc.cell, doc.cell.sites).map((site) => [site, make("canvas", { "aria-hidden": "true" })]));
    const strips = make("span", { class: "overview-strips" }, ...canvases.values());
    const name = make(
      "span",
      { class: "overview-name" },
      make("b", {}, layer.place),
      ` ${count(layer.hidden, "unit")}${layer.reverse ? ", backwards" : ""}`,
    );
    const button = make("button", { type: "button", class: "overview-place" }, name, strips);
    button.addEventListener("click", () => store.set({ place: layer.place, unit: Math.min(store.state.unit, layer.hidden - 1) }));
    buttons.set(layer.place, { button, canvases });
    list.append(button);
  }
  const seen = new Set<Element>();
  let drawn: unknown = null;
  let drawnLook = "";
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target);
      else seen.delete(target);
      if (isIntersecting) draw(target);
    }
  });
  for (const { button } of buttons.values()) watch.observe(button);
  const stale = new Set<Element>();

  function draw(target: Element): void {
    const found = [...buttons].find(([, { button }]) => button === target);
    if (!found || !stale.delete(target)) return;
    const [place, { canvases }] = found;
    const palette = paletteOf(element);
    for (const [site, canvas] of canvases) {
      const values = store.run().places[place]?.sites[site];
      canvas.hidden = !values;
      if (!values) continue;
      const { columns } = columnsOf(values, values.units ?? Array.from({ length: values.width }, (_, unit) => unit));
      const size = { width: Math.max(40, Math.round(canvas.clientWidth || 140)), height: STRIP };
      paint(canvas, values, columns, { from: 0, to: values.steps }, schemeOf(doc.cell, site, values, palette), size);
    }
  }

  function update(): void {
    for (const [place, { button }] of buttons) button.setAttribute("aria-pressed", String(place === store.state.place));
    const run = store.run();
    element.classList.toggle("computing", !run.done);
    if (!run.done) return; // it comes when all layers are there
    const look = lookOf(element);
    if (run === drawn && look === drawnLook) return;
    [drawn, drawnLook] = [run, look];
    for (const { button } of buttons.values()) stale.add(button);
    for (const target of seen) draw(target);
  }

  return { element, update, destroy: () => watch.disconnect() };
}
