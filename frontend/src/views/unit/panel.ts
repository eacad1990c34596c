/** What the arithmetic of one part is made of: sums term by term, the equation with numbers, what it means, holding it. */

import { make, write } from "../../dom/elements";
import { type Handle, handle } from "../../dom/handle";
import { edited, inputAt, inputName, multiplied, type Target, targetOf, weightAt } from "../../model/editable";
import { equationText, names, tokens } from "../../model/expression";
import { largestOnes } from "../../model/pooled";
import { evaluate } from "../../model/program";
import { inputOf, type Reading } from "../../model/reading";
import type { Expression, Term, Values } from "../../model/types";
import { errorAt } from "../../model/values";
import { hold } from "../../panels/hold";
import type { Store } from "../../state/types";
import { figure } from "../../text/format";
import { counted, type StepWord, symbol, tone } from "../../text/labels";
import { heading, whyNot } from "./heading";
import { sentenceOf } from "./sentences";
import { LONG, nodeName, SHOWN, same, termLabel, termNames, termsIn, vectorNames } from "./term_names";
import { withNames } from "./weight_tip";

export type Refresh = (reading: Reading, before: Reading | null) => void;

/** Builds the panel once for a node and a step; what it pushes to `refreshes` keeps the numbers up to date. */
export class Panel {
  constructor(
    readonly store: Store,
    readonly word: StepWord,
    readonly refreshes: Refresh[],
    readonly expanded: boolean,
    readonly expand: () => void,
  ) {}

  build(reading: Reading, node: string): HTMLElement[] {
    const parts = [heading(reading, node, this.word)];
    if (node === "input") parts.push(this.inputs(reading));
    else if (node.startsWith("s.")) parts.push(this.memory(reading, node));
    else if (node.startsWith("x.") || node.startsWith("u.")) parts.push(this.sum(reading, node));
    else parts.push(...this.site(reading, node));
    if (!reading.doc.computed) parts.push(whyNot(reading, node));
    return parts;
  }

  /** A site: its equation, the sums that go into it, the numbers, what it means, and holding it. */
  site(reading: Reading, site: string): HTMLElement[] {
    const parts: HTMLElement[] = [];
    const tree = reading.doc.cell.program ? this.store.model.equation(site) : null;
    if (tree) {
      parts.push(make("p", { class: "equation" }, `${symbol(site)} = ${equationText(tree)}`));
      for (const name of names(tree)) if (/^[xu]\./.test(name) && reading.doc.computed) parts.push(this.terms(reading, name));
      parts.push(names(tree).every(reading.has) ? this.numbers(reading, site, tree) : this.bare(site));
    } else parts.push(this.bare(site));
    parts.push(this.sentence(site));
    if (reading.doc.computed) parts.push(this.holding(reading, site, tree));
    return parts;
  }

  /** A handle for a target, or the bare number where nothing can be changed. */
  number(target: Target | null, read: (reading: Reading) => number, reading: Reading, error: (reading: Reading) => number): HTMLElement {
    if (!target) {
      const text = make("span", { class: "number" });
      this.refreshes.push((now) => write(text, figure(read(now), error(now))));
      return text;
    }
    const made: Handle = handle({
      ...{ key: target.key, name: target.name, value: read(reading), low: target.low, high: target.high, step: target.step },
      change: (value, dragging) => this.store.edit(target.edit(value), { dragging }),
      cancel: () => this.store.abandon(),
    });
    this.refreshes.push((now) => made.set(read(now), edited(this.store.state.edits, target), error(now)));
    return made.element;
  }

  /** The equation with numbers in it: σ(2.08) = 0.89. */
  numbers(reading: Reading, site: string, tree: Expression): HTMLElement {
    const line = make("p", { class: "numbers" });
    for (const token of tokens(tree)) {
      if ("text" in token) line.append(token.text);
      else {
        const number = this.number(
          targetOf(reading, token.name),
          (now) => now.read(token.name),
          reading,
          (now) => now.error(token.name),
        );
        const names = vectorNames(reading, token.name);
        line.append(names ? withNames(number, names) : number);
      }
    }
    const result = make("strong", { class: `result tone-${tone(reading.doc.cell, site)}` });
    line.append(" ", make("span", { class: "equals" }, "= ", result));
    this.refreshes.push((now) => {
      const value = evaluate(tree, now.read);
      write(result, figure(value, now.error(site)));
      result.classList.toggle("nan", Number.isNaN(value));
    });
    return line;
  }

  bare(site: string): HTMLElement {
    const text = make("span", { class: "number" });
    this.refreshes.push((now) => write(text, now.has(site) ? now.figure(site) : "–"));
    return make("p", { class: "numbers" }, `${symbol(site)} = `, text);
  }

  /** The terms of a gate's sum, one a line, and what they add up to. */
  terms(reading: Reading, name: string): HTMLElement {
    const gate = name.slice(2);
    const all = termsIn(reading, this.store.model, name);
    const shown = this.expanded ? all : all.slice(0, SHOWN);
    const long = shown.some((term) => termLabel(reading, term).length > LONG);
    const rows = shown.map((term, index) => this.term(reading, gate, term, index > 0));
    const table = make("div", { class: long ? "terms long" : "terms", role: "group", "aria-label": nodeName(reading, name) }, ...rows);
    if (all.length > SHOWN) table.append(this.rest(gate, name, all.slice(SHOWN)));
    const total = make("span", { class: "product" });
    table.append(
      make("div", { class: "term total" }, make("span", { class: "sign" }, "="), make("span", { class: "label" }, symbol(name)), total),
    );
    this.refreshes.push((now) => write(total, now.figure(name)));
    return table;
  }

