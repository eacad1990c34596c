/** Buttons that change the memory at the cursor: wiped, held as it is, or that of another step or sequence put in. */

import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { joined, memoriesOf, taken, type Whose, wiped } from "../../model/memories";
import type { Edit } from "../../model/types";
import type { Store } from "../../state/types";
import { chosen as sides } from "./sides";

export function makeMemories(store: Store): View {
  const { model } = store;
  const { doc } = model;
  const whose = make("select", { "aria-label": "which memories" });
  const from = make("select", { "aria-label": "sequence to take the memory of" });
  const step = make("input", { type: "number", min: 0, step: 1, value: 0, "aria-label": "step to take the memory of" });
  const legend = make("legend", {}, "Change the memory");
  const button = (text: string, title: string, act: () => void): HTMLButtonElement => {
    const made = make("button", { type: "button", class: "outlined", title }, text);
    made.addEventListener("click", act);
    return made;
  };
  const names = memoriesOf(doc.cell).join(", ");
  const element = make(
    "fieldset",
    { class: "compare-row" },
    legend,
    whose,
    button("Wipe", `${names} at 0 at this step`, () => change(wiped(doc, chosen(), store.state.time))),
    button("Hold", `${names} at every step as at this step`, () =>
      change(taken(doc, chosen(), store.run(), store.state.time, null, false)),
    ),
    button("Swap in", "the states of the step and sequence beside", () => swap()),
    make("label", {}, "that of step ", step),
    make("label", {}, "of ", from),
  );

  const chosen = (): Whose => {
    const { place, unit } = store.state;
    return { place: whose.value === "all" ? null : place, unit: whose.value === "unit" ? unit : null };
  };

  /** One of the sides then shows it. */
  function change(edits: Edit[]): void {
    const { left, right } = sides(store);
    const shown = [left.key, right.key].includes("changed");
    store.set({ edits: joined(store.state.edits, edits), ...(shown ? {} : { sides: "trained~changed" }) });
  }

  function swap(): void {
    const run = model.run(Number(from.value), [], store.state.snapshot);
    const at = Math.max(0, Math.min(run.steps - 1, Math.round(Number(step.value)) || 0));
    step.value = String(at);
    change(taken(doc, chosen(), run, at, store.state.time, true));
  }

  function update(): void {
    const { place, unit, time } = store.state;
    write(legend, `Change the memory at step ${time}`);
    const layer = doc.layers.length > 1 ? ` of ${place}` : "";
    const choices = [
      ["unit", `unit ${unit}${layer}`],
      ["layer", `all units${layer}`],
      ...(doc.layers.length > 1 ? [["all", "all layers"]] : []),
    ];
    fill(whose, choices);
    const items = doc.items.map(({ name }, item) => [String(item), name]).filter(([, name], item) => name && doc.items[item].steps);
    fill(from, items);
  }

  return { element, update, destroy: () => undefined };
}

function fill(select: HTMLSelectElement, choices: string[][]): void {
  const key = JSON.stringify(choices);
  if (select.dataset["choices"] === key) return;
  const { value } = select;
  select.replaceChildren(...choices.map(([one, name]) => new Option(name, one)));
  select.dataset["choices"] = key;
  if (choices.some(([one]) => one === value)) select.value = value;
}
