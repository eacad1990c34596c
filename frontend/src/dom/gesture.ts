/** The gesture of everything that can be changed: dragged, turned with the wheel, stepped with the arrow keys. */

export interface Bounds {
  low?: number;
  high?: number;
  step: number; // of one arrow key; a tenth with Shift, ten times with the page keys
}

export interface Grip {
  /** The way it is dragged. A vertical one leaves ← and → to whoever changes the step with them. */
  along: "across" | "up";
  /** What can be set at this moment; null: nothing, and no gesture begins. */
  bounds(): Bounds | null;
  value(): number;
  /** What a drag over so many pixels makes of the value that it began with; without it a step for every four pixels. */
  dragged?(from: number, pixels: number, fine: boolean): number;
  /** dragging: one change in many small ones, by pointer, wheel or held key. */
  change(value: number, dragging: boolean): void;
  /** A drag is taken back: by Escape, or because the browser makes something else of it. */
  cancel(): void;
  /** Back to its own value: Delete, Backspace, and for a vertical one a double click. */
  free?(): void;
}

type Held = GlobalEventHandlers & Element; // of the page, or of a picture

const PIXELS_A_STEP = 4;

const CLICK = 3; // pixels up to which a pointer that was held down has clicked

/** Listens on an element; a drag leaves no click behind. Gives what sets a value by another way, typed say. */
export function gesture(element: Held, grip: Grip): (value: number, dragging: boolean) => void {
  const start = (): number => (Number.isFinite(grip.value()) ? grip.value() : 0);

  function give(next: number, dragging: boolean): void {
    const { low = -Infinity, high = Infinity } = grip.bounds() ?? {};
    const held = Math.min(high, Math.max(low, Number(next.toPrecision(12))));
    if (held !== grip.value()) grip.change(held, dragging);
  }

  element.addEventListener("keydown", (event) => {
    const bounds = grip.bounds();
    if (!bounds || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { step } = bounds;
    const size = event.shiftKey ? step / 10 : step;
    const moves: Record<string, number> = { ArrowUp: size, ArrowDown: -size, PageUp: 10 * step, PageDown: -10 * step };
    if (grip.along === "across") Object.assign(moves, { ArrowRight: size, ArrowLeft: -size });
    const move = moves[event.key];
    const end = event.key === "Home" ? bounds.low : event.key === "End" ? bounds.high : undefined;
    if (move !== undefined) give(start() + move, true);
    else if (end !== undefined) give(end, false);
    else if (grip.free && (event.key === "Delete" || event.key === "Backspace")) grip.free();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener(
    "wheel",
    (event) => {
      const bounds = grip.bounds();
      if (!bounds || document.activeElement !== element || event.ctrlKey) return;
      event.preventDefault();
      give(start() - Math.sign(event.deltaY || event.deltaX) * (event.shiftKey ? bounds.step / 10 : bounds.step), true);
    },
    { passive: false },
  );
  drag(element, grip, start, give);
  return give;
}

/** With mouse, pen or finger. Across: a finger that moves up or down still scrolls the page (touch-action: pan-y). */
function drag(element: Held, grip: Grip, start: () => number, give: (value: number, dragging: boolean) => void): void {
  let from: { pointer: number; place: number; value: number } | null = null; // where a pointer went down
  let moved = false; // since then: what follows is a drag, and no click
  let clicks = 0; // in a row, none of them the end of a drag
  const place = (event: PointerEvent): number => (grip.along === "up" ? -event.clientY : event.clientX);

  function takenBack(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !moved) return;
    event.preventDefault();
    event.stopPropagation();
    end();
    grip.cancel();
  }

  function end(): void {
    from = null;
    element.classList.remove("dragging");
    window.removeEventListener("keydown", takenBack, true);
  }

  element.addEventListener("pointerdown", (event: PointerEvent) => {
    if (from) return; // a second finger
    moved = false;
    if (!grip.bounds() || event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    from = { pointer: event.pointerId, place: place(event), value: start() };
    window.addEventListener("keydown", takenBack, true);
  });
  element.addEventListener("pointermove", (event: PointerEvent) => {
    const bounds = grip.bounds();
    if (from?.pointer !== event.pointerId || !bounds) return;
    const pixels = place(event) - from.place;
    if (!moved && Math.abs(pixels) < CLICK) return;
    moved = true;
    element.classList.add("dragging");
    const step = event.shiftKey ? bounds.step / 10 : bounds.step;
    give(grip.dragged?.(from.value, pixels, event.shiftKey) ?? from.value + Math.round(pixels / PIXELS_A_STEP) * step, true);
  });
  const click = (event: MouseEvent): void => {
    clicks = moved ? 0 : event.detail > 1 ? clicks + 1 : 1;
    if (moved) event.stopImmediatePropagation();
    moved = false;
  };
  element.addEventListener("click", click, true); // before those who open something
  element.addEventListener("pointerup", end);
  element.addEventListener("lostpointercapture", end);
  element.addEventListener("pointercancel", () => {
    const dragged = from !== null && moved;
    end();
    if (dragged) grip.cancel();
  });
  if (grip.along === "across") return;
  element.addEventListener("dblclick", () => clicks > 1 && grip.free?.());
  // Chromium does not heed touch-action on the parts of an SVG: the finger would scroll the page.
  element.addEventListener("touchmove", (event) => from && event.cancelable && event.preventDefault(), { passive: false });
}
