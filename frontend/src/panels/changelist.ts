/** The list of edits in one line, opened on demand: each can be switched off or removed; all of them copied as Python, or compared with the
 *  original. */

import "./changelist.css";
import { make } from "../dom/elements";
import { glyph, iconButton } from "../dom/icons";
import type { View } from "../dom/view";
import type { Edit } from "../model/types";
import { namesText, weightNames } from "../model/weight_names";
import { sentence } from "../state/edit_list";
import { OWN_MODEL, type Store } from "../state/types";

const LISTED = 6; // in the one line, which is cut off where it ends

export function makeChangeList(store: Store, copy: (text: string, what: string) => void): View {
  const compare = make("input", { type: "checkbox" });
  compare.addEventListener("change", () => store.set({ compare: compare.checked }));
  const named = (icon: Node, text: string): Node[] => [icon, make("span", { class: "name" }, text)];
  const python = make("button", { type: "button", class: "outlined" }, ...named(glyph("copy"), "Copy as Python"));
  python.addEventListener("click", () => copy(store.python(), "the Python text"));
  const clear = make("button", { type: "button", class: "clear" }, ...named(glyph("close"), "Remove all"));
  clear.addEventListener("click", () => store.set({ edits: [] }));
  const list = make("ul");
  const fold = make("button", { type: "button", class: "fold" });
  fold.addEventListener("click", () => {
    folded = !folded;
    update();
    if (!folded) element.scrollIntoView({ block: "nearest" });
  });
  const first = make("p", { class: "first" });
  const head = make(
    "div",
    { class: "row" },
    make("h3", {}, fold),
    first,
    make("label", { class: "compare", title: "show the original too (c)" }, compare, "compare"),
    python,
    clear,
  );
  const element = make("section", { class: "changes", "aria-label": "changes" }, head, list);
  let shown: Edit[] | null = null;
  let folded = true; // the page is for the picture

  const update = (): void => {
    const { edits, view } = store.state;
    element.hidden = !edits.length || OWN_MODEL.includes(view);
    compare.checked = store.state.compare;
    fold.setAttribute("aria-expanded", String(!folded));
    element.classList.toggle("folded", folded);
    if (edits === shown) return;
    const kept = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : undefined;
    shown = edits;
    fold.textContent = edits.length === 1 ? "1 change" : `${edits.length} changes`;
    first.replaceChildren(...edits.slice(0, LISTED).map((edit) => make("span", { class: edit.on ? null : "off" }, ...said(store, edit))));
    list.replaceChildren(...edits.map((edit, k) => entry(store, edit, k)));
    if (kept) list.querySelector<HTMLElement>(`[data-key="${CSS.escape(kept)}"]`)?.focus();
  };
  return { element, update, destroy: () => undefined };
}

function entry(store: Store, edit: Edit, index: number): HTMLElement {
  const text = sentence(store.model.doc, edit);
  const on = make("input", { type: "checkbox", "data-key": `on ${index}` });
  on.checked = edit.on;
  on.addEventListener("change", () => {
    store.set({ edits: store.state.edits.map((one, k) => (k === index ? { ...one, on: on.checked } : one)) });
  });
  const remove = iconButton("close", `remove: ${text}`, () => {
    store.set({ edits: store.state.edits.filter((_, k) => k !== index) });
  });
  const names = edit.kind === "weight" ? [make("small", {}, namesText(weightNames(store.model.doc, edit)))] : [];
  const words = make("span", {}, ...said(store, edit));
  return make("li", { class: edit.on ? null : "off" }, make("label", {}, on, words, ...names), remove);
}

/** The sentence, its value apart: that is never struck out, for the line would hide a minus. */
function said(store: Store, edit: Edit): [string, Node] {
  const text = sentence(store.model.doc, edit);
  const at = text.lastIndexOf("= ");
  return [text.slice(0, at), make("span", { class: "value" }, text.slice(at))];
}
