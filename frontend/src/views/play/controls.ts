/** What is trained: task, cell, sizes, seed; and one's own text. */

import type { PlayDoc } from "../../document/schema";
import { make, write } from "../../dom/elements";
import { LIMITS, type Settings, type TaskName, USUAL, usual } from "../../train/settings";

export interface Controls {
  element: HTMLElement;
  update(settings: Settings): void;
}

/** choose: hears of every change. */
export function makeControls(play: PlayDoc, choose: (settings: Settings) => void): Controls {
  let now: Settings = usual("companies", play);
  const tasks = Object.entries(USUAL).map(([name, { title }]): [string, string] => [name, title]);
  const cells = Object.entries(play.cells).map(([name, { title }]): [string, string] => [name, title]);
  const task = chooser("task", tasks, (name) => choose({ ...usual(name as TaskName, play), cell: now.cell, held: kept(now.cell) }));
  const cell = chooser("cell", cells, (name) => choose({ ...now, cell: name, held: kept(name) }));
  const kept = (name: string): Record<string, number> =>
    Object.fromEntries(Object.entries(now.held).filter(([site]) => play.cells[name].cell.ranges[site] === "share"));
  const units = number("units", LIMITS.units, 1, (value) => choose({ ...now, units: value }));
  const rate = number("learning rate", LIMITS.rate, "any", (value) => choose({ ...now, rate: value }));
  const seed = number("seed", LIMITS.seed, 1, (value) => choose({ ...now, seed: value }));
  const length = number("steps", [1, 100], 1, (value) => choose({ ...now, length: value }));
  const text = make("textarea", { rows: 4, maxlength: LIMITS.text[1], spellcheck: "false" });
  const said = make("p", { class: "small", role: "status" });
  text.addEventListener("change", () => {
    const [least, most] = LIMITS.text;
    const fits = text.value.length >= least && new Set(text.value).size > 1;
    write(
      said,
      fits ? "" : `Expected ${least} to ${most.toLocaleString("en")} characters, two different ones at least; got ${text.value.length}.`,
    );
    if (fits) choose({ ...now, text: text.value });
  });
  const own = make("label", { class: "own-text" }, make("span", {}, "your text: nothing of it leaves this page"), text, said);
  const fields = [task, cell, units, rate, seed, length];
  const element = make(
    "section",
    { class: "panel play-controls", "aria-label": "what is trained" },
    make("div", { class: "fields" }, ...fields.map((field) => field.element)),
    own,
  );
  const update = (settings: Settings): void => {
    now = settings;
    task.show(settings.task);
    cell.show(settings.cell);
    units.show(settings.units);
    rate.show(settings.rate);
    seed.show(settings.seed);
    length.show(settings.length);
    const sizes = USUAL[settings.task].length;
    length.element.hidden = sizes === null;
    if (sizes) length.limit(sizes[3], sizes[1], sizes[2]);
    own.hidden = settings.task !== "text";
    if (document.activeElement !== text && text.value !== settings.text) text.value = settings.text;
  };
  return { element, update };
}

function chooser(name: string, choices: [value: string, text: string][], choose: (value: string) => void) {
  const select = make("select");
  select.append(...choices.map(([value, text]) => new Option(text, value)));
  select.addEventListener("change", () => choose(select.value));
  return {
    element: make("label", { class: "chooser" }, make("span", {}, name), select),
    show: (value: string | number): void => {
      if (select.value !== value) select.value = String(value);
    },
  };
}

function number(name: string, [least, most]: readonly [number, number], step: number | "any", choose: (value: number) => void) {
  const field = make("input", { type: "number", min: least, max: most, step });
  const label = make("span", {}, name);
  let shown = 0;
  field.addEventListener("change", () => {
    const value = Number(field.value);
    const within = Math.min(Number(field.max), Math.max(Number(field.min), step === 1 ? Math.round(value) : value));
    if (field.value !== "" && Number.isFinite(within) && within !== shown) choose(within);
    field.value = String(field.value === "" || !Number.isFinite(within) ? shown : within);
  });
  return {
    element: make("label", { class: "chooser" }, label, field),
    show: (value: number): void => {
      shown = value;
      if (document.activeElement !== field && field.value !== String(value)) field.value = String(value);
    },
    limit: (word: string, low: number, high: number): void => {
      write(label, word);
      [field.min, field.max] = [String(low), String(high)];
    },
  };
}
