/** The Compare view: two models, or two states of one, on the same input under one cursor. */

import "../../charts/maps.css";
import "./compare.css";
import { diverging, largest, lookOf, paletteOf, schemeOf } from "../../charts/colours";
import { SiteMap } from "../../charts/site_map";
import { TwoLines } from "../../charts/two_lines";
import { make, write } from "../../dom/elements";
import { PICTURE } from "../../dom/picture";
import type { View } from "../../dom/view";
import { answerAt, lossOver } from "../../model/answer";
import { answerLines, textOf } from "../../model/answer_words";
import { differenceOf, ordered } from "../../model/difference";
import type { Run } from "../../model/types";
import type { Store } from "../../state/types";
import { inOrder } from "../../text/labels";
import { Matters } from "./matters";
import { chosen, runOf, type Side } from "./sides";
import { Writing } from "./writing";

const PAUSE = 180; // milliseconds of rest before the gradients are computed

class CompareView implements View {
  readonly element = make("div", { class: "compare-view" });
  private readonly selects = [0, 1].map((which) => this.select(which));
  private readonly answers = [0, 1].map(() => make("p", { class: "compare-answer" }));
  private readonly maps = make("div", { class: "compare-maps" });
  private readonly lines = new TwoLines("gradient");
  private readonly says = make("p", { class: "small soft" });
  private readonly rows = new Map<string, SiteMap[]>();
  private readonly note = make("p", { class: "small soft" });
  private drawn: unknown[] = [];
  private traced = "";
  private timer = 0;
  private readonly sections: (Writing | Matters)[] = []; // where the page computes
  private readonly sizes = new ResizeObserver(() => this.redraw());
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly redraw = (): void => {
    this.drawn = [];
    requestAnimationFrame(() => this.update());
  };

  constructor(private readonly store: Store) {
    const heads = [0, 1].map((which) =>
      make(
        "div",
        { class: `compare-side side-${which}` },
        make("label", {}, make("b", {}, "AB"[which]), " ", this.selects[which]),
        this.answers[which],
      ),
    );
    const main = make(
      "section",
      { class: "panel compare-main" },
      make("h2", {}, "Where do two of them differ on the same input?"),
      make("div", { class: "compare-sides" }, ...heads),
      this.note,
      this.maps,
    );
    main.dataset["panel"] = "compare";
    const gradient = make(
      "section",
      { class: "panel" },
      make("h3", {}, "How much gets through from each step"),
      this.says,
      this.lines.element,
    );
    gradient.dataset["panel"] = "gradients";
    if (store.model.doc.computed) this.sections = [new Writing(store), new Matters(store)];
    this.element.append(main, ...this.sections.map(({ element }) => element), gradient);
    this.element.addEventListener(PICTURE, () => this.all().forEach((map) => map.finish()));
    this.sizes.observe(this.maps);
    this.dark.addEventListener("change", this.redraw);
  }

  private select(which: number): HTMLSelectElement {
    const select = make("select", { "aria-label": `side ${"AB"[which]}` });
    select.addEventListener("change", () => {
      const { left, right } = chosen(this.store);
      const keys = [left.key, right.key];
      keys[which] = select.value;
      this.store.set({ sides: keys.join("~") });
    });
    return select;
  }

  private all(): SiteMap[] {
    return [...this.rows.values()].flat();
  }

  update(): void {
    const { state } = this.store;
    const { all, left, right } = chosen(this.store);
    const sides = [left, right];
    sides.forEach((side, which) => fill(this.selects[which], all, side));
    const runs = sides.map((side) => runOf(side, state.item));
    sides.forEach((side, which) => {
      write(this.answers[which], answerOf(side, runs[which], state.time));
      this.answers[which].hidden = !this.answers[which].textContent;
    });
    const key = [...runs, state.place, lookOf(this.element), this.maps.clientWidth];
    if (key.some((one, index) => one !== this.drawn[index])) {
      this.drawn = key;
      this.draw(sides, runs);
    }
    for (const map of this.all()) map.cursor(state.time, state.unit);
    this.trace(sides, runs);
    for (const section of this.sections) section.update();
  }

