/** What the head makes of a step: its outputs by name, the largest first. */

import type { Doc } from "../document/schema";
import { make, write } from "../dom/elements";
import type { View } from "../dom/view";
import { type Output, outputsAt } from "../model/answer";
import type { Store } from "../state/types";
import { figure, percent, visible } from "../text/format";

const MOST = 5;

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
