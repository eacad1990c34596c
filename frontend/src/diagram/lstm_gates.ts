/** The lower half of the picture of the LSTM: what comes in, the sums, and the gates. */

import { name } from "../model/expression";
import { label, type Tone } from "../text/labels";
import { type Canvas, RADIUS, TAP } from "./lstm_canvas";

type Gate = "f" | "i" | "g" | "o";

/** The five ends of wires, and the two wires below from which the gates read. */
export function memories(picture: Canvas): void {
  const { at, cell, found } = picture;
  const port = (
    id: string,
    x: number,
    y: number,
    symbol: string,
    title: string,
    opens: string,
    under: "above" | "below" | "none",
    tone: Tone,
  ): void => picture.node(id, "port", x, y, at.port, { symbol, name: title, tone, opens, value: name(opens), under });
  port("c before", at.left, at.top, "c(t−1)", label(cell, "c"), "s.c", "above", "memory");
  port("c after", at.right, at.top, "c(t)", label(cell, "c"), "c", "above", "memory");
  port("h before", at.left, at.short, "h(t−1)", [label(cell, "h"), ...cell.sources.slice(1)].join(", "), "s.h", "below", "memory");
  port("x", at.left, at.input, "x(t)", "input", "input", "below", "input");
  port("h after", at.right, at.tell, "h(t)", label(cell, "h"), "h", picture.wide ? "below" : "none", "memory");
  const last = found.output === "gate" ? at.x.o : at.x.g;
  const from = at.left + at.port[0] / 2;
  if (cell.sources.length > 0)
    picture.wire(
      "short memory",
      [
        [from, at.short],
        [last - TAP, at.short],
      ],
      "memory",
      "s.h",
      name("s.h"),
      0,
    );
  picture.wire(
    "input",
    [
      [from, at.input],
      [last + TAP, at.input],
    ],
    "input",
    "input",
    name("input"),
    0,
  );
}

export function gates(picture: Canvas): void {
  for (const gate of ["f", "i", "g", "o"] as const) {
    if (!picture.found.sites[gate]) continue;
    const coupled = gate === "i" && picture.found.input === "coupled";
    drawGate(picture, gate, coupled ? "1 − f" : gate === "g" ? picture.found.candidate_word : "σ");
    if (coupled) couple(picture);
    else sum(picture, gate);
  }
}

export function drawGate(picture: Canvas, gate: Gate, squash: string): void {
  const { at, cell } = picture;
  const range = cell.ranges[gate] ?? (gate === "g" ? "signed" : "share");
  picture.node(gate, "gate", at.x[gate], at.gates, at.gate, {
    symbol: gate,
    name: label(cell, gate),
    tone: gate,
    opens: gate,
    value: name(gate),
    range,
    squash,
  });
}

/** A gate's sum, what it reads of the short memory and of the input, and the way up into the box. */
export function sum(picture: Canvas, gate: Gate): void {
  const { at, cell } = picture;
  const x = at.x[gate];
  const bottom = at.sums + Math.sqrt(RADIUS ** 2 - TAP ** 2);
  const title = label(cell, gate);
  const opens = `x.${gate}`;
  if (cell.sources.length > 0) {
    picture.wire(
      `h to ${gate}`,
      [
        [x - TAP, at.short],
        [x - TAP, bottom],
      ],
      "memory",
      opens,
      name(`from_h.${gate}`),
      0,
      {
        name: `${title}: from the short memory`,
        label: { x: x - TAP - 5, y: (at.sums + RADIUS + at.short) / 2 + (picture.wide ? 6 : 0), anchor: "end" },
      },
    );
  }
  picture.wire(
    `x to ${gate}`,
    [
      [x + TAP, at.input],
      [x + TAP, bottom],
    ],
    "input",
    opens,
    name(`from_x.${gate}`),
    0,
    {
      name: `${title}: from the input`,
      label: { x: x + TAP + 5, y: (at.short + at.input) / 2 + 5, anchor: "start" },
    },
  );
  picture.wire(
    `sum of ${gate}`,
    [
      [x, at.sums - RADIUS],
      [x, at.gates + at.gate[1] / 2],
    ],
    gate,
    opens,
    name(opens),
    1,
    { name: `${title}: sum` },
  );
  picture.node(`sum ${gate}`, "sum", x, at.sums, [2 * RADIUS, 2 * RADIUS], {
    symbol: "Σ",
    name: `${title}: sum`,
    tone: gate,
    opens,
    value: name(opens),
  });
}

/** i = 1 − f: a wire in place of a gate of its own. */
export function couple(picture: Canvas): void {
  const { at } = picture;
  picture.wire(
    "f to i",
    [
      [at.x.f + at.gate[0] / 2, at.gates],
      [at.x.i - at.gate[0] / 2, at.gates],
    ],
    "f",
    "i",
    name("f"),
    1,
    { name: "1 − f", arrow: true },
  );
}
