/** The tour: ten stages on two small companies, with a store of its own, so that the reader's model stays as it is. */

import "./tour.css";
import { make, write } from "../../dom/elements";
import type { View } from "../../dom/view";
import { makeModel } from "../../model/network";
import { reading } from "../../model/reading";
import type { Run } from "../../model/types";
import { valueAt } from "../../model/values";
import { makeStore, type OwnStore } from "../../state/store";
import type { State, Store } from "../../state/types";
import { makeArithmetic } from "../unit/arithmetic";
import { opened, Picture } from "../unit/unit";
import { companies } from "./companies";
import { days } from "./days";
import { type Look, STAGES } from "./stages";
import { survival } from "./survival";

const FIRST_GATE = 0.89; // the companies' own, on a usual day

export function makeTour(store: Store): View {
  const inner = makeStore(makeModel(companies));
  const card = new Card(store, () => begin(inner, store.state.stage));
  const picture = new Picture(inner);
  const arithmetic = makeArithmetic(inner, "day");
  const table = days(inner);
  const chart = survival(FIRST_GATE, () => update());
  const side = make("div", { class: "tour-side" }, arithmetic.element, chart.element);
  const left = make(
    "div",
    { class: "tour-main" },
    make("section", { class: "picture", "aria-label": "the unit" }, picture.element),
    table.element,
  );
  const element = make("div", { class: "tour" }, card.element, left, side);
  let shown = -1;

  function update(): void {
    const number = Math.max(0, Math.min(STAGES.length - 1, store.state.stage));
    const stage = STAGES[number];
    if (shown !== number) {
      begin(inner, number);
      picture.highlight(stage.points);
    }
    shown = number;
    const last = number === STAGES.length - 1;
    chart.element.hidden = !last;
    arithmetic.element.hidden = last;
    card.update(number, look(inner, chart.gate()));
    const now = reading(inner);
    picture.update(now);
    table.update();
    const changed = inner.state.edits.length > 0;
    arithmetic.update(now, changed ? reading(inner, inner.original(), false) : null, opened(inner));
  }

  const leave = inner.subscribe(update);
  const keys = tourKeys(element, store, inner);
  return {
    element,
    update,
    destroy() {
      leave();
      keys();
      picture.destroy();
    },
  };
}

/** Back to where a stage starts. */
function begin(inner: OwnStore, number: number): void {
  inner.set({ edits: [], ...STAGES[number].start });
}

function look(inner: OwnStore, gate: number): Look {
  const value = (run: Run, site: string, day: number): number => valueAt(run.places[companies.layers[0].place].sites[site], day - 1, 0);
  const [now, before] = [inner.run(), inner.original()];
  return {
    state: inner.state,
    gate,
    value: (site, day) => value(now, site, day),
    was: (site, day) => value(before, site, day),
  };
}

/** The text of a stage, what to try, and the way on. */
class Card {
  readonly element = make("section", { class: "tour-card", "aria-label": "tour" });
  private readonly solved = new Set<number>();
  private readonly title = make("h2", { tabindex: -1 });
  private readonly text = make("p", { class: "tour-text" });
  private readonly task = make("p", { class: "tour-task" });
  private readonly said = make("p", { class: "tour-said", role: "status" });
  private readonly box = make("div", { class: "tour-try" }, this.task, this.said);
  private readonly dots: HTMLButtonElement[];
  private readonly back: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private done = "";
  private number = -1;

  constructor(
    private readonly store: Store,
    again: () => void,
  ) {
    this.dots = STAGES.map((stage, index) => button(String(index + 1), "dot", () => this.go(index), `stage ${index + 1}: ${stage.title}`));
    this.back = button("Back", "outlined", () => this.go(store.state.stage - 1));
    this.next = button("Next", "primary", () => this.onward());
    const restart = button("Start this stage over", "outlined quiet", () => {
      this.done = "";
      again();
    });
    const skip = button("Leave the tour", "outlined quiet", () => this.leave());
    const progress = make("nav", { class: "tour-progress", "aria-label": "stages" }, ...this.dots);
    this.element.append(
      progress,
      make("div", { class: "tour-words" }, this.title, this.text),
      this.box,
      make("div", { class: "tour-buttons" }, this.back, this.next, restart, skip),
    );
  }

  update(number: number, at: Look): void {
    const stage = STAGES[number];
    if (number !== this.number) {
      const follow = this.number >= 0 && this.element.contains(document.activeElement);
      this.number = number;
      this.done = "";
      write(this.title, `${number + 1}. ${stage.title}`);
      write(this.text, stage.text);
      write(this.task, stage.task);
      if (follow) this.title.focus();
    }
    if (stage.done(at)) {
      this.solved.add(number);
      this.done = stage.said(at);
    }
    write(this.said, this.done);
    this.box.classList.toggle("done", this.done !== "");
    this.dots.forEach((dot, index) => {
      dot.classList.toggle("solved", this.solved.has(index));
      dot.setAttribute("aria-label", `stage ${index + 1}: ${STAGES[index].title}${this.solved.has(index) ? ", done" : ""}`);
      if (index === number) dot.setAttribute("aria-current", "step");
      else dot.removeAttribute("aria-current");
    });
    this.back.disabled = number === 0;
    write(this.next, number === STAGES.length - 1 ? "Now yours" : "Next");
  }

  private go(stage: number): void {
    if (stage >= 0 && stage < STAGES.length) this.store.set({ stage });
  }

  private onward(): void {
    if (this.store.state.stage < STAGES.length - 1) this.go(this.store.state.stage + 1);
    else this.leave();
  }

  /** To the reader's own sequence. */
  private leave(): void {
    this.store.set({ view: "unit" }, { remember: true });
  }
}

function button(text: string, kind: string, act: () => void, name?: string): HTMLButtonElement {
  const made = make("button", { type: "button", class: kind, "aria-label": name }, text);
  made.addEventListener("click", act);
  return made;
}

const OWN = "input, select, textarea, [role=spinbutton], [role=slider]";

/** ← and → go from stage to stage, u takes back, unless something that has the focus wants the key for itself. */
function tourKeys(element: HTMLElement, store: Store, inner: OwnStore): () => void {
  const root = element.ownerDocument;
  const key = (event: KeyboardEvent): void => {
    const target = event.target instanceof Element ? event.target : root.body;
    if (!element.isConnected || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if ((target !== root.body && !element.contains(target)) || target.closest(OWN)) return;
    const stage = (change: number): Partial<State> => ({
      stage: Math.max(0, Math.min(STAGES.length - 1, store.state.stage + change)),
    });
    if (event.key === "ArrowLeft") store.set(stage(-1));
    else if (event.key === "ArrowRight") store.set(stage(1));
    else if (event.key === "u") inner.undo();
    else if (event.key === "U") inner.redo();
    else return;
    event.preventDefault();
  };
  const hold = (): void => inner.hold(true);
  const release = (): void => inner.hold(false);
  root.addEventListener("keydown", key, true);
  element.addEventListener("pointerdown", hold, true);
  window.addEventListener("pointerup", release);
  window.addEventListener("pointercancel", release);
  return () => {
    root.removeEventListener("keydown", key, true);
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", release);
  };
}
