/** The picture of the LSTM and of those that differ from it in a part: the long memory along the top, the gates under it. */

import type { Anatomy } from "./anatomy";
import { call, name } from "./expression";
import type { Scene, SceneNode, SceneWire } from "./scene";
import type { CellDoc, Expression } from "./types";
import { label, type Tone } from "./words";

interface Places {
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

const WIDE: Places = {
  ...{ width: 820, height: 472, top: 76, write: 152, gates: 248, gate: [104, 66], sums: 306, short: 360, input: 428 },
  ...{ left: 54, right: 766, port: [88, 40], tanh: 154, tell: 248, peep: 190 },
  x: { f: 190, i: 328, g: 448, o: 568, write: 388, tell: 678 },
};

const NARROW: Places = {
  ...{ width: 360, height: 496, top: 76, write: 158, gates: 262, gate: [64, 60], sums: 316, short: 380, input: 450 },
  ...{ left: 29, right: 331, port: [50, 38], tanh: 122, tell: 184, peep: 204 },
  x: { f: 76, i: 144, g: 212, o: 280, write: 178, tell: 280 },
};

const TAP = 8; // the two taps of a sum stand this far left and right of its middle
const RADIUS = 12; // of a sum
const OP = 14; // half of an operation's circle

/** The picture, in units of the SVG. */
export function standard(cell: CellDoc, found: Anatomy, wide: boolean): Scene {
  const at = wide ? WIDE : NARROW;
  const picture = new Picture(cell, found, at, wide);
  picture.memories();
  picture.gates();
  picture.writing();
  picture.telling();
  picture.peepholes();
  return picture.scene;
}

type Gate = "f" | "i" | "g" | "o";

/** One picture in the making. */
class Picture {
  readonly scene: Scene;

  constructor(
    readonly cell: CellDoc,
    readonly found: Anatomy,
    readonly at: Places,
    readonly wide: boolean,
  ) {
    this.scene = { width: at.width, height: at.height, top: 26, nodes: [], wires: [], notes: [] };
  }

  node(id: string, shape: SceneNode["shape"], x: number, y: number, size: [number, number], rest: Partial<SceneNode> & { opens: string; value: Expression }): void {
    const plain = { symbol: "", name: "", tone: "plain" as Tone, range: "free" as const, squash: "", under: "none" as const };
    this.scene.nodes.push({ id, shape, x, y, w: size[0], h: size[1], ...plain, ...rest });
  }

  op(id: string, x: number, y: number, symbol: string, title: string, opens: string, value: Expression): void {
    this.node(id, "op", x, y, [symbol.length > 1 ? 18 + 7 * symbol.length : 2 * OP, 2 * OP], { symbol, name: title, opens, value });
  }

  wire(id: string, points: [number, number][], tone: Tone, opens: string, value: Expression, rank: number, rest: Partial<SceneWire> = {}): void {
    this.scene.wires.push({ id, points, tone, opens, value, rank, name: label(this.cell, opens), label: null, dotted: false, arrow: false, ...rest });
  }

  note(x: number, y: number, text: string): void {
    this.scene.notes.push({ x, y, text });
  }

  /** The five ends of wires, and the two wires below from which the gates read. */
  memories(): void {
    const { at, cell, found } = this;
    const port = (id: string, x: number, y: number, symbol: string, title: string, opens: string, under: "above" | "below" | "none", tone: Tone): void =>
      this.node(id, "port", x, y, at.port, { symbol, name: title, tone, opens, value: name(opens), under });
    port("c before", at.left, at.top, "c(t−1)", label(cell, "c"), "s.c", "above", "memory");
    port("c after", at.right, at.top, "c(t)", label(cell, "c"), "c", "above", "memory");
    port("h before", at.left, at.short, "h(t−1)", [label(cell, "h"), ...cell.sources.slice(1)].join(", "), "s.h", "below", "memory");
    port("x", at.left, at.input, "x(t)", "input", "input", "below", "input");
    port("h after", at.right, at.tell, "h(t)", label(cell, "h"), "h", this.wide ? "below" : "none", "memory");
    const last = found.output === "gate" ? at.x.o : at.x.g;
    const from = at.left + at.port[0] / 2;
    if (cell.sources.length > 0) this.wire("short memory", [[from, at.short], [last - TAP, at.short]], "memory", "s.h", name("s.h"), 0);
    this.wire("input", [[from, at.input], [last + TAP, at.input]], "input", "input", name("input"), 0);
  }

