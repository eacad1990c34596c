/** The picture of any other cell: a graph of what flows into what, in layers, read out of its equations. */

import type { CellDoc } from "../document/schema";
import { equationText, name, names } from "../model/expression";
import { FEW } from "../model/pooled";
import type { Model } from "../model/types";
import { inWords, label, symbol, tone } from "../text/labels";
import type { Scene, SceneNode, SceneWire } from "./scene";

interface Vertex {
  id: string; // "input", "s.STATE", "x.GATE", "u.GATE", a site; or a bend of a long wire
  layer: number;
  order: number;
  bend: boolean;
}

interface Edge {
  from: string;
  to: string;
  way: string[]; // all vertices from the one to the other, bends included
}

/** The cell as a graph: inputs and earlier memories first, then the gates' sums, then site after site. */
export function graphScene(cell: CellDoc, model: Model, wide: boolean): Scene {
  const pairs = dependencies(cell, model);
  const vertices = layered(pairs, cell);
  const edges = pairs.map(([from, to]) => bent(vertices, from, to));
  const rows = sorted([...vertices.values()], edges);
  return placed(cell, model, rows, edges, wide);
}

/** Who is read by whom. A cell whose equations are not in the page: its sites alone. */
function dependencies(cell: CellDoc, model: Model): [from: string, to: string][] {
  const pairs: [string, string][] = [];
  if (!cell.program) return cell.sites.map((site) => ["input", site]);
  for (const site of cell.sites) {
    const read = names(model.equation(site)).filter((one) => !one.startsWith("p."));
    pairs.push(...read.map((one): [string, string] => [one, site]));
  }
  const read = new Set(pairs.map(([from]) => from));
  for (const gate of cell.gates) {
    const [whole, own] = [`x.${gate}`, `u.${gate}`];
    if (read.has(whole)) pairs.push(["input", whole]);
    const reader = read.has(own) ? own : whole;
    const factor = model.factor(gate);
    if (factor) pairs.push(...names(factor).map((one): [string, string] => [one, own]));
    else if (read.has(reader)) pairs.push(...cell.sources.map((state): [string, string] => [`s.${state}`, reader]));
  }
  return pairs;
}

/** Every vertex one layer after the last of those that it reads. */
function layered(pairs: [string, string][], cell: CellDoc): Map<string, Vertex> {
  const vertices = new Map<string, Vertex>();
  const depth = (id: string, seen: string[] = []): number => {
    const known = vertices.get(id);
    if (known) return known.layer;
    const before = pairs.filter(([, to]) => to === id).map(([from]) => from);
    const layer = seen.includes(id) ? 0 : Math.max(-1, ...before.map((one) => depth(one, [...seen, id]))) + 1;
    vertices.set(id, { id, layer, order: vertices.size, bend: false });
    return layer;
  };
  for (const id of new Set([...pairs.flat(), ...cell.sites])) depth(id);
  return vertices;
}

/** A wire over several layers bends in each: there it has a place of its own. */
function bent(vertices: Map<string, Vertex>, from: string, to: string): Edge {
  const way = [from];
  for (let layer = vertices.get(from)!.layer + 1; layer < vertices.get(to)!.layer; layer++) {
    const id = `${from} ${layer}`; // wires from the same vertex share their bends
    if (!vertices.has(id)) vertices.set(id, { id, layer, order: vertices.size, bend: true });
    way.push(id);
  }
  return { from, to, way: [...way, to] };
}

/** The layers, each ordered so that wires cross little: by the mean place of the neighbours, a few times to and fro. */
function sorted(vertices: Vertex[], edges: Edge[]): Vertex[][] {
  const rows: Vertex[][] = [];
  for (const vertex of vertices) (rows[vertex.layer] ??= []).push(vertex);
  const found = new Map(vertices.map((one) => [one.id, one]));
  const neighbours = new Map<string, string[]>(vertices.map((one) => [one.id, []]));
  for (const { way } of edges) {
    for (let at = 1; at < way.length; at++) {
      neighbours.get(way[at])!.push(way[at - 1]);
      neighbours.get(way[at - 1])!.push(way[at]);
    }
  }
  const place = (one: Vertex): number => (one.order + 0.5) / rows[one.layer].length;
  for (const row of rows) number(row);
  for (let sweep = 0; sweep < 8; sweep++) {
    const towards = sweep % 2 === 0 ? -1 : 1;
    for (const row of sweep % 2 === 0 ? rows : [...rows].reverse()) {
      const mean = new Map<Vertex, number>();
      for (const one of row) {
        const beside = neighbours.get(one.id)!.map((id) => found.get(id)!);
        const those = beside.filter((other) => (other.layer - one.layer) * towards > 0);
        mean.set(one, those.length ? those.reduce((sum, other) => sum + place(other), 0) / those.length : place(one));
      }
      row.sort((a, b) => mean.get(a)! - mean.get(b)!);
      number(row);
    }
  }
  return rows;
}

