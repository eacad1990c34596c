/** What the head makes of a step: its outputs by name, the largest first. */

import type { Doc } from "../document/schema";
import { make, write } from "../dom/elements";
import type { View } from "../dom/view";
import type { Run } from "../model/types";
import { errorAt } from "../model/values";
import type { Store } from "../state/types";
import { figure, percent, visible } from "../text/format";

const MOST = 5;

export interface Output {
  index: number;
  name: string;
  value: number;
  error: number; // how far it may be off
}

/** At a step; all outputs, the largest first, those that are no numbers last. */
export function outputsAt(doc: Doc, { head }: Run, time: number): Output[] {
  if (!head) return [];
  const found = Array.from({ length: head.width }, (_, index) => ({
    index,
    name: outputName(doc, index),
    value: head.data[time * head.width + index],
    error: errorAt(head, index),
  }));
  return found.sort((a, b) => Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value)) || b.value - a.value);
}

export function outputName({ head }: Doc, index: number): string {
  return head?.names?.[index] ?? (head?.weight.shape[0] === 1 ? "output" : `output ${index}`);
}

/** As a share where it is one. */
function outputValue({ head }: Doc, value: number, error: number): string {
  return head?.squash === "none" || Number.isNaN(value) ? figure(value, error) : percent(value, error);
}

/** The panel beside the maps. */
export function makeOutputs(store: Store): View {
  const { doc } = store.model;
  const title = make("h3");
  const list = make("ol", { class: "output-list" });
  const rest = make("p", { class: "small" });
  const element = make("section", { class: "panel outputs" }, make("header", {}, title), list, rest);
  element.dataset["panel"] = "outputs at the cursor";
  const squash = doc.head?.squash ?? "none";

  function update(): void {
    element.classList.toggle("computing", !store.run().done);
    if (!store.run().done) return; // it comes when the layers above are there
    const all = outputsAt(doc, store.run(), store.state.time);
    element.hidden = !all.length;
    write(
      title,
      `${squash === "softmax" ? "Likeliest output" : all.length > MOST ? "Largest outputs" : "Output"} at step ${store.state.time}`,
    );
    list.replaceChildren(...all.slice(0, MOST).map(row));
    const others = all.slice(MOST);
    const left = others.reduce((sum, one) => sum + one.value, 0);
    const error = others.reduce((sum, one) => sum + one.error, 0);
    write(
      rest,
      others.length ? `and ${others.length} more${squash === "softmax" ? `, together ${outputValue(doc, left, error)}` : ""}` : "",
    );
  }

  function row({ name, value, error }: Output): HTMLElement {
    const line = make("li", {}, make("b", {}, visible(name)), make("span", {}, outputValue(doc, value, error)));
    if (squash === "none") return line;
    line.classList.add("share");
    line.style.setProperty("--share", `${100 * (value || 0)}%`);
    return line;
  }

  return { element, update, destroy: () => undefined };
}
