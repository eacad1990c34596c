/** The text of a stage, what to try, and the way on. Beside the picture where there is room; on a phone a sheet at its foot. */

import { make, write } from "../../dom/elements";
import type { Progress } from "../../state/progress";
import type { Store } from "../../state/types";
import { finish } from "./finish";
import type { Look } from "./look";
import { STAGES } from "./stages";

export class Card {
  readonly element: HTMLElement;
  private readonly title = make("h2", { tabindex: -1 });
  private readonly text = make("p", { class: "tour-text" });
  private readonly more: HTMLButtonElement;
  private readonly task = make("p", { class: "tour-task" });
  private readonly said = make("p", { class: "tour-said", role: "status" });
  private readonly box = make("div", { class: "tour-try" }, this.task, this.said);
  private readonly offer = make("p", { class: "tour-offer" });
  private readonly code = finish();
  private offered: boolean; // what was solved before is there to go on with, and nobody has said yet
  private readonly dots: HTMLButtonElement[];
  private readonly back: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private number = -1;

  /** side: the arithmetic and the chart, where the tasks are done. */
  constructor(
    private readonly store: Store,
    private readonly progress: Progress,
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
      make("div", { class: "tour-deed" }, this.offer, this.box, side, way),
      this.code,
    );
    this.offered = progress.count > 0 && store.state.stage === 0;
    this.offer.append(...this.ways());
    this.fold(true);
  }

  /** What there is to go on with. */
  private ways(): HTMLElement[] {
    const { next, count } = this.progress;
    const all = next === STAGES.length;
    const says = make("span", {}, `${all ? "All" : `${count} of`} ${STAGES.length} solved before. `);
    const anew = button("Begin anew", "outlined", () => {
      this.progress.clear();
      this.store.refresh();
    });
    return [says, ...(all ? [] : [button(`Go on at stage ${next + 1}`, "outlined", () => this.go(next))]), anew];
  }

  private get inClass(): boolean {
    return this.store.state.lesson === "class";
  }

  /** The last stage that may be opened: in a class none is passed over. */
  get last(): number {
    return this.inClass ? Math.min(this.progress.next, STAGES.length - 1) : STAGES.length - 1;
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
    if (done) this.progress.add(number);
    this.offered &&= number === 0 && this.progress.count > Number(done);
    this.offer.hidden = !this.offered;
    write(this.text, stage.text(at));
    write(this.said, done ? stage.said(at) : ""); // what was true a moment ago is not said on
    this.box.classList.toggle("done", done);
    this.element.classList.toggle("done", done);
    this.dots.forEach((dot, index) => {
      dot.classList.toggle("solved", this.progress.has(index));
      dot.disabled = index > this.last;
      dot.setAttribute("aria-label", `stage ${index + 1}: ${STAGES[index].title}${this.progress.has(index) ? ", done" : ""}`);
      if (index === number) dot.setAttribute("aria-current", "step");
      else dot.removeAttribute("aria-current");
    });
    this.back.disabled = number === 0;
    const isLast = number === STAGES.length - 1;
    this.next.disabled = this.inClass && !this.progress.has(number);
    this.next.title = this.next.disabled ? "first solve the task" : "";
    write(this.next, !isLast ? "Next" : this.inClass ? "Your code" : "Now yours");
  }

  go(stage: number): void {
    if (stage >= 0 && stage <= this.last) this.store.set({ stage });
  }

  onward(): void {
    const { stage } = this.store.state;
    if (this.next.disabled) return;
    if (stage < STAGES.length - 1) this.go(stage + 1);
    else if (this.inClass) this.code.showModal();
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
