/** The upper half of the picture of the LSTM: the long memory along the top, the way to the short one, and peepholes. */

import { call, name } from "../model/expression";
import type { Expression } from "../model/types";
import { label } from "../text/labels";
import { type Canvas, OP } from "./lstm_canvas";

/** Along the top: keep, then add. */
export function writing(picture: Canvas): void {
  const { at, found } = picture;
  const { x } = at;
  const above = at.top - 12;
  const start = at.left + at.port[0] / 2;
  const gateTop = at.gates - at.gate[1] / 2;
  const kept: Expression = found.forget === "gate" ? call("mul", name("f"), name("s.c")) : name("s.c");
  const added: Expression = found.input === "one" ? name("g") : call("mul", name("i"), name("g"));
  if (found.forget === "gate") {
    picture.wire(
      "c to ×",
      [
        [start, at.top],
        [x.f - OP, at.top],
      ],
      "memory",
      "s.c",
      name("s.c"),
      0,
      { name: "long memory before" },
    );
    picture.wire(
      "f to ×",
      [
        [x.f, gateTop],
        [x.f, at.top + OP],
      ],
      "f",
      "f",
      name("f"),
      1,
      { label: { x: x.f + 8, y: (gateTop + at.top + OP) / 2 + 4, anchor: "start" } },
    );
    picture.op("×f", x.f, at.top, "×", "forget gate times long memory", "c", kept);
  } else picture.note(x.f, at.top + 20, "always 1");
  picture.wire(
    "kept",
    [
      [found.forget === "gate" ? x.f + OP : start, at.top],
      [x.write - OP, at.top],
    ],
    "memory",
    "c",
    kept,
    2,
    {
      name: "what is kept",
      label: { x: (x.f + x.write) / 2, y: above, anchor: "middle" },
    },
  );
  picture.op("+", x.write, at.top, "+", "what is kept, and what is written", "c", name("c"));
  picture.wire(
    "c on",
    [
      [x.write + OP, at.top],
      [at.right - at.port[0] / 2, at.top],
    ],
    "memory",
    "c",
    name("c"),
    3,
    {
      name: "long memory after",
      label: { x: (x.write + OP + x.tell) / 2, y: above, anchor: "middle" },
      arrow: true,
    },
  );
  const low: [number, number] = [x.write, at.write - (found.input === "one" ? 0 : OP)];
  candidate(picture, added, gateTop, low);
}

/** From the two boxes in the middle up to the +. */
export function candidate(picture: Canvas, added: Expression, gateTop: number, low: [number, number]): void {
  const { at, found } = picture;
  const { x } = at;
  const beside = (gateTop + at.write) / 2 + 8;
  if (found.input === "one") {
    picture.wire(
      "g to +",
      [
        [x.g, gateTop],
        [x.g, at.write],
        [x.write, at.write],
        [x.write, at.top + OP],
      ],
      "g",
      "g",
      name("g"),
      1,
      {
        name: "candidate",
        label: { x: x.write + 9, y: (at.top + at.write) / 2 + 8, anchor: "start" },
        arrow: true,
      },
    );
    picture.note(x.i, at.write + 4, "always 1");
    return;
  }
  picture.wire(
    "i to ×",
    [
      [x.i, gateTop],
      [x.i, at.write],
      [x.write - OP, at.write],
    ],
    "i",
    "i",
    name("i"),
    1,
    { label: { x: x.i - 7, y: beside, anchor: "end" } },
  );
  picture.wire(
    "g to ×",
    [
      [x.g, gateTop],
      [x.g, at.write],
      [x.write + OP, at.write],
    ],
    "g",
    "g",
    name("g"),
    1,
    { label: { x: x.g + 7, y: beside, anchor: "start" } },
  );
  picture.op("×w", x.write, at.write, "×", "input gate times candidate", "c", added);
  picture.wire("written", [low, [x.write, at.top + OP]], "memory", "c", added, 2, {
    name: "what is written",
    label: { x: x.write + 9, y: (low[1] + at.top + OP) / 2 + 4, anchor: "start" },
    arrow: true,
  });
}

