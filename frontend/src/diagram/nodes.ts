/** The boxes, circles and ports of a picture, filled by their values. */

import { makeSvg, write } from "../dom/elements";
import { names } from "../model/expression";
import { evaluate } from "../model/program";
import type { Reading } from "../model/reading";
import { uncertainty } from "../model/uncertainty";
import { figure } from "../text/format";
import type { SceneNode } from "./scene";

/** Makes a part of the picture a button. */
export function button(group: SVGGElement, node: string, open: (node: string) => void): void {
  group.setAttribute("role", "button");
  group.setAttribute("tabindex", "0");
  group.dataset["opens"] = node;
  group.addEventListener("click", () => open(node));
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    open(node);
  });
}

export function drawNode(node: SceneNode, hatch: string, open: (node: string) => void) {
  const { x, y, w, h } = node;
  const group = makeSvg("g", { class: `node ${node.shape} tone-${node.tone}`, "data-id": node.id });
  const round = node.shape === "gate" ? 10 : Math.min(w, h) / 2;
  const box = { x: x - w / 2, y: y - h / 2, width: w, height: h, rx: round };
  const level = makeSvg("rect", { class: "level" });
  const shell = makeSvg("rect", { class: "shell", ...box });
  const missing = makeSvg("rect", { class: "missing", ...box, fill: `url(#${hatch})` });
  group.append(makeSvg("rect", { class: "body", ...box }));
  if (node.shape === "gate") group.append(clipped(level, box, `${hatch}-${node.id.replaceAll(/\W/g, "_")}`));
  group.append(missing, shell);
  const value = makeSvg("text", { class: "value" });
  group.append(...writing(node, value));
  button(group, node.opens, open);

  function update(reading: Reading, opened: string | null, changed: boolean): void {
    const number = evaluate(node.value, reading.read);
    const text = textOf(node, reading, number);
    value.classList.toggle("count", node.opens === "input" && reading.layer.input > 1);
    write(value, node.shape === "op" || node.shape === "sum" ? "" : text);
    group.classList.toggle("open", opened === node.opens);
    group.classList.toggle("changed", changed);
    group.classList.toggle("nan", Number.isNaN(number) && text === "NaN" && node.shape !== "sum");
    group.setAttribute("aria-label", `${node.name || node.symbol}, ${text}${changed ? ", changed" : ""}, opens the arithmetic`);
    group.setAttribute("aria-pressed", String(opened === node.opens));
    if (node.shape === "gate") fill(level, node, number);
  }

  return { node, group, update };
}

/** The figure of a node; a dash where the page does not have it. */
export function textOf(node: SceneNode, reading: Reading, value: number): string {
  if (node.opens === "input" && reading.layer.input > 1) return node.w > 60 ? `${reading.layer.input} values` : `×${reading.layer.input}`;
  return names(node.value).every(reading.has) ? figure(value, uncertainty(node.value, reading.read, reading.error)) : "–";
}

/** The level inside a gate: from the bottom for a share, from the middle for a signed value. */
export function fill(level: SVGRectElement, { x, y, w, h, range }: SceneNode, value: number): void {
  const size = Number.isFinite(value) ? Math.min(1, Math.abs(value)) : 0;
  const tall = range === "share" ? h * size : (h / 2) * size;
  const top = range === "share" ? y + h / 2 - tall : value < 0 ? y : y - tall;
  const place = { x: x - w / 2, y: top, width: w, height: tall };
  for (const [name, number] of Object.entries(place)) level.setAttribute(name, number.toFixed(1));
  level.classList.toggle("below", range !== "share" && value < 0);
}

function clipped(level: SVGRectElement, box: Record<string, number>, id: string): SVGGElement {
  const clip = makeSvg("clipPath", { id }, makeSvg("rect", box));
  return makeSvg("g", { "clip-path": `url(#${id})` }, clip, level);
}

/** The text of a node. */
function writing(node: SceneNode, value: SVGTextElement): SVGElement[] {
  const { x, y, w, h, shape } = node;
  const put = (kind: string, text: string, px: number, py: number, anchor = "middle"): SVGTextElement =>
    makeSvg("text", { class: kind, x: px, y: py, "text-anchor": anchor }, text);
  const place = (px: number, py: number, anchor: string): SVGTextElement => {
    for (const [key, one] of Object.entries({ x: px, y: py, "text-anchor": anchor })) value.setAttribute(key, String(one));
    return value;
  };
  if (shape === "op" || shape === "sum") return [put("symbol", node.symbol, x, y + (node.symbol === "×" || node.symbol === "+" ? 6.5 : 5))];
  if (shape === "port") {
    const title =
      node.under === "none"
        ? []
        : [
            put(
              "title",
              node.name,
              x < 200 ? x - w / 2 : x + w / 2,
              node.under === "above" ? y - h / 2 - 8 : y + h / 2 + 14,
              x < 200 ? "start" : "end",
            ),
          ];
    return [put("symbol", node.symbol, x, y - 3), place(x, y + 13, "middle"), ...title];
  }
  const edge = w > 80 ? 10 : 5;
  const wide = w > 80;
  return [
    ...(node.symbol.length > 3 ? [] : [put("letter", node.symbol, x - w / 2 + edge, y - h / 2 + 23, "start")]), // a longer one stands in the line below
    place(x + w / 2 - edge, y - h / 2 + 22, "end"),
    put(
      "title",
      short(node.name, Math.floor((w - 2 * edge) / (wide ? 6.1 : 5.8))),
      x - w / 2 + edge,
      y + h / 2 - (wide ? 25 : 22),
      "start",
    ),
    ...(node.squash ? [put("squash", node.squash, x - w / 2 + edge, y + h / 2 - (wide ? 9 : 8), "start")] : []),
  ];
}

function short(text: string, most: number): string {
  const words = text.length > most ? text.replace(/ gate$/, "") : text;
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}
