/** The head of the page: title, which sequence, which layer, which view; undo, link, save, theme, help. */

import "./header.css";
import type { Doc } from "../document/schema";
import { make, write } from "../dom/elements";
import { glyph, type Icon, iconButton, setIcon } from "../dom/icons";
import type { View } from "../dom/view";
import { given, ownKind } from "../model/own";
import { OWN_MODEL, type State, type Store, type ViewName } from "../state/types";

const TABS: [ViewName, string][] = [
  ["tour", "Tour"],
  ["unit", "Unit"],
  ["layer", "Layer"],
  ["ledger", "Ledger"],
  ["training", "Training"],
  ["text", "Text"],
  ["compare", "Compare"],
  ["play", "Play"],
];

const THEMES: State["theme"][] = ["auto", "light", "dark"];

/** The views that there are of this document, in the order of their tabs. */
export function viewsOf(doc: Doc): ViewName[] {
  return TABS.map(([view]) => view).filter((view) => (view !== "training" || doc.training) && (view !== "play" || doc.play));
}

export interface HeaderParts {
  save: HTMLElement;
  link: (() => Promise<string>) | null; // copies the address, gives what to say; null: there is none
  help: () => void;
  open: (() => void) | null; // asks for a file with a model; null: the page opens none
  say: (text: string) => void;
  id: string;
  enter: () => void; // into the view: the keys are meant for it
}

export function makeHeader(store: Store, parts: HeaderParts): View & { focusOwn(): void } {
  const { doc } = store.model;
  const title = make(parts.link ? "h1" : "h2", { class: "title" }, doc.title);
  title.title = doc.title;
  const brand = make("div", { class: "brand" }, mark(), title);
  const items = chooser(
    "sequence",
    doc.items.map((item) => item.name),
    (k) => store.set({ item: k < given(doc) ? k : doc.items.length, playing: false }),
  );
  const own = make("button", { type: "button", class: "outlined own-button", "aria-label": "your own input" }, glyph("pen"));
  own.append(make("span", {}, "Your own"));
  own.title = ownKind(doc) === "text" ? "type a text of your own" : "draw a series of your own";
  own.addEventListener("click", () => store.set({ input: !store.state.input }));
  own.hidden = ownKind(doc) === null;
  const places = chooser(
    "layer",
    doc.layers.map((layer) => layer.place || "cell"),
    (k) => store.set({ place: doc.layers[k].place }),
  );
  const unit = makeUnitField(store);
  const tabs = makeTabs(store, parts);
  const undo = iconButton("undo", "undo (u)", () => store.undo());
  const redo = iconButton("redo", "redo (shift u)", () => store.redo());
  const table = iconButton("table", "data table (t)", () => store.set({ table: !store.state.table }));
  const link = iconButton("link", "copy a link to what you see", () => void parts.link?.().then(parts.say));
  link.hidden = !parts.link;
  const file = iconButton("open", "open a model: .safetensors, .onnx", () => parts.open?.());
  file.hidden = !parts.open;
  const theme = iconButton("auto", "theme", () => store.set({ theme: nextTheme(store.state.theme) }));
  const help = iconButton("help", "keyboard and help (?)", parts.help);
  const tools = make("div", { class: "tools", role: "toolbar", "aria-label": "tools" });
  tools.append(undo, redo, link, parts.save, file, table, theme, help);
  const choose = make("div", { class: "choose" }, items.element, own, places.element, unit.element);
  const element = make("header", { class: "head" }, brand, choose, tabs.element, tools);

  const update = (): void => {
    const { state } = store;
    items.update(Math.min(state.item, given(doc)), state.own === null ? null : "your own");
    own.setAttribute("aria-expanded", String(state.input));
    places.update(doc.layers.findIndex((layer) => layer.place === state.place));
    unit.update();
    for (const part of [choose, undo, redo, table]) part.hidden = OWN_MODEL.includes(state.view);
    tabs.update();
    undo.disabled = !store.canUndo();
    redo.disabled = !store.canRedo();
    table.setAttribute("aria-pressed", String(state.table));
    setIcon(theme, state.theme as Icon, `theme: ${state.theme === "auto" ? "as the system" : state.theme}`);
  };
  return { element, update, destroy: () => undefined, focusOwn: () => own.focus() };
}

