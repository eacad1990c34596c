/** Change a memory at the cursor, then let both sides go on: with the same random numbers, over the same rest of the sequence. */

import { TwoLines } from "../../charts/two_lines";
import { copyButton } from "../../dom/copying";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { spoken, written } from "../../model/alphabet";
import { answerDoc, lossFrom } from "../../model/answer";
import type { Run, Values } from "../../model/types";
import { Pen } from "../../model/writing_on";
import { HOTTEST } from "../../state/address";
import { writingPython } from "../../state/python_causal";
import type { Store } from "../../state/types";
import { count, figure } from "../../text/format";
import { makeMemories } from "./memories";
import { chosen, runOf, type Side } from "./sides";

const [PAUSE, SLICE] = [200, 16]; // milliseconds: of rest before it is computed, and of work before the page answers its reader

const [USUAL, MOST, BEFORE] = [120, 2000, 40]; // symbols written at first, at most, and shown of what was there

export class Writing {
  readonly element = make("section", { class: "panel compare-writing" });
  private readonly memories: View;
  private readonly says = make("p", { class: "small" });
  private readonly lines = new TwoLines("the answer", true);
  private readonly lineSays = make("p", { class: "small soft" });
  private readonly texts = [0, 1].map((which) => make("p", { class: `compare-text side-${which}` }));
  private readonly status = make("p", { class: "small", role: "status" });
  private readonly go = make("button", { type: "button", class: "primary" }, "Write on");
  private readonly length = make("input", { type: "number", min: 1, max: MOST, step: 1, value: USUAL, "aria-label": "symbols to write" });
  private readonly heat = make("input", {
    type: "number",
    min: 0,
    max: HOTTEST,
    step: 0.05,
    "aria-label": "temperature of what is written",
  });
  private readonly seed = make("input", { type: "number", min: 0, step: 1, "aria-label": "seed of what is written" });
  private readonly copy: HTMLElement;
  private readonly row: HTMLElement;
  private key = "";
  private timer = 0;
  private busy = false; // it writes
  private asked = false; // the reader wants a text: it is written again when something changes

  constructor(private readonly store: Store) {
    this.memories = makeMemories(store);
    this.copy = copyButton("Copy as Python", "the Python text", () => this.python() ?? "");
    this.row = make(
      "div",
      { class: "compare-row" },
      this.go,
      make("label", {}, "symbols ", this.length),
      make("label", {}, "temperature ", this.heat),
      make("label", {}, "seed ", this.seed),
      this.copy,
    );
    const both = make(
      "div",
      { class: "compare-sides" },
      ...this.texts.map((text, which) => make("div", {}, make("b", {}, "AB"[which]), text)),
    );
    this.element.append(make("h3", {}, "Write on from here"), this.memories.element, this.says, this.lines.element, this.lineSays);
    if (spoken(store.model.doc)) this.element.append(this.row, this.status, both);
    else this.element.firstElementChild!.textContent = "Go on from here";
    this.element.dataset["panel"] = "writing";
    this.go.addEventListener("click", () => {
      this.asked = !this.busy;
      if (this.busy) return this.stop("Stopped.");
      write(this.status, "");
      this.rest(0);
    });
    this.length.addEventListener("change", () => {
      this.length.value = String(this.symbols());
      this.update();
    });
    this.heat.addEventListener("change", () => store.set({ temperature: Math.max(0, Math.min(HOTTEST, Number(this.heat.value) || 0)) }));
    this.seed.addEventListener("change", () =>
      store.set({ seed: Math.max(0, Math.min(2 ** 31 - 1, Math.round(Number(this.seed.value)) || 0)) }),
    );
  }

  private symbols(): number {
    return Math.max(1, Math.min(MOST, Math.round(Number(this.length.value)) || USUAL));
  }

  private python(): string | null {
    const { item, time, temperature, seed } = this.store.state;
    const { right } = chosen(this.store);
    const { edits, snapshot, model } = right;
    if (model !== this.store.model) return null; // the one that was put beside: its lines are its own page's
    return writingPython(this.store.model.doc, { edits, snapshot, item, time, count: this.symbols(), temperature, seed });
  }

  update(): void {
    const { item, time, temperature, seed, unit, place } = this.store.state;
    const { left, right } = chosen(this.store);
    this.memories.update();
    this.copy.hidden = this.python() === null;
    if (document.activeElement !== this.heat) this.heat.value = String(temperature);
    if (document.activeElement !== this.seed) this.seed.value = String(seed);
    const sides = [left, right].map(({ key, edits, snapshot }) => [key, edits.filter(({ on }) => on), snapshot]);
    const key = JSON.stringify([item, time, temperature, seed, this.symbols(), unit, place, sides]);
    if (key === this.key) return;
    this.key = key;
    this.rest(PAUSE);
  }

