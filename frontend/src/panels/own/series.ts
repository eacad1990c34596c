/** A number series of the reader's own, drawn with mouse, pen, finger or keys over the one that was shown. */

import { unpack } from "../../document/read";
import { make, makeSvg, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { given, seriesText } from "../../model/own";
import type { Store } from "../../state/types";
import { brief, figure } from "../../text/format";
import { feature } from "../../text/labels";
import { takeOver } from "./write";

const [WIDTH, HEIGHT] = [1000, 160]; // of the drawing, in its own units

const LONGEST_DRAWN = 2000; // steps

export function makeSeries(store: Store): View & { focus(): void } {
  const { doc } = store.model;
  const width = doc.layers[0].input;
  const choice = make("select", { "aria-label": "input that is drawn" });
  choice.append(...Array.from({ length: width }, (_, k) => new Option(feature(doc, k), String(k))));
  choice.hidden = width < 2;
  const length = make("input", { type: "number", min: 1, max: LONGEST_DRAWN, step: 1, "aria-label": "steps" });
  const flat = make("button", { type: "button", class: "outlined" }, "Flat");
  const said = make("p", { class: "small", role: "status" });
  const line = makeSvg("path", { class: "own-line" });
  const zero = makeSvg("line", { class: "own-zero", x1: 0, x2: WIDTH });
  const mark = makeSvg("rect", { class: "own-mark", y: 0, height: HEIGHT });
  const drawing = makeSvg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    mark,
    zero,
    line,
  );
  const pad = make("div", { class: "own-pad", role: "slider", tabindex: 0, "aria-orientation": "vertical" }, drawing);
  const [top, bottom] = [make("span", { class: "own-top" }), make("span", { class: "own-bottom" })];
  const element = make(
    "div",
    { class: "own-series" },
    make("h2", {}, "Your own series: what does the model make of it?"),
    make("div", { class: "own-writing" }, choice, make("label", {}, "steps ", length), flat, said),
    make("div", { class: "own-frame" }, top, bottom, pad),
  );
  let drawn = 0; // the input that is drawn
  let last: { time: number; value: number } | null = null; // where the pointer was

  const [lows, highs] = bounds(store, width);
  const numbers = (): Float64Array => Float64Array.from(unpack(doc.items[store.state.item].input));
  const isOwn = (): boolean => store.state.own !== null && store.state.item >= given(doc);

  function give(data: Float64Array, time: number): void {
    store.set({ own: seriesText(data, width), item: doc.items.length, time, playing: false });
  }

  /** Sets the values from one step to another, on a straight line. */
  function draw(from: { time: number; value: number }, to: { time: number; value: number }): void {
    if (!isOwn()) takeOver(store, doc.items[store.state.item].steps - 1);
    const data = numbers();
    const steps = Math.abs(to.time - from.time);
    for (let k = 0; k <= steps; k++) {
      const share = steps ? k / steps : 1;
      const time = from.time + Math.sign(to.time - from.time) * k;
      data[time * width + drawn] = from.value + (to.value - from.value) * share;
    }
    give(data, to.time);
  }

  function under(event: PointerEvent): { time: number; value: number } {
    const box = pad.getBoundingClientRect();
    const { steps } = doc.items[store.state.item];
    const time = Math.max(0, Math.min(steps - 1, Math.floor((steps * (event.clientX - box.left)) / box.width)));
    const share = Math.max(0, Math.min(1, 1 - (event.clientY - box.top) / box.height));
    return { time, value: Number((lows[drawn] + share * (highs[drawn] - lows[drawn])).toPrecision(4)) };
  }

  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    draw((last = under(event)), last);
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last) return;
    const here = under(event);
    draw(last, here);
    last = here;
  });
  for (const name of ["pointerup", "pointercancel"]) pad.addEventListener(name, () => (last = null));
  pad.addEventListener("keydown", (event) => {
    const small = (highs[drawn] - lows[drawn]) / (event.shiftKey ? 200 : 40);
    const moves: Record<string, number> = { ArrowUp: small, ArrowDown: -small, PageUp: 10 * small, PageDown: -10 * small };
    const { time } = store.state;
    const { steps } = doc.items[store.state.item];
    const places: Record<string, number> = { ArrowLeft: time - 1, ArrowRight: time + 1, Home: 0, End: steps - 1 };
    if (event.key in moves) {
      const value = Number((numbers()[time * width + drawn] + moves[event.key]).toPrecision(6));
      draw({ time, value }, { time, value });
    } else if (event.key in places) store.set({ time: Math.max(0, Math.min(steps - 1, places[event.key])), playing: false });
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  choice.addEventListener("change", () => {
    drawn = choice.selectedIndex;
    update();
  });
  length.addEventListener("change", () => {
    const data = numbers();
    const wanted = Math.max(1, Math.min(LONGEST_DRAWN, Math.round(Number(length.value)) || 1));
    const end = data.length - width; // the last step goes on
    const longer = Float64Array.from({ length: wanted * width }, (_, k) => data[k] ?? data[end + (k % width)]);
    give(longer, Math.min(store.state.time, wanted - 1));
  });
  flat.addEventListener("click", () => {
    const data = numbers();
    const level = Number(((lows[drawn] + highs[drawn]) / 2).toPrecision(4));
    for (let k = drawn; k < data.length; k += width) data[k] = level;
    give(data, store.state.time);
  });

  const update = (): void => {
    const { time, item } = store.state;
    const { steps } = doc.items[item];
    const data = numbers();
    const [low, high] = [lows[drawn], highs[drawn]];
    const y = (value: number): number => HEIGHT * (1 - (value - low) / (high - low));
    const x = (step: number): number => (WIDTH * (step + 0.5)) / steps;
    const points = Array.from({ length: steps }, (_, step) => `${x(step).toFixed(1)},${y(data[step * width + drawn]).toFixed(1)}`);
    line.setAttribute("d", `M${points.join("L")}${steps === 1 ? "h1" : ""}`);
    for (const name of ["y1", "y2"]) zero.setAttribute(name, String(y(Math.max(low, Math.min(high, 0)))));
    mark.setAttribute("x", String((WIDTH * time) / steps));
    mark.setAttribute("width", String(Math.max(3, WIDTH / steps)));
    const value = data[time * width + drawn];
    pad.setAttribute("aria-label", `${feature(doc, drawn)}: up and down change the value, left and right the step`);
    for (const [name, one] of Object.entries({ min: low, max: high, now: value })) pad.setAttribute(`aria-value${name}`, String(one));
    pad.setAttribute("aria-valuetext", `step ${time}: ${figure(value)}`);
    write(top, brief(high));
    write(bottom, brief(low));
    if (document.activeElement !== length) length.value = String(steps);
    write(said, isOwn() ? `step ${time}: ${figure(value)}, as the model reads it` : "Draw over what is shown: it becomes your own.");
  };
  return { element, update, destroy: () => undefined, focus: () => pad.focus({ preventScroll: true }) };
}

/** Of each input what the sequences of the document span, and a quarter more on both sides. */
function bounds({ model: { doc } }: Store, width: number): [number[], number[]] {
  const [lows, highs] = [new Array<number>(width).fill(Infinity), new Array<number>(width).fill(-Infinity)];
  for (const item of doc.items.slice(0, given(doc))) {
    unpack(item.input).forEach((value, k) => {
      if (!Number.isFinite(value)) return;
      lows[k % width] = Math.min(lows[k % width], value);
      highs[k % width] = Math.max(highs[k % width], value);
    });
  }
  const room = lows.map((low, k) => (highs[k] > low ? (highs[k] - low) / 4 : 1));
  return [
    lows.map((low, k) => (Number.isFinite(low) ? low : 0) - room[k]),
    highs.map((high, k) => (Number.isFinite(high) ? high : 0) + room[k]),
  ];
}
