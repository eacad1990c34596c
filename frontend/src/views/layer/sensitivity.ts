/** What one memory listens to: its derivative by every input before it (and after it, in a reverse direction). */

import { diverging, largest, paletteOf } from "../../charts/colours";
import { paint } from "../../charts/heatmap";
import { make, makeSvg, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { switchedOn } from "../../model/additive";
import type { Values } from "../../model/types";
import type { Store } from "../../state/types";
import { about, count, figure, visible } from "../../text/format";

const COST = 2e8; // multiplications that are done without being asked for: about a third of a second

const PAUSE = 180; // ms of rest before they start

const NAMED = 6;

const AROUND = 160; // characters that are shown

export function makeSensitivity(store: Store): View {
  const title = make("p", { class: "small" });
  const choice = make("select", { "aria-label": "memory" });
  const body = make("div", { class: "listening-body" });
  const element = make(
    "section",
    { class: "panel listening", "aria-live": "off" },
    make("header", {}, make("h3", {}, "What it listens to"), choice),
    title,
    body,
  );
  element.dataset["panel"] = "what it listens to";
  const { cell } = store.model.doc;
  const long = cell.state[1] ?? cell.state[0] ?? "";
  let memory = long;
  for (const state of cell.state) choice.append(make("option", { value: state, selected: state === long }, state));
  choice.hidden = cell.state.length < 2;
  let before = "";
  let timer = 0;

  function update(force = false): void {
    const { item, place, unit, time, edits, snapshot, theme } = store.state;
    const key = JSON.stringify([item, place, unit, time, edits, snapshot, theme, memory]);
    if (key === before && !force) return;
    before = key;
    write(title, `${memory} of unit ${unit} at step ${time}, by each input`);
    clearTimeout(timer);
    if (!store.model.doc.computed) return refuse();
    if (costOf(store) > COST && !force) return offer();
    body.setAttribute("aria-busy", "true");
    timer = window.setTimeout(compute, force ? 0 : PAUSE);
  }

  function compute(): void {
    const { item, place, unit, time, edits, snapshot } = store.state;
    const found = store.model.listens(item, switchedOn(edits), snapshot, place, memory, unit, time);
    body.removeAttribute("aria-busy");
    if (found) body.replaceChildren(...pictures(store, found, element));
    else refuse();
  }

  function refuse(): void {
    const { place, unit, time } = store.state;
    const line = `byhand.explain.connectivity(${store.model.doc.name}, x, at=${time}, unit=${unit}, site="${place}.${memory}")`;
    const why = store.model.doc.why_not ?? "the page cannot differentiate this cell";
    body.replaceChildren(make("p", {}, `Not computed in the page: ${why}. In Python:`), make("pre", {}, make("code", {}, line)));
  }

  function offer(): void {
    const button = make("button", { type: "button" }, "Compute");
    button.addEventListener("click", () => update(true));
    body.replaceChildren(make("p", {}, "This takes a few seconds for a network of this size."), button);
  }

  choice.addEventListener("change", () => {
    memory = choice.value;
    update();
  });
  return { element, update: () => update(), destroy: () => clearTimeout(timer) };
}

/** Multiplications of one backward pass. */
function costOf({ model, state }: Store): number {
  const steps = model.doc.items[state.item]?.steps ?? 0;
  const { gates } = model.doc.cell;
  return steps * model.doc.layers.reduce((all, { input, hidden, output }) => all + gates.length * hidden * (input + output), 0);
}

/** One number for each step: the derivative itself where there is one feature, else its length over the features. */
function strengths(values: Values): { data: Float64Array; signed: boolean } {
  const { data, width, steps } = values;
  if (width === 1) return { data, signed: true };
  const lengths = Float64Array.from({ length: steps }, (_, step) => Math.hypot(...data.subarray(step * width, (step + 1) * width)));
  return { data: lengths, signed: false };
}

function pictures(store: Store, values: Values, element: Element): Node[] {
  const { state, model } = store;
  const item = model.doc.items[state.item];
  const { data, signed } = strengths(values);
  const most = largest({ ...values, width: 1, data });
  const letters = item?.characters ?? null;
  const parts: Node[] = [bars(data, most, state.time)];
  if (values.width > 1 && !letters) parts.push(heat(values, element));
  if (letters) parts.push(passage(letters, data, most, state.time));
  parts.push(ranked(store, data, signed));
  return parts;
}

/** Bars over time, each as wide as it must be to be seen: the strongest of the steps that fall on it. */
function bars(data: Float64Array, most: number, time: number): SVGElement {
  const slots = Math.min(data.length, 150);
  const [width, height] = [300, 70];
  const picture = makeSvg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "bars",
    role: "img",
    preserveAspectRatio: "none",
  });
  picture.setAttribute("aria-label", `Derivative by the input of each of ${count(data.length, "step")}`);
  const signed = data.some((value) => value < 0);
  const zero = signed ? height / 2 : height - 1;
  const reach = signed ? height / 2 - 2 : height - 4;
  const wide = width / slots;
  picture.append(
    makeSvg("rect", {
      class: "bars-now",
      x: (Math.floor((time * slots) / data.length) * width) / slots,
      y: 0,
      width: Math.max(1, wide),
      height,
    }),
  );
  for (let slot = 0; slot < slots; slot += 1) {
    const part = data.subarray(Math.floor((slot * data.length) / slots), Math.max(1, Math.floor(((slot + 1) * data.length) / slots)));
    const value = part.reduce((best, one) => (Math.abs(one) > Math.abs(best) ? one : best), 0);
    const size = Math.min(1, Math.abs(value) / most) * reach;
    if (!(size > 0)) continue;
    picture.append(
      makeSvg("rect", {
        class: value < 0 ? "minus" : "plus",
        x: slot * wide + wide * 0.1,
        width: wide * 0.8,
        y: value < 0 ? zero : zero - size,
        height: size,
      }),
    );
  }
  picture.append(makeSvg("line", { class: "zero", x1: 0, x2: width, y1: zero, y2: zero }));
  return picture;
}

