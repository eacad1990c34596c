/** Draws a scene and keeps it up to date: levels, figures, wires by size, and values that travel when the step changes. */

import { calm, makeSvg, write } from "../dom/elements";
import { names } from "../model/expression";
import { evaluate } from "../model/program";
import type { Reading } from "../model/reading";
import { uncertainty } from "../model/uncertainty";
import { figure } from "../text/format";
import type { Hands } from "./grips";
import { button, drawNode } from "./nodes";
import { path, type Scene, type SceneWire } from "./scene";

export interface Diagram {
  element: SVGSVGElement;
  /** changed: whether there is an edit of a node. reach: the size that fills the level of a site without bounds. */
  update(reading: Reading, open: string | null, changed: (name: string) => boolean, reach: (site: string) => number): void;
  /** Let the values of this moment travel along the wires. */
  travel(): void;
  /** Point at parts of the picture; all else steps back. Empty: nothing does. */
  highlight(ids: string[]): void;
  destroy(): void;
}

const TRAVEL = 130; // ms along one wire

const RANK = 26; // ms by which a wire starts after the one before it: 260 ms in all

/** `open` gets the node that was clicked, `hands` what is dragged. */
export function diagram(scene: Scene, title: string, open: (node: string) => void, hands: Hands): Diagram {
  const element = makeSvg("svg", {
    ...{
      class: "unit-picture",
      viewBox: `0 ${scene.top} ${scene.width} ${scene.height - scene.top}`,
      role: "group",
      "aria-label": title,
    },
  });
  const pattern = hatching();
  const below = makeSvg("g");
  const above = makeSvg("g");
  const sparks = makeSvg("g", { class: "sparks", "aria-hidden": "true" });
  element.append(makeSvg("defs", {}, pattern), below, sparks, above);
  const wires = scene.wires.map((wire) => drawWire(wire, open));
  const nodes = scene.nodes.map((node) => drawNode(node, pattern.id, open, hands));
  below.append(...wires.map((one) => one.group), ...junctions(scene));
  above.append(...nodes.map((one) => one.group));
  for (const { x, y, text } of scene.notes) above.append(makeSvg("text", { class: "note", x, y, "text-anchor": "middle" }, text));
  let moving: Animation[] = [];
  let last = 0; // when values last set out

  const update: Diagram["update"] = (reading, opened, changed, reach) => {
    for (const one of wires) one.update(reading, opened);
    for (const { node, update } of nodes) {
      update(reading, opened, changed(node.opens), node.shape === "gate" && node.range === "free" ? reach(node.opens) : 1);
    }
  };

  function travel(): void {
    stop();
    const since = performance.now() - last;
    last = performance.now();
    if (calm() || since < TRAVEL) return; // who hurries through the steps sees the values alone
    for (const { wire, size } of wires) {
      const spark = makeSvg("circle", {
        class: `spark tone-${wire.tone}${wire.tone === "memory" && size() < 0 ? " negative" : ""}`,
        r: 3 + 4 * Math.min(1, Math.abs(size())),
      });
      spark.style.offsetPath = `path("${path(wire)}")`;
      sparks.append(spark);
      const animation = spark.animate(
        [
          { offsetDistance: "0%", opacity: 1 },
          { offsetDistance: "100%", opacity: 1 },
        ],
        { duration: TRAVEL, delay: wire.rank * RANK, easing: "ease-in-out", fill: "backwards" },
      );
      animation.onfinish = () => spark.remove();
      animation.oncancel = () => spark.remove();
      moving.push(animation);
    }
  }

  function stop(): void {
    for (const animation of moving) animation.cancel();
    moving = [];
  }

  function highlight(ids: string[]): void {
    element.classList.toggle("pointing", ids.length > 0);
    for (const { group, wire } of wires) group.classList.toggle("pointed", ids.includes(wire.id) || ids.includes(wire.opens));
    for (const { group, node } of nodes) group.classList.toggle("pointed", ids.includes(node.id) || ids.includes(node.opens));
  }

  return { element, update, travel, highlight, destroy: stop };
}

