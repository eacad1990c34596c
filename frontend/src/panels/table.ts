/** The data table: the current values in words, for readers who do not see the pictures, and for copying. */

import "./table.css";
import { make, write } from "../dom/elements";
import type { View } from "../dom/view";
import { outputsAt } from "../model/answer";
import type { Values } from "../model/types";
import { sayAt } from "../model/values";
import type { Store } from "../state/types";
import { count, figure, visible } from "../text/format";
import { feature, inOrder } from "../text/labels";

const PAGE = 50;

const OUTPUTS = 8;

const WORDS = ["step", "site", "meaning", "character"]; // columns that hold no figures

export function makeTable(store: Store): View {
  const { doc } = store.model;
  const { cell } = doc;
  const now = make("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "values at this step" });
  const over = make("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "values over time" });
  const earlier = make("button", { type: "button" }, "Earlier steps");
  const later = make("button", { type: "button" }, "Later steps");
  const pages = make("p", { class: "small", "aria-live": "polite" });
  const element = make("div", { class: "data-table" }, now, make("div", { class: "table-pages" }, earlier, pages, later), over);
  let page = 0;
  let followed = -1;
  let drawn = "";
  let drawnRun: unknown = null;

  function update(): void {
    const { time, place, unit, item, edits } = store.state;
    const run = store.run();
    if (time !== followed) [followed, page] = [time, Math.floor(time / PAGE)];
    page = Math.max(0, Math.min(page, Math.ceil(run.steps / PAGE) - 1));
    const key = [time, place, unit, item, edits.length, page].join();
    if (key === drawn && run === drawnRun) return;
    [drawn, drawnRun] = [key, run];
    const sites = run.places[place]?.sites ?? {};
    now.replaceChildren(stepTable(sites));
    over.replaceChildren(timeTable(sites, run.input));
    earlier.hidden = later.hidden = run.steps <= PAGE;
    earlier.disabled = page === 0;
    later.disabled = (page + 1) * PAGE >= run.steps;
    write(pages, `Steps ${page * PAGE} to ${Math.min(run.steps, (page + 1) * PAGE) - 1} of ${count(run.steps, "step")}`);
  }

  function stepTable(sites: Record<string, Values>): HTMLTableElement {
    const { time, unit, place } = store.state;
    const rows = inOrder(cell, Object.keys(sites)).map((site) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, site),
        make("td", { class: "words" }, cell.labels[site] ?? ""),
        entry(sites[site], time, unit),
      ),
    );
    return table(`${place}, unit ${unit}, at step ${time}`, ["site", "meaning", "value"], [...rows, ...outputs()]);
  }

  /** All of them where they are few, else the largest. */
  function outputs(): HTMLElement[] {
    const all = outputsAt(doc, store.run(), store.state.time);
    const shown = all.length > OUTPUTS ? all.slice(0, OUTPUTS) : all.sort((a, b) => a.index - b.index);
    return shown.map(({ name, value, error }) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, visible(name)),
        make("td", { class: "words" }, "output"),
        make("td", { class: "figure" }, Number.isNaN(value) ? "not a number" : figure(value, error)),
      ),
    );
  }

  function timeTable(sites: Record<string, Values>, input: Values): HTMLTableElement {
    const { unit, place, item } = store.state;
    const letters = store.model.doc.items[item]?.characters;
    const names = inOrder(cell, Object.keys(sites));
    const first = page * PAGE;
    const features = letters || input.width > 4 ? 0 : input.width;
    const rows = Array.from({ length: Math.max(0, Math.min(PAGE, input.steps - first)) }, (_, index) => {
      const time = first + index;
      const cells = names.map((site) => entry(sites[site], time, unit));
      const given = letters
        ? [make("td", {}, visible(letters[time] ?? ""))]
        : Array.from({ length: features }, (_one, column) => entry(input, time, column));
      return make(
        "tr",
        { "aria-current": time === store.state.time ? "step" : null },
        make("th", { scope: "row" }, String(time)),
        ...given,
        ...cells,
      );
    });
    const given = letters ? ["character"] : Array.from({ length: features }, (_, index) => feature(doc, index));
    return table(`${place}, unit ${unit}, over time`, ["step", ...given, ...names], rows);
  }

  earlier.addEventListener("click", () => turn(-1));
  later.addEventListener("click", () => turn(1));

  function turn(by: number): void {
    page += by;
    update();
  }

  return { element, update, destroy: () => undefined };
}

function entry(values: Values, time: number, unit: number): HTMLTableCellElement {
  const text = sayAt(values, time, unit);
  return make("td", { class: "figure" }, text === "NaN" ? "not a number" : text);
}

function table(caption: string, columns: string[], rows: HTMLElement[]): HTMLTableElement {
  const head = make(
    "thead",
    {},
    make("tr", {}, ...columns.map((name) => make("th", { scope: "col", class: WORDS.includes(name) ? null : "figure" }, name))),
  );
  return make("table", {}, make("caption", {}, caption), head, make("tbody", {}, ...rows));
}