function heat(values: Values, element: Element): HTMLElement {
  const canvas = make("canvas", { class: "listening-heat", role: "img" });
  canvas.setAttribute("aria-label", `Derivative by each of ${values.width} features at each of ${values.steps} steps`);
  const scheme = diverging(largest(values), paletteOf(element));
  const columns = Array.from({ length: values.width }, (_, column) => column);
  paint(canvas, values, columns, { from: 0, to: values.steps }, scheme, {
    width: 600,
    height: Math.max(20, Math.min(160, values.width * 12)),
  });
  return canvas;
}

/** The text up to the step, each character shaded by how strongly it is listened to. */
function passage(letters: string[], data: Float64Array, most: number, time: number): HTMLElement {
  const paragraph = make("p", { class: "heard" });
  const first = Math.max(0, Math.min(time - AROUND + 20, letters.length - AROUND));
  letters.slice(first, first + AROUND).forEach((letter, index) => {
    const step = first + index;
    const piece = make("span", { class: step === time ? "now" : null }, letter === " " ? " " : visible(letter));
    const strength = Math.abs(data[step] ?? 0) / most;
    if (strength > 0.02) piece.style.setProperty("--strength", `${Math.round(Math.min(1, strength) * 60)}%`);
    paragraph.append(piece);
  });
  return paragraph;
}

function ranked(store: Store, data: Float64Array, signed: boolean): HTMLElement {
  const letters = store.model.doc.items[store.state.item]?.characters;
  const say = store.model.doc.layers.some((layer) => layer.errors) ? about : figure; // nobody knows how far rounded weights lead it
  const order = Array.from(data.keys()).filter((step) => data[step] !== 0 && !Number.isNaN(data[step]));
  order.sort((a, b) => Math.abs(data[b]) - Math.abs(data[a]) || a - b);
  const named = order
    .slice(0, NAMED)
    .map((step) => `step ${step}${letters ? ` “${visible(letters[step] ?? "")}”` : ""} ${say(data[step])}`);
  const what = signed ? "Change of it for a small change of the input" : "Length of its derivative by the features";
  const broken = data.some((value) => Number.isNaN(value)) ? " Some derivatives are NaN." : "";
  return make("p", { class: "small" }, `${what}: ${named.join(" · ") || "nothing reaches it"}.${broken}`);
}