let pictures = 0;

/** What stands behind a value that is not a number. */
function hatching(): SVGPatternElement {
  const id = `hatched-${++pictures}`;
  return makeSvg(
    "pattern",
    { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    makeSvg("rect", { class: "hatch", width: 2.4, height: 6 }),
  );
}

/** Dots where a wire leaves another. */
function junctions(scene: Scene): SVGElement[] {
  const dots: SVGElement[] = [];
  const ends = new Set(scene.nodes.map((node) => `${node.x},${node.y}`));
  for (const wire of scene.wires) {
    const [x, y] = wire.points[0]!;
    const on = scene.wires.some((other) => other !== wire && passes(other, x, y));
    if (on && !ends.has(`${x},${y}`)) dots.push(makeSvg("circle", { class: "junction", cx: x, cy: y, r: 3.2 }));
  }
  return dots;
}

/** Whether a wire's straight part runs through a point. */
function passes(wire: SceneWire, x: number, y: number): boolean {
  return wire.points.slice(1).some(([bx, by], index) => {
    const [ax, ay] = wire.points[index]!;
    const level = ay === by && y === ay && x >= Math.min(ax, bx) && x <= Math.max(ax, bx);
    return level || (ax === bx && x === ax && y > Math.min(ay, by) && y < Math.max(ay, by));
  });
}

function drawWire(wire: SceneWire, open: (node: string) => void) {
  const d = path(wire);
  const line = makeSvg("path", { class: "line", d });
  const halo = makeSvg("path", { class: "halo", d });
  const group = makeSvg("g", { class: `wire tone-${wire.tone}${wire.dotted ? " dotted" : ""}`, "data-id": wire.id }, halo, line);
  const tip = wire.arrow ? makeSvg("path", { class: "tip", d: arrow(wire) }) : null;
  if (tip) group.append(tip);
  const text = wire.label && makeSvg("text", { class: "wire-figure", x: wire.label.x, y: wire.label.y, "text-anchor": wire.label.anchor });
  if (text) group.append(text);
  button(group, wire.opens, open);
  let value = NaN;

  function update(reading: Reading, opened: string | null): void {
    value = evaluate(wire.value, reading.read);
    const size = Number.isFinite(value) ? Math.min(1, Math.abs(value)) : 0.4;
    line.style.strokeWidth = `${(1.6 + 4.4 * size).toFixed(2)}px`;
    line.style.opacity = (0.38 + 0.62 * size).toFixed(2);
    group.classList.toggle("negative", value < 0);
    group.classList.toggle("nan", Number.isNaN(value) && reading.doc.computed && wire.opens !== "input");
    group.classList.toggle("open", opened === wire.opens);
    const known = names(wire.value).every(reading.has);
    const written = known ? figure(value, uncertainty(wire.value, reading.read, reading.error)) : "";
    if (text) write(text, written);
    group.setAttribute("aria-label", `${wire.name}${known && wire.opens !== "input" ? `, ${written}` : ""}, opens the arithmetic`);
  }

  return { wire, group, update, size: () => (Number.isFinite(value) ? value : 0) };
}

/** A small triangle at the end of a wire. */
function arrow({ points, curve }: SceneWire): string {
  const [x, y] = points[points.length - 1];
  const [bx, by] = points[points.length - 2];
  const angle = curve === "across" ? 0 : curve === "down" ? Math.PI / 2 : Math.atan2(y - by, x - bx);
  const corner = (along: number, aside: number): string =>
    `${(x + along * Math.cos(angle) - aside * Math.sin(angle)).toFixed(1)},${(y + along * Math.sin(angle) + aside * Math.cos(angle)).toFixed(1)}`;
  return `M${corner(1, 0)}L${corner(-9, 5)}L${corner(-9, -5)}Z`;
}
