/** What is left of a gradient after many steps: along the long memory, and in a plain RNN. */

import { linear, logarithmic } from "../../charts/scale";
import { make, makeSvg, write } from "../../dom/elements";
import { percent } from "../../text/format";
import { DISTANCE } from "./stages";

const WIDTH = 340;

const HEIGHT = 220;

const LEFT = 46;

const BOTTOM = 34;

const LEAST = 1e-12;

export interface Survival {
  element: HTMLElement;
  gate(): number;
  reset(): void;
}

/** tanh′ at a short memory of this size is 1 − h². */
const MEMORY = 0.6;

export function survival(first: number, changed: () => void): Survival {
  const gate = slider("forget gate f", "share-gate", 0.5, 1, 0.001, first);
  const weight = slider("weight |w| of the plain RNN", "share-weight", 0, 2, 0.01, 1);
  const plot = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const says = make("p", { class: "survival-says" });
  const note = make(
    "p",
    { class: "soft small" },
    `Π f over the steps against (|w| · tanh′) a step, where the RNN's memory is ±${MEMORY}: tanh′ = 1 − ${MEMORY}² = ${(1 - MEMORY ** 2).toFixed(2)}.`,
  );
  const element = make(
    "section",
    { class: "worked survival", "aria-label": "what survives" },
    plot,
    says,
    gate.element,
    weight.element,
    note,
  );

  function draw(): void {
    const [f, r] = [gate.value(), weight.value() * (1 - MEMORY ** 2)];
    const arrives = (share: number): string =>
      share >= 0.0005 ? percent(share) : share < LEAST ? "less than 10⁻¹²" : `about 10${power(share)}`;
    const text = `After ${DISTANCE} steps: LSTM ${arrives(f ** DISTANCE)}, plain RNN ${r > 1 ? `times ${(r ** DISTANCE).toExponential(0).replace("+", "")}: it explodes` : arrives(r ** DISTANCE)}.`;
    write(says, text);
    plot.setAttribute("aria-label", text);
    plot.replaceChildren(...axes(), line("lstm", f), line("rnn", r));
  }

  for (const one of [gate, weight]) {
    one.input.addEventListener("input", () => {
      draw();
      changed();
    });
  }
  const reset = (): void => {
    for (const one of [gate, weight]) one.reset();
    draw();
  };
  draw();
  return { element, gate: gate.value, reset };
}

const x = linear([0, DISTANCE], [LEFT, WIDTH - 12]);

const y = logarithmic([LEAST, 100], [HEIGHT - BOTTOM, 10], false);

function line(kind: string, factor: number): SVGGElement {
  const steps = Array.from({ length: DISTANCE + 1 }, (_, step) => step);
  const points = steps.map((step) => `${x(step).toFixed(1)},${y(Math.max(LEAST, factor ** step)).toFixed(1)}`);
  const [lx, ly] = [x(DISTANCE * 0.42), y(Math.max(LEAST, factor ** (DISTANCE * 0.42)))];
  return makeSvg(
    "g",
    { class: `survives ${kind}` },
    makeSvg("path", { d: `M${points.join("L")}` }),
    makeSvg(
      "text",
      { x: lx + (kind === "lstm" ? 6 : 16), y: Math.max(18, Math.min(HEIGHT - BOTTOM - 6, kind === "lstm" ? ly - 7 : ly + 4)) },
      kind === "lstm" ? "LSTM" : "plain RNN",
    ),
  );
}

function axes(): SVGElement[] {
  const marks = [1, 1e-3, 1e-6, 1e-9, 1e-12];
  return [
    ...marks.flatMap((mark) => [
      makeSvg("line", { class: "grid", x1: LEFT, x2: WIDTH - 12, y1: y(mark), y2: y(mark) }),
      makeSvg("text", { class: "tick", x: LEFT - 6, y: y(mark) + 4, "text-anchor": "end" }, mark === 1 ? "1" : `10${power(mark)}`),
    ]),
    ...[0, 25, 50, 75, 100].map((step) =>
      makeSvg("text", { class: "tick", x: x(step), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, String(step)),
    ),
    makeSvg("text", { class: "tick", x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "steps back"),
  ];
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function power(value: number): string {
  const exponent = Math.round(Math.log10(value));
  return (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((digit) => RAISED[Number(digit)]).join("");
}

function slider(name: string, id: string, min: number, max: number, step: number, value: number) {
  const input = make("input", { type: "range", class: id, min, max, step, value, "aria-label": name });
  const shown = make("output", {});
  const show = (): void => write(shown, Number(input.value).toFixed(step < 0.01 ? 3 : 2));
  input.addEventListener("input", show);
  show();
  return {
    input,
    value: () => Number(input.value),
    reset() {
      input.value = String(value);
      show();
    },
    element: make("label", { class: `survival-slider ${id}-row` }, make("span", {}, name), input, shown),
  };
}
