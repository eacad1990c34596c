/** The boxes, circles and ports of a picture, filled by their values. */

import { makeSvg, write } from "../dom/elements";
import { inputName } from "../model/editable";
import { names } from "../model/expression";
import { FEW, largestAt } from "../model/pooled";
import { evaluate } from "../model/program";
import { inputOf, type Reading } from "../model/reading";
import { uncertainty } from "../model/uncertainty";
import { sayAt } from "../model/values";
import { figure } from "../text/format";
import { gripped, type Hands, levelOf } from "./grips";
import { inputCells } from "./input_cells";
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

export function drawNode(node: SceneNode, hatch: string, open: (node: string) => void, hands: Hands) {
  const { x, y, w, h } = node;
  const group = makeSvg("g", { class: `node ${node.shape} tone-${node.tone}`, "data-id": node.id });
  const round = node.shape === "gate" ? 10 : Math.min(w, h) / 2;
  const box = { x: x - w / 2, y: y - h / 2, width: w, height: h, rx: round };
  const level = makeSvg("rect", { class: "level", x: box.x, width: w });
  const shell = makeSvg("rect", { class: "shell", ...box });
  const missing = makeSvg("rect", { class: "missing", ...box, fill: `url(#${hatch})` });
  group.append(makeSvg("rect", { class: "body", ...box }));
  if (node.shape === "gate") group.append(clipped(level, box, `${hatch}-${node.id.replaceAll(/\W/g, "_")}`));
  group.append(missing, shell);
  const value = makeSvg("text", { class: "value" });
  const title = makeSvg("text", { class: "title" });
  const cells = node.opens === "input" ? inputCells(node) : null;
  if (cells) group.append(cells.group);
  group.append(...writing(node, value, title));
  const grip = node.shape === "gate" || node.shape === "port" ? gripped(node, group, hands) : null;
  button(group, node.opens, open);

  function update(reading: Reading, opened: string | null, changed: boolean, reach: number): void {
    const number = evaluate(node.value, reading.read);
    const text = textOf(node, reading, number);
    const many = node.opens === "input" && reading.layer.input > FEW;
    value.classList.toggle("count", node.opens === "input" && reading.layer.input > 1);
    write(value, node.shape === "op" || node.shape === "sum" || many ? "" : text);
    if (cells) {
      cells.update(reading, many);
      if (node.under !== "none") write(title, many ? largestOf(reading) : node.name);
    }
    group.classList.toggle("open", opened === node.opens);
    group.classList.toggle("changed", changed);
    group.classList.toggle("nan", Number.isNaN(number) && text === "NaN" && node.shape !== "sum");
    if (grip) grip.update({ value: number, text: many ? largestOf(reading) : text, reach }, changed, opened === node.opens);
    else {
      group.setAttribute("aria-label", `${node.name || node.symbol}, ${text}${changed ? ", changed" : ""}, opens the arithmetic`);
      group.setAttribute("aria-pressed", String(opened === node.opens));
    }
    if (node.shape === "gate") fill(level, node, number, reach);
  }

  return { node, group, update };
}

/** "784 values, the largest: input 638 = 0.99" */
function largestOf(reading: Reading): string {
  const values = inputOf(reading.layer, reading.run);
  if (!values) return `${reading.layer.input} values`;
  const index = largestAt(values, reading.time);
  return `${values.width} values, the largest: ${short(inputName(reading, index), LONG)} = ${sayAt(values, reading.time, index)}`;
}

const LONG = 24; // letters of a feature's name

/** The figure of a node; a dash where the page does not have it. */
export function textOf(node: SceneNode, reading: Reading, value: number): string {
  if (node.opens === "input" && reading.layer.input > 1) return node.w > 60 ? `${reading.layer.input} values` : `×${reading.layer.input}`;
  return names(node.value).every(reading.has) ? figure(value, uncertainty(node.value, reading.read, reading.error)) : "–";
}

function fill(rect: SVGRectElement, node: SceneNode, value: number, reach: number): void {
  const { top, tall, below } = levelOf(node, value, reach);
  rect.setAttribute("y", top.toFixed(1));
  rect.setAttribute("height", tall.toFixed(1));
  rect.classList.toggle("below", below);
}

function clipped(level: SVGRectElement, box: Record<string, number>, id: string): SVGGElement {
  const clip = makeSvg("clipPath", { id }, makeSvg("rect", box));
  return makeSvg("g", { "clip-path": `url(#${id})` }, clip, level);
}

/** The text of a node. */
function writing(node: SceneNode, value: SVGTextElement, title: SVGTextElement): SVGElement[] {
  const { x, y, w, h, shape } = node;
  const put = (kind: string, text: string, px: number, py: number, anchor = "middle"): SVGTextElement =>
    makeSvg("text", { class: kind, x: px, y: py, "text-anchor": anchor }, text);
  const at = (text: SVGTextElement, px: number, py: number, anchor: string): SVGTextElement => {
    for (const [key, one] of Object.entries({ x: px, y: py, "text-anchor": anchor })) text.setAttribute(key, String(one));
    return text;
  };
  if (shape === "op" || shape === "sum") return [put("symbol", node.symbol, x, y + (node.symbol === "×" || node.symbol === "+" ? 6.5 : 5))];
  if (shape === "port") {
    const left = x < 200;
    const [side, line] = [left ? x - w / 2 : x + w / 2, node.under === "above" ? y - h / 2 - 8 : y + h / 2 + 14];
    if (node.under !== "none") write(title, node.name);
    return [put("symbol", node.symbol, x, y - 3), at(value, x, y + 13, "middle"), at(title, side, line, left ? "start" : "end")];
  }
  const edge = w > 80 ? 10 : 5;
  const wide = w > 80;
  write(title, short(node.name, Math.floor((w - 2 * edge) / (wide ? 6.1 : 5.8))));
  return [
    ...(node.symbol.length > 3 ? [] : [put("letter", node.symbol, x - w / 2 + edge, y - h / 2 + 23, "start")]), // a longer one stands in the line below
    at(value, x + w / 2 - edge, y - h / 2 + 22, "end"),
    at(title, x - w / 2 + edge, y + h / 2 - (wide ? 25 : 22), "start"),
    ...(node.squash ? [put("squash", node.squash, x - w / 2 + edge, y + h / 2 - (wide ? 9 : 8), "start")] : []),
  ];
}

function short(text: string, most: number): string {
  const words = text.length > most ? text.replace(/ gate$/, "") : text;
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}