function nextTheme(theme: State["theme"]): State["theme"] {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
}

/** The mark: four gates. */
function mark(): HTMLElement {
  const dots = ["f", "i", "g", "o"].map((gate) => make("i", { class: `dot ${gate}` }));
  return make("span", { class: "mark", "aria-hidden": "true" }, ...dots);
}

interface Chooser {
  element: HTMLElement;
  update(index: number, more?: string | null): void; // more: a choice behind the others
}

function chooser(name: string, choices: string[], choose: (index: number) => void): Chooser {
  const select = make("select", { "aria-label": name });
  select.append(...choices.map((choice, k) => new Option(choice.length > 60 ? `${choice.slice(0, 59)}…` : choice, String(k))));
  select.addEventListener("change", () => choose(select.selectedIndex));
  const element = make("label", { class: "chooser" }, make("span", {}, name), select);
  element.hidden = choices.length < 2;
  const update = (index: number, more: string | null = null): void => {
    if (more !== null && select.length === choices.length) select.append(new Option(more));
    if (more === null && select.length > choices.length) select.remove(choices.length);
    element.hidden = select.length < 2;
    if (select.selectedIndex !== index) select.selectedIndex = index;
  };
  return { element, update };
}

function makeUnitField(store: Store): { element: HTMLElement; update(): void } {
  const field = make("input", { type: "number", min: 0, step: 1, "aria-label": "unit" });
  field.addEventListener("change", () => {
    if (field.value !== "") store.set({ unit: Number(field.value) });
    field.value = String(store.state.unit);
  });
  const of = make("span", { class: "of" });
  const element = make("label", { class: "chooser" }, make("span", {}, "unit"), field, of);
  const update = (): void => {
    const { hidden } = store.model.doc.layers.find((layer) => layer.place === store.state.place)!;
    element.hidden = hidden < 2;
    field.max = String(hidden - 1);
    write(of, `of 0–${hidden - 1}`);
    if (document.activeElement !== field && field.value !== String(store.state.unit)) field.value = String(store.state.unit);
  };
  return { element, update };
}

function makeTabs(store: Store, { id, enter }: HeaderParts): { element: HTMLElement; update(): void } {
  const views = viewsOf(store.model.doc);
  const element = make("div", { class: "tabs", role: "tablist", "aria-label": "views" });
  const tabs = views.map((view) => {
    const tab = make(
      "button",
      { type: "button", role: "tab", id: `${id}-tab-${view}`, "aria-controls": `${id}-view` },
      nameOf(view, store.model.doc),
    );
    tab.addEventListener("click", (event) => {
      store.set({ view, playing: false });
      if (event.detail > 0) enter(); // by pointer: arrows then change steps; who comes by keyboard stays on the tabs, where they change tabs
    });
    return tab;
  });
  element.append(...tabs);
  element.addEventListener("keydown", (event) => {
    const moves: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, Home: -views.length, End: views.length };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const now = views.indexOf(store.state.view);
    const next = Math.abs(move) === 1 ? (now + move + views.length) % views.length : move < 0 ? 0 : views.length - 1;
    store.set({ view: views[next], playing: false });
    tabs[next].focus();
  });
  const update = (): void => {
    views.forEach((view, k) => {
      const chosen = view === store.state.view;
      tabs[k].setAttribute("aria-selected", String(chosen));
      tabs[k].tabIndex = chosen ? 0 : -1;
    });
  };
  return { element, update };
}

function nameOf(view: ViewName, doc: Doc): string {
  if (view === "text" && !doc.items[0].characters) return "Series";
  return TABS.find(([one]) => one === view)![1];
}
