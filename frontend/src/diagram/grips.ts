/** A node of the picture as a handle: it is dragged up and down, and a grip shows that it can be. */

import "./grips.css";
import { makeSvg } from "../dom/elements";
import { gesture } from "../dom/gesture";
import type { Target } from "../model/editable";
import type { SceneNode } from "./scene";

/** What a picture's nodes change, and how. */
export interface Hands {
  /** What stands behind a node at this moment; null: nothing that can be changed. */
  target(node: string): Target | null;
  change(node: string, value: number, dragging: boolean): void;
  cancel(): void;
  /** Back to its own value. */
  free(node: string): void;
}

/** A value as the node shows it. reach: the size that fills the level of a site without bounds. */
export interface Shown {
  value: number;
  text: string;
  reach: number;
}

const BESIDE = 2; // of a grip's middle, right of the node's edge

/** Makes a node a handle wherever it has a target; else it stays the button that it was. */
export function gripped(node: SceneNode, group: SVGGElement, hands: Hands) {
  const knob = makeSvg(
    "g",
    { class: "grip", "aria-hidden": "true" },
    makeSvg("circle", { r: 8.5 }),
    makeSvg("path", { d: "M-3.2,-1.8L0,-5L3.2,-1.8M-3.2,1.8L0,5L3.2,1.8" }),
  );
  group.append(knob);
  let target: Target | null = null;
  let shown: Shown = { value: NaN, text: "", reach: 1 };

  /** As the level's height goes from low to high, it follows the pointer; no digit is set that a pixel does not tell apart. */
  function dragged(from: number, pixels: number, fine: boolean): number {
    const scale = group.ownerSVGElement?.getScreenCTM()?.d || 1;
    const size = (fine ? 0.1 : 1) * (span(node, shown.reach) / (node.h * scale));
    const digit = 10 ** Math.floor(Math.log10(size));
    return Math.round((from + pixels * size) / digit) * digit;
  }

  gesture(group, {
    along: "up",
    bounds: () => (target = hands.target(node.opens)),
    value: () => shown.value,
    dragged: node.shape === "gate" ? dragged : undefined,
    change: (value, dragging) => {
      shown.value = value; // at once: the next turn of the wheel may come before the next frame
      hands.change(node.opens, value, dragging);
    },
    cancel: () => hands.cancel(),
    free: () => hands.free(node.opens),
  });

  function update(next: Shown, changed: boolean, opened: boolean): void {
    shown = next;
    target = hands.target(node.opens);
    group.classList.toggle("free", target !== null);
    const { x, w } = node;
    set(knob, { transform: `translate(${x + w / 2 + BESIDE} ${surface(node, shown).toFixed(1)})` });
    set(group, target ? asHandle(target, shown, changed) : asButton(node, shown.text, changed, opened));
  }

  return { update };
}

type Attributes = Record<string, string | number | null>;

/** Bounded values are sliders; the others have no ends, which only a spin button may lack. */
function asHandle(target: Target, { value, text }: Shown, changed: boolean): Attributes {
  const bounded = target.low !== undefined && Number.isFinite(value);
  return {
    role: bounded ? "slider" : "spinbutton",
    "aria-label": target.name,
    "aria-description": "Enter opens its arithmetic",
    "aria-orientation": bounded ? "vertical" : null,
    "aria-valuemin": target.low ?? null,
    "aria-valuemax": target.high ?? null,
    "aria-valuenow": Number.isFinite(value) ? Number(value.toPrecision(6)) : null,
    "aria-valuetext": text + (changed ? ", changed" : ""),
    "aria-pressed": null,
  };
}

function asButton({ name, symbol }: SceneNode, text: string, changed: boolean, opened: boolean): Attributes {
  return {
    role: "button",
    "aria-label": `${name || symbol}, ${text}${changed ? ", changed" : ""}, opens the arithmetic`,
    "aria-pressed": String(opened),
    ...{ "aria-description": null, "aria-orientation": null, "aria-valuemin": null, "aria-valuemax": null },
    ...{ "aria-valuenow": null, "aria-valuetext": null },
  };
}

/** Writes only what differs. */
function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
  }
}

/** What a level's whole height stands for. */
function span({ range }: SceneNode, reach: number): number {
  return range === "share" ? 1 : range === "signed" ? 2 : 2 * reach;
}

/** Where a level ends; the middle of what has none. */
function surface(node: SceneNode, { value, reach }: Shown): number {
  if (node.shape !== "gate") return node.y;
  const { top, tall, below } = levelOf(node, value, reach);
  return below ? top + tall : top;
}

/** The level inside a gate: from the bottom for a share, from the middle for a signed value. */
export function levelOf({ y, h, range }: SceneNode, value: number, reach: number): { top: number; tall: number; below: boolean } {
  const size = Number.isFinite(value) ? Math.min(1, Math.abs(value) / (range === "free" ? reach : 1)) : 0;
  const below = range !== "share" && value < 0;
  const tall = range === "share" ? h * size : (h / 2) * size;
  return { top: range === "share" ? y + h / 2 - tall : below ? y : y - tall, tall, below };
}
