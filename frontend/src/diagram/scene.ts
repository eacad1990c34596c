/** What a picture of a unit is made of. Laid out by lstm.ts or graph.ts, drawn by draw.ts. */

import type { Expression } from "../model/types";
import type { Tone } from "../text/labels";

/** gate: a box with a letter and a level. sum: where products meet. op: × + tanh on a wire. port: an end of a wire. */
export type Shape = "gate" | "sum" | "op" | "port";

export interface SceneNode {
  id: string;
  shape: Shape;
  x: number; // of the centre
  y: number;
  w: number;
  h: number;
  symbol: string;
  name: string; // in words: "forget gate"
  tone: Tone;
  opens: string; // State.node
  value: Expression;
  range: "share" | "signed" | "free";
  squash: string; // the function that makes a gate of a sum, in a corner of its box
  under: "above" | "below" | "none"; // where a port's name stands
}

export interface SceneWire {
  id: string;
  points: [x: number, y: number][]; // corners are rounded
  tone: Tone;
  opens: string;
  name: string;
  value: Expression; // what travels along it
  label: { x: number; y: number; anchor: "start" | "middle" | "end" } | null;
  dotted: boolean;
  arrow: boolean;
  rank: number; // 0: starts first when the step changes
  curve?: "across" | "down"; // leaves and arrives in this direction; without it: straight, with rounded corners
}

export interface Scene {
  width: number;
  height: number;
  top: number; // the first y that is shown
  nodes: SceneNode[];
  wires: SceneWire[];
  notes: { x: number; y: number; text: string }[];
}

/** The path of a wire. */
export function path({ points, curve }: SceneWire): string {
  return curve ? curved(points, curve) : cornered(points);
}

function curved(points: [number, number][], curve: "across" | "down"): string {
  let text = `M${points[0].map(round)}`;
  for (let index = 1; index < points.length; index++) {
    const [[ax, ay], [bx, by]] = [points[index - 1], points[index]];
    const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
    const bends = curve === "across" ? [mx, ay, mx, by] : [ax, my, bx, my];
    text += `C${bends.map(round)},${round(bx)},${round(by)}`;
  }
  return text;
}

function cornered(points: [number, number][], radius = 9): string {
  let text = `M${points[0]![0]},${points[0]![1]}`;
  for (let index = 1; index < points.length - 1; index++) {
    const [before, corner, after] = [points[index - 1]!, points[index]!, points[index + 1]!];
    const enter = towards(corner, before, radius);
    const leave = towards(corner, after, radius);
    text += `L${enter[0]},${enter[1]}Q${corner[0]},${corner[1]} ${leave[0]},${leave[1]}`;
  }
  const last = points[points.length - 1]!;
  return `${text}L${last[0]},${last[1]}`;
}

function towards(from: [number, number], to: [number, number], radius: number): [number, number] {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy) || 1;
  const part = Math.min(radius, length / 2) / length;
  return [round(from[0] + dx * part), round(from[1] + dy * part)];
}

const round = (value: number): number => Math.round(value * 10) / 10;
