/** Does this unit matter? Every sequence of the page with it and without it. */

import { copyButton } from "../../dom/copying";
import { make, write } from "../../dom/elements";
import { answerDoc } from "../../model/answer";
import { type Asked, type Finding, held, matters } from "../../model/matters";
import { memoriesOf } from "../../model/memories";
import { mattersPython } from "../../state/python_causal";
import type { Store } from "../../state/types";
import { count, percent, typed } from "../../text/format";
import { inOrder, label } from "../../text/labels";

const SLICE = 16; // milliseconds of work before the page answers its reader

export class Matters {
  readonly element = make("section", { class: "panel compare-matters" });
  private readonly head = make("h3");
  private readonly go = make("button", { type: "button", class: "primary" }, "Try it over all sequences");
  private readonly site = make("select", { "aria-label": "what is held" });
  private readonly at = make("select", { "aria-label": "what it is held at" }, new Option("0", "zero"), new Option("its mean", "mean"));
  private readonly copy = copyButton("Copy as Python", "the Python text", () => this.python());
  private readonly status = make("p", { role: "status" });
  private readonly more = make("p", { class: "small soft" });
  private timer = 0;
  private key = "";
  private found: { asked: Asked; value: number } | null = null;

  constructor(private readonly store: Store) {
    const { cell } = store.model.doc;
    const sites = inOrder(cell, cell.sites);
    this.site.append(...sites.map((site) => new Option(label(cell, site) === site ? site : `${label(cell, site)} ${site}`, site)));
    this.site.value = memoriesOf(cell).find((site) => sites.includes(site)) ?? sites[0];
    const row = make(
      "div",
      { class: "compare-row" },
      make("label", {}, "hold ", this.site),
      make("label", {}, "at ", this.at),
      this.go,
      this.copy,
    );
    this.element.append(this.head, row, this.status, this.more);
    this.element.dataset["panel"] = "matters";
    this.go.addEventListener("click", () => (this.timer ? this.stop("Stopped.") : this.start()));
    for (const select of [this.site, this.at]) select.addEventListener("change", () => this.update());
  }

  private asked(): Asked {
    const { place, unit, edits, snapshot } = this.store.state;
    return {
      place,
      site: this.site.value,
      unit,
      at: this.at.value === "mean" ? "mean" : "zero",
      edits: edits.filter(({ on }) => on),
      snapshot,
    };
  }

  update(): void {
    const asked = this.asked();
    const many = this.store.model.doc.layers.length > 1 ? ` of ${asked.place}` : "";
    write(this.head, `Does unit ${asked.unit}${many} matter?`);
    const key = JSON.stringify(asked);
    if (key === this.key) return;
    this.key = key;
    this.stop("");
    this.found = null;
    this.copy.hidden = true;
    write(this.more, "");
  }

  private start(): void {
    const asked = this.asked();
    const work = matters(this.store.model, asked);
    write(this.go, "Stop");
    write(this.more, "");
    const slice = (): void => {
      const end = performance.now() + SLICE;
      while (performance.now() < end) {
        const { value, done } = work.next();
        if (done) {
          this.stop("");
          this.say(asked, value);
          return;
        }
        write(this.more, `${percent(value)} of the sequences`);
      }
      this.timer = window.setTimeout(slice);
    };
    this.timer = window.setTimeout(slice);
  }

  private stop(said: string): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    write(this.go, "Try it over all sequences");
    write(this.status, said);
  }

  private say(asked: Asked, found: Finding): void {
    this.found = { asked, value: found.value };
    this.copy.hidden = false;
    const { by, items } = found;
    const numbers = answerDoc(this.store.model.doc)?.kind === "numbers";
    const [before, after] = [found.with, found.without].map((loss) => loss / (numbers ? 1 : Math.LN2));
    const told =
      by === "loss"
        ? `${numbers ? "mean squared error" : "mean loss in bits"} ${exact(before)} with it, ${exact(after)} without it (${after < before ? "" : "+"}${exact(after - before)})`
        : `the outputs change by ${exact(found.change)} in the mean`;
    write(this.status, `Over ${count(items, "sequence")}: ${told}; p = ${exact(found.p)}.`);
    const least = found.exact ? Math.min(1, 2 / found.total) : 1 / (found.total + 1);
    const what = by === "loss" ? "of each sequence's change of loss" : "of each sequence's mean change of every output, the largest counts";
    const way = `${found.exact ? "all " : ""}${count(found.total, found.exact ? "sign" : "draw")}`;
    const few = least > 0.05 ? " So few sequences cannot show it at p < .05." : "";
    const value = asked.at === "mean" ? ` Held at ${typed(found.value)}, its mean over all steps.` : "";
    const others = asked.edits.length ? " Your other changes hold in both." : "";
    write(this.more, `Paired sign-flip test ${what}: ${way}; the smallest p there is: ${exact(least)}.${few}${value}${others}`);
  }

  private python(): string {
    if (!this.found) return "";
    const { asked, value } = this.found;
    return mattersPython(this.store.model.doc, asked.edits, asked.snapshot, held(asked, value));
  }

  destroy(): void {
    window.clearTimeout(this.timer);
  }
}

/** With three digits, however small. */
const exact = (value: number): string => typed(Number(value.toPrecision(3)));