  private rest(pause: number): void {
    if (this.busy) this.stop("");
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const { item, time } = this.store.state;
      const { left, right } = chosen(this.store);
      const sides = [left, right];
      const runs = sides.map((side) => runOf(side, item));
      this.follow(sides, runs, time);
      if (this.asked && spoken(this.store.model.doc)) this.write(sides, runs, time);
    }, pause);
  }

  /** The answers and the loss over the rest of the sequence. */
  private follow(sides: Side[], runs: (Run | null)[], time: number): void {
    const losses = sides.map(({ model }, which) => runs[which] && lossFrom(model.doc, runs[which], time));
    const numbers = answerDoc(sides[0].model.doc)?.kind === "numbers";
    const scale = numbers ? 1 : Math.LN2;
    const [one, other] = losses.map((loss) => (loss ? figure(loss.value / scale, loss.error / scale) : null));
    const word = numbers ? "Mean squared error" : "Mean loss, in bits,";
    write(this.says, one && other ? `${word} from step ${time} on: A ${one}, B ${other}.` : "");
    const outputs = runs.map((run) => run && (run.head ?? run.output));
    const [a, b] = outputs;
    const index = a && b ? mostApart(a, b, time) : 0;
    const name = sides[0].model.doc.head?.names?.[index] ?? `${index}`;
    this.lines.element.hidden = !a && !b;
    this.lines.update(
      outputs.map((from) => from && courseOf(from, index)),
      time,
    );
    write(this.lineSays, a && b ? `The course of output ${name}${a.width > 1 ? ", which differs most" : ""}: A solid, B dashed.` : "");
  }

  /** Both texts, a slice at a time. */
  private write(sides: Side[], runs: (Run | null)[], time: number): void {
    const { temperature, seed } = this.store.state;
    const wanted = this.symbols();
    const pens = sides.map(({ model, edits, snapshot }, which) =>
      runs[which] && spoken(model.doc) ? new Pen(model.doc, runs[which], edits, snapshot, time) : null,
    );
    const found: string[][] = [[], []];
    const open = pens.map((pen) => pen !== null);
    this.busy = true;
    write(this.go, "Stop");
    write(this.status, "");
    const slice = (): void => {
      const end = performance.now() + SLICE;
      while (performance.now() < end && found.some((one, which) => open[which] && one.length < wanted)) {
        pens.forEach((pen, which) => {
          const next = open[which] && pen && found[which].length < wanted ? pen.next(temperature, seed) : null;
          if (next !== null) found[which].push(next);
          else if (found[which].length < wanted) open[which] = false;
        });
      }
      this.show(sides, time, found);
      if (found.some((one, which) => open[which] && one.length < wanted)) this.timer = window.setTimeout(slice);
      else this.stop(differing(found));
    };
    slice();
  }

  private stop(said: string): void {
    window.clearTimeout(this.timer);
    this.busy = false;
    write(this.go, "Write on");
    write(this.status, said);
  }

  private show(sides: Side[], time: number, found: string[][]): void {
    const { item } = this.store.state;
    sides.forEach(({ model }, which) => {
      const { characters } = model.doc.items[item] ?? {};
      const text = (symbols: string[]): string => (model.doc.alphabet ? written(model.doc.alphabet, symbols) : symbols.join(""));
      const before = text(characters?.slice(Math.max(0, time + 1 - BEFORE), time + 1) ?? []);
      const gap = before && text(["a", "b"]).length > 2 ? " " : "";
      this.texts[which].replaceChildren(make("span", { class: "soft" }, before + gap));
      for (const { symbols, differs } of stretches(found[which], found[1 - which]))
        this.texts[which].append(make(differs ? "mark" : "span", {}, text(symbols) + (symbols.length ? gap : "")));
    });
  }

  destroy(): void {
    window.clearTimeout(this.timer);
    this.lines.destroy();
  }
}

/** The output that the sides differ in most from a step on. */
function mostApart(a: Values, b: Values, from: number): number {
  let [most, found] = [0, 0];
  if (a.width !== b.width) return 0;
  for (let k = from * a.width; k < Math.min(a.data.length, b.data.length); k++) {
    const apart = Math.abs(a.data[k] - b.data[k]);
    if (apart > most) [most, found] = [apart, k % a.width];
  }
  return found;
}

const courseOf = (from: Values, index: number): number[] =>
  Array.from({ length: from.steps }, (_, time) => from.data[time * from.width + index]);

/** A text in stretches that are the same as the other at the same places, or differ. */
function stretches(one: string[], other: string[]): { symbols: string[]; differs: boolean }[] {
  const found: { symbols: string[]; differs: boolean }[] = [];
  one.forEach((symbol, index) => {
    const differs = symbol !== other[index];
    if (found.at(-1)?.differs === differs) found.at(-1)!.symbols.push(symbol);
    else found.push({ symbols: [symbol], differs });
  });
  return found;
}

function differing([one, other]: string[][]): string {
  if (!one.length || !other.length) return "Only one of the two writes.";
  const length = Math.min(one.length, other.length);
  const first = one.findIndex((symbol, index) => symbol !== other[index]);
  if (first < 0 || first >= length) return `The same ${count(length, "symbol")}.`;
  const many = one.slice(0, length).filter((symbol, index) => symbol !== other[index]).length;
  return `${many} of ${length} differ, the first of them the symbol ${first}.`;
}