  gates(): void {
    for (const gate of ["f", "i", "g", "o"] as const) {
      if (!this.found.sites[gate]) continue;
      const coupled = gate === "i" && this.found.input === "coupled";
      this.gate(gate, coupled ? "1 − f" : gate === "g" ? this.found.candidate_word : "σ");
      if (coupled) this.couple();
      else this.sum(gate);
    }
  }

  gate(gate: Gate, squash: string): void {
    const { at, cell } = this;
    const range = cell.ranges[gate] ?? (gate === "g" ? "signed" : "share");
    this.node(gate, "gate", at.x[gate], at.gates, at.gate, { symbol: gate, name: label(cell, gate), tone: gate, opens: gate, value: name(gate), range, squash });
  }

  /** A gate's sum, what it reads of the short memory and of the input, and the way up into the box. */
  sum(gate: Gate): void {
    const { at, cell } = this;
    const x = at.x[gate];
    const bottom = at.sums + Math.sqrt(RADIUS ** 2 - TAP ** 2);
    const title = label(cell, gate);
    const opens = `x.${gate}`;
    if (cell.sources.length > 0) {
      this.wire(`h to ${gate}`, [[x - TAP, at.short], [x - TAP, bottom]], "memory", opens, name(`from_h.${gate}`), 0, {
        name: `${title}: from the short memory`,
        label: { x: x - TAP - 5, y: (at.sums + RADIUS + at.short) / 2 + (this.wide ? 6 : 0), anchor: "end" },
      });
    }
    this.wire(`x to ${gate}`, [[x + TAP, at.input], [x + TAP, bottom]], "input", opens, name(`from_x.${gate}`), 0, {
      name: `${title}: from the input`,
      label: { x: x + TAP + 5, y: (at.short + at.input) / 2 + 5, anchor: "start" },
    });
    this.wire(`sum of ${gate}`, [[x, at.sums - RADIUS], [x, at.gates + at.gate[1] / 2]], gate, opens, name(opens), 1, { name: `${title}: sum` });
    this.node(`sum ${gate}`, "sum", x, at.sums, [2 * RADIUS, 2 * RADIUS], { symbol: "Σ", name: `${title}: sum`, tone: gate, opens, value: name(opens) });
  }

  /** i = 1 − f: a wire in place of a gate of its own. */
  couple(): void {
    const { at } = this;
    this.wire("f to i", [[at.x.f + at.gate[0] / 2, at.gates], [at.x.i - at.gate[0] / 2, at.gates]], "f", "i", name("f"), 1, { name: "1 − f", arrow: true });
  }

  /** Along the top: keep, then add. */
  writing(): void {
    const { at, found } = this;
    const { x } = at;
    const above = at.top - 12;
    const start = at.left + at.port[0] / 2;
    const gateTop = at.gates - at.gate[1] / 2;
    const kept: Expression = found.forget === "gate" ? call("mul", name("f"), name("s.c")) : name("s.c");
    const added: Expression = found.input === "one" ? name("g") : call("mul", name("i"), name("g"));
    if (found.forget === "gate") {
      this.wire("c to ×", [[start, at.top], [x.f - OP, at.top]], "memory", "s.c", name("s.c"), 0, { name: "long memory before" });
      this.wire("f to ×", [[x.f, gateTop], [x.f, at.top + OP]], "f", "f", name("f"), 1, { label: { x: x.f + 8, y: (gateTop + at.top + OP) / 2 + 4, anchor: "start" } });
      this.op("×f", x.f, at.top, "×", "forget gate times long memory", "c", kept);
    } else this.note(x.f, at.top + 20, "always 1");
    this.wire("kept", [[found.forget === "gate" ? x.f + OP : start, at.top], [x.write - OP, at.top]], "memory", "c", kept, 2, {
      name: "what is kept",
      label: { x: (x.f + x.write) / 2, y: above, anchor: "middle" },
    });
    this.op("+", x.write, at.top, "+", "what is kept, and what is written", "c", name("c"));
    this.wire("c on", [[x.write + OP, at.top], [at.right - at.port[0] / 2, at.top]], "memory", "c", name("c"), 3, {
      name: "long memory after",
      label: { x: (x.write + OP + x.tell) / 2, y: above, anchor: "middle" },
      arrow: true,
    });
    const low: [number, number] = [x.write, at.write - (found.input === "one" ? 0 : OP)];
    this.candidate(added, gateTop, low);
  }

