/** The Ledger view: what one unit wrote at every step, and how much of it is left at every later one. */

import "./ledger.css";
import { lookOf, paletteOf } from "../../charts/colours";
import { Triangle } from "../../charts/triangle";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { memories } from "../../model/additive";
import { type Balance, balanceAt, type Ledger, ledgerOf } from "../../model/ledger";
import type { Values } from "../../model/types";
import { errorAt } from "../../model/values";
import type { Store } from "../../state/types";
import { brief, count, figure, visible } from "../../text/format";

const NAMED = 12;

class LedgerView implements View {
  readonly element = make("div", { class: "ledger-view" });
  private readonly title = make("h2");
  private readonly choice = make("select", { "aria-label": "memory" });
  private readonly triangle: Triangle;
  private readonly rankedTitle = make("h3");
  private readonly ranked = make("ol", { class: "ledger-ranked" });
  private readonly rest = make("p", { class: "small" });
  private readonly check = make("p", { class: "ledger-check", role: "status" });
  private readonly why = make("div", { class: "panel ledger-why" });
  private readonly body: HTMLElement;
  private ledger: Ledger | null = null;
  private memory: string;
  private drawn: unknown[] = [];
  private balanced: unknown[] = [];
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly redraw = (): void => {
    requestAnimationFrame(() => this.update()); // after the shell has changed its look
  };

  constructor(private readonly store: Store) {
    const { found } = memories(store.model);
    const { state, labels } = store.model.doc.cell;
    this.memory = found[0]?.state ?? state[1] ?? state[0] ?? "";
    for (const name of found.map((one) => one.state)) this.choice.append(make("option", { value: name }, `${name} ${labels[name] ?? ""}`));
    this.choice.hidden = found.length < 2;
    this.choice.addEventListener("change", () => {
      this.memory = this.choice.value;
      this.update();
    });
    this.triangle = new Triangle({
      read: (time) => store.set({ time, playing: false }),
      describe: (read, written) => this.describe(read, written),
    });
    this.body = this.build();
  }

  private build(): HTMLElement {
    const says = make(
      "p",
      { class: "small" },
      "Each column is a step at which something was written; each row, what is left of it when it is read later.",
    );
    const main = make("section", { class: "panel ledger-main" }, make("header", {}, this.title, this.choice), says, this.triangle.element);
    main.dataset["panel"] = "ledger";
    const heads = make(
      "p",
      { class: "ledger-heads", "aria-hidden": "true" },
      make("span", {}, "written at"),
      make("span"),
      make("span", {}, "left"),
      make("span", {}, "of"),
    );
    const side = make(
      "aside",
      { class: "panel ledger-side" },
      make("header", {}, this.rankedTitle),
      this.check,
      heads,
      this.ranked,
      this.rest,
    );
    side.dataset["panel"] = "what is in the memory";
    const body = make("div", { class: "ledger-body" }, main, side);
    this.element.append(body, this.why);
    return body;
  }

  update(): void {
    const { state, model } = this.store;
    const run = this.store.run();
    const key = [run, state.place, state.unit, this.memory, lookOf(this.element)];
    if (key.some((one, index) => one !== this.drawn[index])) {
      this.drawn = key;
      const found = ledgerOf(model, state, run, this.memory);
      this.ledger = "why" in found ? null : found;
      if ("why" in found) this.refuse(found.why);
      else this.draw(found);
      this.balanced = [];
    }
    this.body.hidden = this.ledger === null;
    this.why.hidden = this.ledger !== null;
    if (this.ledger && [this.ledger, state.time].some((one, index) => one !== this.balanced[index])) {
      this.balanced = [this.ledger, state.time];
      this.balance(this.ledger, state.time);
    }
  }

  private refuse(why: string): void {
    const { model, state } = this.store;
    const line = `byhand.explain.ledger(trace, layer="${state.place}", unit=${state.unit})`;
    const others =
      model.doc.computed || model.doc.why_not === null
        ? []
        : [make("p", {}, "In Python, from the full values:"), make("pre", {}, make("code", {}, line))];
    this.why.replaceChildren(make("h2", {}, "No ledger for this memory"), make("p", {}, why), ...others);
  }

  private draw(ledger: Ledger): void {
    const { labels } = this.store.model.doc.cell;
    const { unit, item } = this.store.state;
    write(this.title, `What ${labels[ledger.state] ?? "memory"} ${ledger.state} of unit ${unit} is made of`);
    this.choice.value = ledger.state;
    const letters = this.store.model.doc.items[item]?.characters ?? null;
    this.triangle.show(ledger, letters, paletteOf(this.element));
  }

