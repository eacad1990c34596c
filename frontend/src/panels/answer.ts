/** The answer in one line, as long as there is room for: see model/answer_words.ts. */

import "./answer.css";
import { make } from "../dom/elements";
import type { View } from "../dom/view";
import { type Answer, answerAt, answerDoc, lossOver } from "../model/answer";
import { answerLines, type Piece, textOf, waiting } from "../model/answer_words";
import type { Store } from "../state/types";
import type { StepWord } from "../text/labels";

const BOLDER = 1.06; // how much wider the answer's bold type is

/** The forms of the line at this moment, the longest first; empty where the page cannot tell. */
export function linesOf(store: Store, word: StepWord = "step"): Piece[][] {
  const { doc } = store.model;
  const { time, edits } = store.state;
  const run = store.run();
  if (!run.done) return [waiting(word, time)];
  const now = answerAt(doc, run, time);
  if (!now) return [];
  const original = edits.some(({ on }) => on) ? store.original() : run;
  const changed = original !== run && original.done; // computed in the background, too
  const before: Answer | null = changed ? answerAt(doc, original, now.time) : null;
  return answerLines(now, before, [lossOver(doc, run), changed ? lossOver(doc, original) : null], word);
}

/** Its room is kept whether there is an answer yet or not, so that nothing moves; without an answer in the document there is none. */
export function makeAnswer(store: Store, word: StepWord = "step"): View {
  const element = make("p", { class: "answer" });
  element.hidden = answerDoc(store.model.doc) === null;
  const width = ruler(element);
  let room = 0;
  let shown = "";

  const resized = new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === room) return;
    room = contentRect.width;
    update();
  });
  resized.observe(element);

  function update(): void {
    if (element.hidden) return;
    const lines = linesOf(store, word);
    const line = lines.find((one) => width(one) <= room) ?? lines[lines.length - 1] ?? [];
    const key = JSON.stringify(line);
    if (key === shown) return;
    shown = key;
    element.classList.toggle("computing", !store.run().done);
    element.title = lines[0] && lines[0] !== line ? textOf(lines[0]) : "";
    element.replaceChildren(...line.map(({ text, kind }) => make(kind === "now" ? "b" : "span", { class: kind }, text)));
  }

  return { element, update, destroy: () => resized.disconnect() };
}

/** How wide a line is, in pixels, without making the page lay itself out. */
function ruler(element: HTMLElement): (line: Piece[]) => number {
  const context = document.createElement("canvas").getContext("2d");
  let font = "";
  return (line) => {
    if (!context) return 0;
    if (!font && element.isConnected) {
      const style = getComputedStyle(element);
      font = `${style.fontSize} ${style.fontFamily}`;
      context.font = font;
    }
    return line.reduce((all, { text, kind }) => all + context.measureText(text).width * (kind === "now" ? BOLDER : 1), 1);
  };
}