  /** From the two boxes in the middle up to the +. */
  candidate(added: Expression, gateTop: number, low: [number, number]): void {
    const { at, found } = this;
    const { x } = at;
    const beside = (gateTop + at.write) / 2 + 8;
    if (found.input === "one") {
      this.wire("g to +", [[x.g, gateTop], [x.g, at.write], [x.write, at.write], [x.write, at.top + OP]], "g", "g", name("g"), 1, {
        name: "candidate",
        label: { x: x.write + 9, y: (at.top + at.write) / 2 + 8, anchor: "start" },
        arrow: true,
      });
      this.note(x.i, at.write + 4, "always 1");
      return;
    }
    this.wire("i to ×", [[x.i, gateTop], [x.i, at.write], [x.write - OP, at.write]], "i", "i", name("i"), 1, { label: { x: x.i - 7, y: beside, anchor: "end" } });
    this.wire("g to ×", [[x.g, gateTop], [x.g, at.write], [x.write + OP, at.write]], "g", "g", name("g"), 1, { label: { x: x.g + 7, y: beside, anchor: "start" } });
    this.op("×w", x.write, at.write, "×", "input gate times candidate", "c", added);
    this.wire("written", [low, [x.write, at.top + OP]], "memory", "c", added, 2, {
      name: "what is written",
      label: { x: x.write + 9, y: (low[1] + at.top + OP) / 2 + 4, anchor: "start" },
      arrow: true,
    });
  }

  /** From the long memory down, squashed, times the output gate. */
  telling(): void {
    const { at, found } = this;
    const { x } = at;
    const source = found.squash ?? "c";
    const half = 14;
    const down = found.squash ? at.tanh - half : at.tell - (found.output === "gate" ? OP : 0);
    const port = at.right - at.port[0] / 2;
    const gated = found.output === "gate";
    const last: [number, number][] = gated ? [[x.tell, at.tell - OP]] : [[x.tell, at.tell], [port, at.tell]];
    if (found.squash) {
      this.wire("c to tanh", [[x.tell, at.top], [x.tell, down]], "memory", source, name("c"), 3, { name: "long memory, to be told" });
      this.op("tanh", x.tell, at.tanh, found.squash_word, label(this.cell, source), source, name(source));
    }
    this.wire("squashed", [[x.tell, found.squash ? at.tanh + half : at.top], ...last], "memory", source, name(source), 4, {
      name: label(this.cell, source),
      label: this.wide ? { x: x.tell + 9, y: (at.tanh + half + at.tell - OP) / 2 + 4, anchor: "start" } : { x: x.tell - 9, y: (at.tanh + half + at.tell - OP) / 2 + 4, anchor: "end" },
      arrow: !gated,
    });
    if (!gated) {
      this.note(x.o, at.tell + 4, "always 1");
      return;
    }
    const from: [number, number] = this.wide ? [x.o + at.gate[0] / 2, at.gates] : [x.o, at.gates - at.gate[1] / 2];
    const to: [number, number] = this.wide ? [x.tell - OP, at.tell] : [x.tell, at.tell + OP];
    const place = this.wide ? ({ x: (from[0] + to[0]) / 2, y: at.tell - 9, anchor: "middle" } as const) : ({ x: x.tell + 9, y: (from[1] + to[1]) / 2 + 4, anchor: "start" } as const);
    this.wire("o to ×", [from, to], "o", "o", name("o"), 1, { label: place });
    this.op("×o", x.tell, at.tell, "×", "output gate times squashed long memory", "h", name("h"));
    this.wire("h on", [[x.tell + OP, at.tell], [port, at.tell]], "memory", "h", name("h"), 5, { name: "short memory after", arrow: true });
  }

  /** Dotted: each gate that looks at the long memory itself. */
  peepholes(): void {
    const { at, found } = this;
    const { x } = at;
    const half = at.gate[0] / 2;
    const start = at.left + at.port[0] / 2 + (x.f - half - at.left - at.port[0] / 2) / 2;
    const ways: Record<string, [number, number][]> = {
      f: this.wide ? [[start, at.top], [start, at.gates], [x.f - half, at.gates]] : [[58, at.top], [58, at.gates - at.gate[1] / 2]],
      i: this.wide
        ? [[start, at.top], [start, at.peep], [x.i - half - 16, at.peep], [x.i - half - 16, at.gates], [x.i - half, at.gates]]
        : [[58, at.top], [58, at.peep], [x.i - half + 12, at.peep], [x.i - half + 12, at.gates - at.gate[1] / 2]],
      o: [[x.o - half + 16, at.top], [x.o - half + 16, at.gates - at.gate[1] / 2]],
    };
    for (const { gate, reads } of found.peepholes) {
      const product = call("mul", name(`p.p_${gate}`), name(reads));
      this.wire(`peephole ${gate}`, ways[gate]!, "memory", gate, product, reads === "c" ? 4 : 1, { name: `peephole of the ${label(this.cell, gate)}`, dotted: true, arrow: true });
    }
  }
}
