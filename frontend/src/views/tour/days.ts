/** The four days as a table: price and memories, before and after the edits; a day is chosen by its button. */

import { make } from "../../dom/elements";
import { valueAt } from "../../model/values";
import type { Store } from "../../state/types";
import { figure } from "../../text/format";

const ROWS: [site: string, name: string][] = [
  ["input", "price"],
  ["c", "long memory c"],
  ["h", "short memory h"],
];

export function days(store: Store): { element: HTMLElement; update(): void } {
  const { items, layers } = store.model.doc;
  const steps = items[0].steps;
  const companies = items.map(({ name }, item) => {
    const button = make("button", { type: "button", class: "day", "aria-label": name }, ...short(name));
    button.addEventListener("click", () => store.set({ item }));
    return button;
  });
  const heads = Array.from({ length: steps }, (_, time) => {
    const button = make("button", { type: "button", class: "day" }, `day ${time + 1}`);
    button.addEventListener("click", () => store.set({ time }));
    return button;
  });
  const cells = ROWS.map(() => heads.map(() => make("td")));
  const choice = make("div", { class: "companies", role: "group", "aria-label": "company" }, ...companies);
  const element = make(
    "section",
    { class: "days", "aria-label": "the four days" },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, make("td", {}, choice), ...heads.map((button) => make("th", { scope: "col" }, button)))),
      make(
        "tbody",
        {},
        ...ROWS.map(([site, name], row) =>
          make("tr", { class: `row-${site}` }, make("th", { scope: "row" }, ...short(name)), ...cells[row]),
        ),
      ),
    ),
  );

  function update(): void {
    const { state } = store;
    const [run, original] = [store.run(), store.original()];
    companies.forEach((button, item) => button.setAttribute("aria-pressed", String(item === state.item)));
    heads.forEach((button, time) => button.setAttribute("aria-pressed", String(time === state.time)));
    ROWS.forEach(([site], row) =>
      cells[row].forEach((cell, time) => {
        const read = (from: typeof run): number =>
          valueAt(site === "input" ? from.input : from.places[layers[0].place].sites[site], time, 0);
        const [now, was] = [figure(read(run)), figure(read(original))];
        const text = [now, was].join("|");
        if (cell.dataset.shown !== text) {
          cell.dataset.shown = text;
          cell.replaceChildren(...(now === was ? [] : [make("s", { "aria-label": `was ${was}` }, was), " "]), now);
        }
        cell.classList.toggle("here", time === state.time);
        cell.classList.toggle("changed", now !== was);
      }),
    );
  }

  return { element, update };
}

/** "company A": where there is little room, the last word says it. */
function short(name: string): (Node | string)[] {
  const at = name.lastIndexOf(" ") + 1;
  return at ? [make("span", { class: "longer" }, name.slice(0, at)), name.slice(at)] : [name];
}