  term(reading: Reading, gate: string, term: Term, further: boolean): HTMLElement {
    const find = (now: Reading): Term | undefined => now.terms(gate).find((one) => same(one, term));
    const { part, row, column } = term.source;
    const text = termLabel(reading, term);
    const target = {
      ...weightAt(reading, part, row, column),
      name: term.kind === "bias" ? `${nodeName(reading, gate)}, ${text}` : `weight of ${text}`,
    };
    const off = (now: Reading) => find(now)?.errors ?? { value: 0, weight: 0, product: 0 };
    const weight = withNames(
      this.number(
        reading.doc.computed ? target : null,
        (now) => find(now)?.weight ?? NaN,
        reading,
        (now) => off(now).weight,
      ),
      termNames(reading, term),
    );
    const product = make("span", { class: "product" });
    this.refreshes.push((now) => write(product, figure(find(now)?.product, off(now).product)));
    const line = make("div", { class: `term ${term.kind}` }, make("span", { class: "sign" }, further ? "+" : ""));
    if (term.kind === "bias") line.append(make("span", { class: "factors" }, weight));
    else {
      const value = this.number(
        multiplied(reading, term),
        (now) => find(now)?.value ?? NaN,
        reading,
        (now) => off(now).value,
      );
      line.append(make("span", { class: "factors" }, value, " × ", weight));
    }
    line.append(make("span", { class: "label" }, term.kind === "bias" ? text : `${text} × weight`), product);
    return line;
  }

  /** "and 56 more: 0.12" */
  rest(gate: string, name: string, others: Term[]): HTMLElement {
    const button = make("button", {
      type: "button",
      class: "more",
      "aria-expanded": String(this.expanded),
      "data-key": `more ${name}`,
    });
    button.addEventListener("click", this.expand);
    if (this.expanded) write(button, "show the largest only");
    else {
      this.refreshes.push((now) => {
        const left = now.terms(gate).filter((term) => others.some((one) => same(one, term)));
        const sum = left.reduce((total, term) => total + term.product, 0);
        const off = left.reduce((total, term) => total + term.errors.product, 0);
        write(button, `and ${others.length} more: ${figure(sum, off)}`);
      });
    }
    return make("div", { class: "term rest" }, button);
  }

  sum(reading: Reading, node: string): HTMLElement {
    return reading.doc.computed ? this.terms(reading, node) : make("p", {}, "The weights are not in this page.");
  }

  inputs(reading: Reading): HTMLElement {
    const { layer, doc } = reading;
    const from = (now: Reading): Values | null => inputOf(layer, now.run);
    const list = make("div", { class: "terms", role: "group", "aria-label": "inputs" });
    for (const index of largestOnes(from(reading), reading.time, this.expanded ? layer.input : SHOWN)) {
      const target = doc.computed ? inputAt(reading, index) : null;
      const error = (now: Reading): number => {
        const values = from(now);
        return values ? errorAt(values, index) : 0;
      };
      const read = (now: Reading): number => {
        const values = from(now);
        return values ? values.data[now.time * values.width + index] : NaN;
      };
      const name = make("span", { class: "label" }, inputName(reading, index));
      list.append(make("div", { class: "term input" }, this.number(target, read, reading, error), name));
    }
    if (layer.input > SHOWN) {
      const text = this.expanded ? "show the largest only" : `and ${layer.input - SHOWN} more`;
      const button = make(
        "button",
        { type: "button", class: "more", "aria-expanded": String(this.expanded), "data-key": "more inputs" },
        text,
      );
      button.addEventListener("click", this.expand);
      list.append(button);
    }
    return list;
  }

  memory(reading: Reading, node: string): HTMLElement {
    const from =
      reading.earlier < 0 ? "the first memory, before the sequence begins" : `what ${counted(this.word, reading.earlier)} left behind`;
    return make(
      "p",
      { class: "numbers" },
      `${symbol(node)} = `,
      this.number(
        targetOf(reading, node),
        (now) => now.read(node),
        reading,
        (now) => now.error(node),
      ),
      ` ${from}`,
    );
  }

  /** In plain words; and what it was before the edits. */
  sentence(site: string): HTMLElement {
    const words = make("p", { class: "sentence" });
    const was = make("p", { class: "was" });
    this.refreshes.push((now, before) => {
      write(words, sentenceOf(now, site, this.store.model));
      const differs = before !== null && before.figure(site) !== now.figure(site);
      was.hidden = !differs;
      if (differs) write(was, `Without the edits: ${before.figure(site)}.`);
    });
    return make("div", {}, words, was);
  }

  holding(reading: Reading, site: string, tree: Expression | null): HTMLElement {
    const made = hold(this.store, reading, site);
    this.refreshes.push((now) => made.update(now, tree ? evaluate(tree, now.read) : NaN));
    return made.element;
  }
}
