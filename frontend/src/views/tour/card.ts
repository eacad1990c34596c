/** The text of a stage, what to try, and the way on. Beside the picture where there is room; on a phone a sheet at its foot. */

import { make, write } from "../../dom/elements";
import type { Store } from "../../state/types";
import type { Look } from "./look";
import { STAGES } from "./stages";

export class Card {
  readonly element: HTMLElement;
  private readonly solved = new Set<number>();
  private readonly title = make("h2", { tabindex: -1 });
  private readonly text = make("p", { class: "tour-text" });
  private readonly more: HTMLButtonElement;
  private readonly task = make("p", { class: "tour-task" });
  private readonly said = make("p", { class: "tour-said", role: "status" });
  private readonly box = make("div", { class: "tour-try" }, this.task, this.said);
  private readonly dots: HTMLButtonElement[];
  private readonly back: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private number = -1;

  /** side: the arithmetic and the chart, where the tasks are done. */
  constructor(
    private readonly store: Store,
    side: HTMLElement,
    again: () => void,
  ) {
    this.dots = STAGES.map((stage, index) => button(String(index + 1), "dot", () => this.go(index), `stage ${index + 1}: ${stage.title}`));
    this.back = button("Back", "outlined", () => this.go(store.state.stage - 1));
    this.next = button("Next", "primary", () => this.onward());
    this.more = button("more", "outlined tour-more", () => this.fold(this.more.getAttribute("aria-expanded") === "true"));
    const restart = button("Start over", "outlined quiet", again, "Start this stage over");
    const skip = button("Leave", "outlined quiet", () => this.leave(), "Leave the tour");
    const words = make("div", { class: "tour-words" }, make("div", { class: "tour-title" }, this.title, this.more), this.text);
    const way = make(
      "div",
      { class: "tour-way" },
      make("nav", { class: "tour-progress", "aria-label": "stages" }, ...this.dots),
      make("div", { class: "tour-buttons" }, this.back, this.next, restart, skip),
    );
    this.element = make(
      "section",
      { class: "tour-card", "aria-label": "tour" },
      words,
      make("div", { class: "tour-deed" }, this.box, side, way),
    );
    this.fold(true);
  }

  /** On a phone: the first words and the task alone, or all of the text and the whole arithmetic. */
  private fold(folded: boolean): void {
    this.more.setAttribute("aria-expanded", String(!folded));
    write(this.more, folded ? "more" : "less");
    this.element.classList.toggle("folded", folded);
  }

  update(number: number, at: Look): void {
    const stage = STAGES[number];
    if (number !== this.number) {
      const follow = this.number >= 0 && this.element.contains(document.activeElement);
      this.number = number;
      this.fold(true);
      write(this.title, `${number + 1}. ${stage.title}`);
      write(this.task, stage.task);
      if (follow) this.title.focus({ preventScroll: true });
    }
    const done = stage.done(at);
    if (done) this.solved.add(number);
    write(this.text, stage.text(at));
    write(this.said, done ? stage.said(at) : ""); // what was true a moment ago is not said on
    this.box.classList.toggle("done", done);
    this.element.classList.toggle("done", done);
    this.dots.forEach((dot, index) => {
      dot.classList.toggle("solved", this.solved.has(index));
      dot.setAttribute("aria-label", `stage ${index + 1}: ${STAGES[index].title}${this.solved.has(index) ? ", done" : ""}`);
      if (index === number) dot.setAttribute("aria-current", "step");
      else dot.removeAttribute("aria-current");
    });
    this.back.disabled = number === 0;
    write(this.next, number === STAGES.length - 1 ? "Now yours" : "Next");
  }

  go(stage: number): void {
    if (stage >= 0 && stage < STAGES.length) this.store.set({ stage });
  }

  onward(): void {
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