  private balance(ledger: Ledger, time: number): void {
    const found = balanceAt(ledger, time);
    this.triangle.read(time, found);
    write(this.rankedTitle, `In ${ledger.state} at step ${time}`);
    const size = Math.max(...found.entries.map(({ left }) => Math.abs(left) || 0), Math.abs(found.first) || 0, 1e-12);
    const order = [...found.entries].sort((a, b) => rank(b.left) - rank(a.left) || b.time - a.time);
    this.ranked.replaceChildren(
      ...order.slice(0, NAMED).map((entry) => this.row(this.stepName(entry.time), entry, size, figure(entry.written, entry.writtenError))),
    );
    if (ledger.first !== 0)
      this.ranked.append(this.row("the first memory", { left: found.first, error: found.firstError }, size, figure(ledger.first)));
    const others = order.slice(NAMED);
    const together = others.reduce((all, { left }) => all + left, 0);
    const off = others.reduce((all, { error }) => all + error, 0);
    write(this.rest, others.length ? `and ${count(others.length, "other step")}, together ${figure(together, off)}` : "");
    this.checkSum(ledger, found, time);
  }

  private checkSum(ledger: Ledger, { entries, sum, memory, memoryError, firstError }: Balance, time: number): void {
    const difference = Math.abs(sum - memory);
    const exact = this.store.model.doc.computed ? 1e-9 : 1e-5; // what a file holds of maps has 24 bits
    const off = entries.reduce((all, { error }) => all + error, firstError);
    const right = difference <= exact * Math.max(1, Math.abs(memory)) + off + memoryError;
    this.check.classList.toggle("right", right);
    const sums = entries.length === 1 && !ledger.first ? "sums" : "sum";
    const whole = `${entries.length === 1 ? "1 entry" : `${entries.length} entries`}${ledger.first ? " and the first memory" : ""} ${sums} to ${figure(sum, off)}`;
    const held = right ? `= ${ledger.state} at step ${time}` : `but ${ledger.state} at step ${time} is ${figure(memory, memoryError)}`;
    const rough = right || this.store.model.doc.computed ? "" : ": the values of this file are rounded";
    if (Number.isNaN(memory))
      write(this.check, `${ledger.state} at step ${time} is NaN, not a number: so is something that was written into it`);
    else write(this.check, `${right ? "✓ " : ""}${whole} ${held}${rough}`);
  }

  private row(name: string, { left, error }: { left: number; error: number }, size: number, detail: string): HTMLElement {
    const bar = make(
      "span",
      { class: `ledger-bar ${left < 0 ? "minus" : "plus"}${Number.isNaN(left) ? " nan" : ""}`, "aria-hidden": "true" },
      make("i"),
      make("span", { class: "middle" }),
    );
    bar.style.setProperty("--size", `${Math.min(1, Math.abs(left) / size || 0) * 50}%`);
    return make(
      "li",
      { "data-left": left },
      make("span", { class: "ledger-name" }, name),
      bar,
      make("span", { class: "ledger-left" }, figure(left, error)),
      make("span", { class: "ledger-detail" }, detail),
    );
  }

  /** "step 12 “e”", or with the numbers that came in. */
  private stepName(time: number): string {
    const { model, state } = this.store;
    const letter = model.doc.items[state.item]?.characters?.[time];
    if (letter !== undefined) return `step ${time} “${visible(letter)}”`;
    const { input } = this.store.run();
    return input.width > 2 ? `step ${time}` : `step ${time}, input ${inputsAt(input, time)}`;
  }

  private describe(read: number, written: number): string {
    if (!this.ledger) return "";
    const entry = balanceAt(this.ledger, read).entries.find(({ time }) => time === written);
    if (!entry) return `at step ${read}, step ${written} has not been written yet`;
    return `written at ${this.stepName(written)}: ${figure(entry.written, entry.writtenError)}; left at step ${read}: ${figure(entry.left, entry.error)}`;
  }

  destroy(): void {
    this.triangle.destroy();
    this.dark.removeEventListener("change", this.redraw);
  }

  /** Watches for a dark system theme. */
  start(): this {
    this.dark.addEventListener("change", this.redraw);
    return this;
  }
}

const rank = (value: number): number => (Number.isNaN(value) ? Infinity : Math.abs(value));

function inputsAt(values: Values, time: number): string {
  const { data, width } = values;
  const say = (value: number, k: number): string => (values.error ? figure(value, errorAt(values, k)) : brief(value));
  return Array.from(data.subarray(time * width, (time + 1) * width), say).join(", ");
}

export const makeLedger = (store: Store): View => new LedgerView(store).start();