function number(row: Vertex[]): void {
  row.forEach((one, index) => (one.order = index));
}

const BEND = 0.45; // of the room of a box

/** Coordinates: layers from left to right where there is room, from top to bottom where not. */
function placed(cell: CellDoc, model: Model, rows: Vertex[][], edges: Edge[], wide: boolean): Scene {
  const most = Math.max(...rows.map(room));
  const along = wide ? Math.max(126, 812 / rows.length) : 92; // from layer to layer
  const across = wide ? Math.max(84, Math.min(108, 420 / most)) : Math.max(76, 352 / most);
  const [length, breadth] = [along * rows.length, Math.max(across * most, wide ? 300 : 352)];
  const size: [number, number] = wide ? [Math.min(116, along - 30), 68] : [Math.min(88, across - 8), 62];
  const places = new Map<string, [number, number]>();
  for (const row of rows) {
    const gap = breadth / (room(row) + 0.001);
    let used = 0;
    for (const one of row) {
      const takes = one.bend ? BEND : 1;
      const [main, side] = [(one.layer + 0.5) * along, (used + takes / 2) * gap];
      places.set(one.id, wide ? [main, side + 6] : [side + 4, main]);
      used += takes;
    }
  }
  const nodes = rows
    .flat()
    .filter((one) => !one.bend)
    .map((one) => box(cell, model, one, places.get(one.id)!, size, wide));
  const wires = edges.map((edge) => line(cell, edge, places, size, rows, wide));
  return {
    width: wide ? Math.round(length) : Math.round(breadth + 8),
    height: Math.round(wide ? breadth + 12 : length),
    top: 0,
    nodes,
    wires,
    notes: [],
  };
}

const room = (row: Vertex[]): number => row.reduce((sum, one) => sum + (one.bend ? BEND : 1), 0);

function box(cell: CellDoc, model: Model, { id }: Vertex, [x, y]: [number, number], [w, h]: [number, number], wide: boolean): SceneNode {
  const plain = {
    id,
    x,
    y,
    symbol: symbol(id),
    tone: tone(cell, id),
    opens: id,
    value: name(id),
    squash: "",
    under: "none" as const,
  };
  const port = id === "input" || id.startsWith("s.");
  const sum = id.startsWith("x.") || id.startsWith("u.");
  if (port) {
    const title = id === "input" ? "input" : `${label(cell, id.slice(2))} before`;
    return {
      ...plain,
      shape: "port",
      w: Math.min(w, 88),
      h: 40,
      name: title,
      range: "free",
      under: id === "input" && model.doc.layers.some((one) => one.input > FEW) ? (wide ? "below" : "above") : "none",
      symbol: id === "input" ? "x(t)" : `${id.slice(2)}(t−1)`,
    };
  }
  if (sum) return { ...plain, shape: "port", w: Math.min(w, 88), h: 40, name: sumName(cell, id), range: "free" };
  return {
    ...plain,
    shape: "gate",
    w,
    h,
    name: label(cell, id),
    range: cell.ranges[id] ?? "free",
    squash: equation(cell, model, id, w),
  };
}

function sumName(cell: CellDoc, id: string): string {
  const gate = label(cell, id.slice(2));
  return id.startsWith("u.") ? `${gate}: sum over the memories` : `${gate}: sum`;
}

/** A site's equation in so few letters that it fits into its box; its outermost function where it does not. */
function equation(cell: CellDoc, model: Model, site: string, width: number): string {
  if (!cell.program) return "";
  const tree = model.equation(site);
  const text = equationText(tree).replaceAll(" × ", "·");
  if (text.length <= (width - 14) / 5.9) return text;
  return tree.kind === "call" && ["sigmoid", "tanh", "exp"].includes(tree.fn) ? (tree.fn === "sigmoid" ? "σ" : tree.fn) : "";
}

function line(
  cell: CellDoc,
  { from, to, way }: Edge,
  places: Map<string, [number, number]>,
  [w, h]: [number, number],
  rows: Vertex[][],
  wide: boolean,
): SceneWire {
  const points = way.map((id): [number, number] => [...places.get(id)!]);
  const port = (id: string): boolean => id === "input" || /^[sxu]\./.test(id);
  const half = (id: string): number => (wide ? (port(id) ? Math.min(w, 88) : w) : port(id) ? 40 : h) / 2;
  const axis = wide ? 0 : 1;
  points[0][axis] += half(from);
  points[points.length - 1][axis] -= half(to);
  const rank = rows.findIndex((row) => row.some((one) => one.id === from));
  return {
    ...{
      id: `${from} to ${to}`,
      points,
      tone: tone(cell, from),
      opens: from,
      name: `${inWords(cell, from)} to ${inWords(cell, to)}`,
      value: name(from),
    },
    ...{ label: null, dotted: false, arrow: true, rank, curve: wide ? ("across" as const) : ("down" as const) },
  };
}
