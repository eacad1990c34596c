/** A number that can be changed: dragged sideways, turned with the wheel, stepped with the arrow keys, or typed. */

import { figure, MINUS } from "../text/format";
import { make } from "./elements";
import { gesture } from "./gesture";

export interface Handle {
  element: HTMLElement;
  /** Show another value (not while it is being typed over). error: how far it may be off, for the digits that are shown. */
  set(value: number, changed?: boolean, error?: number): void;
}

export interface HandleOptions {
  key: string; // finds it again when the panel is rebuilt
  name: string; // read aloud: "forget gate, weight of the input"
  value: number;
  low?: number;
  high?: number;
  step?: number; // of one arrow key; a tenth with Shift, ten times with the page keys
  /** dragging: one change in many small ones, by pointer, wheel or held key. */
  change(value: number, dragging: boolean): void;
  /** What was dragged is taken back. */
  cancel(): void;
}

/** An element with role spinbutton. `change` gets every new value. */
export function handle(options: HandleOptions): Handle {
  const step = options.step ?? 0.05;
  const element = make("span", {
    ...{ class: "handle", role: "spinbutton", tabindex: 0, "data-key": options.key, "aria-label": options.name },
    ...{
      title: `${options.name}: drag sideways, arrow keys, or type`,
      "aria-valuemin": options.low,
      "aria-valuemax": options.high,
    },
  });
  let value = options.value;
  let field: HTMLInputElement | null = null;

  function set(next: number, changed = false, error = 0): void {
    value = next;
    const text = figure(next, changed ? 0 : error);
    element.classList.toggle("changed", changed);
    element.classList.toggle("nan", Number.isNaN(next));
    element.setAttribute("aria-valuetext", text + (changed ? ", changed" : ""));
    if (Number.isNaN(next)) element.removeAttribute("aria-valuenow");
    else element.setAttribute("aria-valuenow", String(Number(next.toPrecision(6))));
    if (!field && element.textContent !== text) element.textContent = text;
  }

  const from = (): number => (Number.isFinite(value) ? value : 0);

  function type(text: string): void {
    if (field) return;
    const input = make("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": options.name });
    field = input;
    input.value = text;
    element.replaceChildren(input);
    input.focus();
    input.setSelectionRange(text.length, text.length);
    const close = (keep: boolean): void => {
      if (!field) return;
      field = null;
      const typed = Number(input.value.trim().replace(MINUS, "-").replace(",", "."));
      const focused = document.activeElement === input;
      element.textContent = "";
      set(value, element.classList.contains("changed"));
      if (focused) element.focus();
      if (keep && input.value.trim() !== "" && Number.isFinite(typed)) give(typed, false);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") close(true);
      else if (event.key === "Escape") close(false);
    });
    input.addEventListener("blur", () => close(true));
  }

  element.addEventListener("keydown", (event) => {
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[-−.,\d]$/.test(event.key)) type(event.key);
    else if (event.key === "Enter" || event.key === "F2") type(Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "");
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("dblclick", () => type(String(Number(from().toPrecision(6)))));
  const give = gesture(element, {
    along: "across",
    bounds: () => (field ? null : { low: options.low, high: options.high, step }),
    value: () => value,
    change: (next, dragging) => {
      set(next, true);
      options.change(next, dragging);
    },
    cancel: options.cancel,
  });
  set(options.value);
  return { element, set };
}
