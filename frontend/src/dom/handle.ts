/** A number that can be changed: dragged sideways, turned with the wheel, stepped with the arrow keys, or typed. */

import { figure, MINUS } from "../text/format";
import { make } from "./elements";

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
}

const PIXELS_A_STEP = 4;

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

  function give(next: number, dragging: boolean): void {
    const held = Math.min(options.high ?? Infinity, Math.max(options.low ?? -Infinity, Number(next.toPrecision(12))));
    if (held === value) return;
    set(held, true);
    options.change(held, dragging);
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
    const size = event.shiftKey ? step / 10 : step;
    const moves: Record<string, number> = {
      ArrowUp: size,
      ArrowRight: size,
      ArrowDown: -size,
      ArrowLeft: -size,
      PageUp: 10 * step,
      PageDown: -10 * step,
    };
    const move = moves[event.key];
    const end = event.key === "Home" ? options.low : event.key === "End" ? options.high : undefined;
    if (move !== undefined) give(from() + move, true);
    else if (end !== undefined) give(end, false);
    else if (/^[-−.,\d]$/.test(event.key)) type(event.key);
    else if (event.key === "Enter" || event.key === "F2") type(Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "");
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== element || event.ctrlKey) return;
      event.preventDefault();
      give(from() - Math.sign(event.deltaY || event.deltaX) * (event.shiftKey ? step / 10 : step), true);
    },
    { passive: false },
  );
  element.addEventListener("dblclick", () => type(String(Number(from().toPrecision(6)))));
  drag(element, from, step, () => field !== null, give);
  set(options.value);
  return { element, set };
}

/** Dragging with mouse, pen or finger; a finger that moves up or down still scrolls the page (touch-action: pan-y). */
function drag(
  element: HTMLElement,
  from: () => number,
  step: number,
  typing: () => boolean,
  give: (value: number, dragging: boolean) => void,
): void {
  let start: { x: number; value: number; moved: boolean } | null = null;
  element.addEventListener("pointerdown", (event) => {
    if (typing() || event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    start = { x: event.clientX, value: from(), moved: false };
  });
  element.addEventListener("pointermove", (event) => {
    if (!start) return;
    const moved = event.clientX - start.x;
    if (!start.moved && Math.abs(moved) < 3) return;
    start.moved = true;
    element.classList.add("dragging");
    give(start.value + Math.round(moved / PIXELS_A_STEP) * (event.shiftKey ? step / 10 : step), true);
  });
  const end = (): void => {
    start = null;
    element.classList.remove("dragging");
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener("lostpointercapture", end);
}