  /** A row for every site that both have at this place: A, B, and B less A where they are as wide. */
  private draw(sides: Side[], runs: (Run | null)[]): void {
    const { place } = this.store.state;
    const [one, other] = runs.map((run) => run?.places[place]?.sites ?? null);
    const { cell } = sides[0].model.doc;
    const missing = sides.filter((_, which) => !(which ? other : one)).map(({ label }) => label);
    const sites = one && other ? inOrder(cell, Object.keys(one)).filter((site) => site in other) : [];
    const alone = one && other ? [one, other].map((from, which) => aloneIn("AB"[which], Object.keys(from), sites)) : [];
    write(this.note, missing.length ? `${missing.join(" and ")}: no such sequence or layer.` : alone.join(""));
    const palette = paletteOf(this.element);
    this.maps.replaceChildren();
    if (sites.length) this.maps.append(make("span"), ...["A", "B", "B − A"].map((head) => make("b", { class: "compare-head" }, head)));
    for (const site of sites) {
      const row = this.rowOf(site, sides);
      const difference = differenceOf(one![site], other![site]);
      const order = ordered(difference ?? one![site]);
      [one![site], other![site], difference].forEach((values, which) => {
        row[which].box.hidden = !values;
        if (!values) return;
        const scheme = which === 2 ? diverging(largest(values), palette) : schemeOf(sides[which].model.doc.cell, site, values, palette);
        const rows = which === 2 || difference ? order : ordered(values);
        row[which].show({ values, scheme, order: rows, marked: 0, shown: { from: 0, to: values.steps } });
      });
      const label = cell.labels[site] ?? site;
      const most = difference ? make("span", { class: "small soft" }, `differ by ${largest(difference)} at most`) : "";
      this.maps.append(make("div", { class: "compare-name" }, make("b", {}, site), ` ${label === site ? "" : label}`, make("br"), most));
      this.maps.append(...row.map(({ box }) => box));
      for (const map of row) {
        map.span(null);
        map.inSight(true);
      }
    }
  }

  private rowOf(site: string, sides: Side[]): SiteMap[] {
    const known = this.rows.get(site);
    if (known) return known;
    const { cell } = sides[0].model.doc;
    const label = cell.labels[site] ?? site;
    const events = {
      hover: () => undefined,
      choose: ({ time, unit }: { time: number; unit: number }) => this.store.set({ time, unit, playing: false }),
      open: ({ time, unit }: { time: number; unit: number }) => this.store.set({ time, unit, view: "unit", playing: false }),
    };
    const made = ["of A", "of B", "B less A"].map((which) => new SiteMap(site, `${label} ${which}`, cell, events));
    for (const { box } of made) {
      box.setAttribute("role", "group");
      box.removeAttribute("tabindex"); // the arrow keys of the page move the cursor
    }
    this.rows.set(site, made);
    return made;
  }

  /** The gradients, once the page is at rest. */
  private trace(sides: Side[], runs: (Run | null)[]): void {
    const { item, time } = this.store.state;
    const key = JSON.stringify([item, time, sides.map(({ key, edits, snapshot }) => [key, edits, snapshot])]);
    if (key === this.traced) return;
    this.traced = key;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const found = sides.map(({ model, edits, snapshot }, which) => (runs[which] ? model.survives(item, edits, snapshot, time) : null));
      write(this.says, `Length of the derivative of the output at step ${time} by the input of each step: A solid, B dashed.`);
      this.lines.update(found, time);
    }, PAUSE);
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.sizes.disconnect();
    this.lines.destroy();
    for (const section of this.sections) section.destroy();
    this.dark.removeEventListener("change", this.redraw);
  }
}

function fill(select: HTMLSelectElement, all: Side[], side: Side): void {
  const words = all.map(({ key, label }) => `${key} ${label}`).join("\n");
  if (select.dataset["words"] !== words) {
    select.replaceChildren(...all.map(({ key, label }) => new Option(label.length > 60 ? `${label.slice(0, 59)}…` : label, key)));
    select.dataset["words"] = words;
  }
  if (select.value !== side.key) select.value = side.key;
}

/** "Only A has i, f, c. " */
function aloneIn(which: string, has: string[], both: string[]): string {
  const names = has.filter((site) => !both.includes(site));
  return names.length ? `Only ${which} has ${names.join(", ")}. ` : "";
}

/** What that side answers at the step; "" where the page cannot tell. */
function answerOf({ model }: Side, run: Run | null, time: number): string {
  const now = run && answerAt(model.doc, run, time);
  return now ? textOf(answerLines(now, null, [lossOver(model.doc, run), null], "step")[1]) : "";
}

export const makeCompare = (store: Store): View => new CompareView(store);
