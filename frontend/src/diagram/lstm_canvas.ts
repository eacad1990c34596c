/** What the picture of the LSTM is drawn on: its measures, and nodes, wires and notes on it. */

import type { CellDoc } from "../document/schema";
import type { Anatomy } from "../model/anatomy";
import type { Expression } from "../model/types";
import { inWords, type Tone } from "../text/labels";
import type { Scene, SceneNode, SceneWire } from "./scene";

export interface Places {
  width: number;
  height: number;
  top: number; // of the long memory
  write: number; // of i × g
  gates: number;
  gate: [w: number, h: number];
  sums: number;
  short: number; // of the short memory's wire
  input: number;
  left: number; // of the ports
  right: number;
  port: [w: number, h: number];
  x: { f: number; i: number; g: number; o: number; write: number; tell: number };
  tanh: number; // its y
  tell: number; // y of the last ×
  peep: number; // y at which a peephole passes the forget gate's wire
}

export const WIDE: Places = {
  ...{ width: 820, height: 452, top: 76, write: 152, gates: 248, gate: [104, 66], sums: 306, short: 354, input: 412 },
  ...{ left: 54, right: 766, port: [88, 40], tanh: 154, tell: 248, peep: 190 },
  x: { f: 190, i: 328, g: 448, o: 568, write: 388, tell: 678 },
};

export const NARROW: Places = {
  ...{ width: 360, height: 430, top: 64, write: 132, gates: 218, gate: [64, 58], sums: 270, short: 326, input: 388 },
  ...{ left: 29, right: 331, port: [50, 36], tanh: 98, tell: 148, peep: 168 },
  x: { f: 76, i: 144, g: 212, o: 280, write: 178, tell: 280 },
};

export const TAP = 8; // the two taps of a sum stand this far left and right of its middle

export const RADIUS = 12; // of a sum

export const OP = 14; // half of an operation's circle

/** One picture in the making. */
export class Canvas {
  readonly scene: Scene;

  constructor(
    readonly cell: CellDoc,
    readonly found: Anatomy,
    readonly at: Places,
    readonly wide: boolean,
  ) {
    this.scene = { width: at.width, height: at.height, top: at.top - 50, nodes: [], wires: [], notes: [] };
  }

  node(
    id: string,
    shape: SceneNode["shape"],
    x: number,
    y: number,
    size: [number, number],
    rest: Partial<SceneNode> & { opens: string; value: Expression },
  ): void {
    const plain = { symbol: "", name: "", tone: "plain" as Tone, range: "free" as const, squash: "", under: "none" as const };
    this.scene.nodes.push({ id, shape, x, y, w: size[0], h: size[1], ...plain, ...rest });
  }

  op(id: string, x: number, y: number, symbol: string, title: string, opens: string, value: Expression): void {
    this.node(id, "op", x, y, [symbol.length > 1 ? 18 + 7 * symbol.length : 2 * OP, 2 * OP], {
      symbol,
      name: title,
      opens,
      value,
    });
  }

  wire(
    id: string,
    points: [number, number][],
    tone: Tone,
    opens: string,
    value: Expression,
    rank: number,
    rest: Partial<SceneWire> = {},
  ): void {
    this.scene.wires.push({
      id,
      points,
      tone,
      opens,
      value,
      rank,
      name: inWords(this.cell, opens),
      label: null,
      dotted: false,
      arrow: false,
      ...rest,
    });
  }

  note(x: number, y: number, text: string): void {
    this.scene.notes.push({ x, y, text });
  }
}