/** From the long memory down, squashed, times the output gate. */
export function telling(picture: Canvas): void {
  const { at, found } = picture;
  const { x } = at;
  const source = found.squash ?? "c";
  const half = 14;
  const down = found.squash ? at.tanh - half : at.tell - (found.output === "gate" ? OP : 0);
  const port = at.right - at.port[0] / 2;
  const gated = found.output === "gate";
  const last: [number, number][] = gated
    ? [[x.tell, at.tell - OP]]
    : [
        [x.tell, at.tell],
        [port, at.tell],
      ];
  if (found.squash) {
    picture.wire(
      "c to tanh",
      [
        [x.tell, at.top],
        [x.tell, down],
      ],
      "memory",
      source,
      name("c"),
      3,
      { name: "long memory, to be passed on" },
    );
    picture.op("tanh", x.tell, at.tanh, found.squash_word, label(picture.cell, source), source, name(source));
  }
  picture.wire("squashed", [[x.tell, found.squash ? at.tanh + half : at.top], ...last], "memory", source, name(source), 4, {
    name: label(picture.cell, source),
    label: picture.wide
      ? { x: x.tell + 9, y: (at.tanh + half + at.tell - OP) / 2 + 4, anchor: "start" }
      : { x: x.tell - 9, y: (at.tanh + half + at.tell - OP) / 2 + 4, anchor: "end" },
    arrow: !gated,
  });
  if (!gated) {
    picture.note(x.o, at.tell + 4, "always 1");
    return;
  }
  const from: [number, number] = picture.wide ? [x.o + at.gate[0] / 2, at.gates] : [x.o, at.gates - at.gate[1] / 2];
  const to: [number, number] = picture.wide ? [x.tell - OP, at.tell] : [x.tell, at.tell + OP];
  const place = picture.wide
    ? ({ x: (from[0] + to[0]) / 2, y: at.tell - 9, anchor: "middle" } as const)
    : ({ x: x.tell + 9, y: (from[1] + to[1]) / 2 + 4, anchor: "start" } as const);
  picture.wire("o to ×", [from, to], "o", "o", name("o"), 1, { label: place });
  picture.op("×o", x.tell, at.tell, "×", "output gate times squashed long memory", "h", name("h"));
  picture.wire(
    "h on",
    [
      [x.tell + OP, at.tell],
      [port, at.tell],
    ],
    "memory",
    "h",
    name("h"),
    5,
    { name: "short memory after", arrow: true },
  );
}

/** Dotted: each gate that looks at the long memory itself. */
export function peepholes(picture: Canvas): void {
  const { at, found } = picture;
  const { x } = at;
  const half = at.gate[0] / 2;
  const start = at.left + at.port[0] / 2 + (x.f - half - at.left - at.port[0] / 2) / 2;
  const ways: Record<string, [number, number][]> = {
    f: picture.wide
      ? [
          [start, at.top],
          [start, at.gates],
          [x.f - half, at.gates],
        ]
      : [
          [58, at.top],
          [58, at.gates - at.gate[1] / 2],
        ],
    i: picture.wide
      ? [
          [start, at.top],
          [start, at.peep],
          [x.i - half - 16, at.peep],
          [x.i - half - 16, at.gates],
          [x.i - half, at.gates],
        ]
      : [
          [58, at.top],
          [58, at.peep],
          [x.i - half + 12, at.peep],
          [x.i - half + 12, at.gates - at.gate[1] / 2],
        ],
    o: [
      [x.o - half + 16, at.top],
      [x.o - half + 16, at.gates - at.gate[1] / 2],
    ],
  };
  for (const { gate, reads } of found.peepholes) {
    const product = call("mul", name(`p.p_${gate}`), name(reads));
    picture.wire(`peephole ${gate}`, ways[gate]!, "memory", gate, product, reads === "c" ? 4 : 1, {
      name: `peephole of the ${label(picture.cell, gate)}`,
      dotted: true,
      arrow: true,
    });
  }
}
