/** The time bar: play, step, scrub; which step it is, what stands there, and what the model answers. */

import "./timebar.css";
import { make, write } from "../dom/elements";
import { iconButton, setIcon } from "../dom/icons";
import type { View } from "../dom/view";
import { answerDoc } from "../model/answer";
import { errorAt, row } from "../model/values";
import type { State, Store } from "../state/types";
import { figure, visible } from "../text/format";
import { makeAnswer } from "./answer";

const AROUND = 14; // characters shown on each side of the one under the cursor

const SHOWN = 3; // values of the input

export function makeTimeBar(store: Store): View {
  const back = iconButton("back", "one step back", () => stepBy(store, -1));
  const play = iconButton("play", "play", () => togglePlay(store));
  const forward = iconButton("forward", "one step forward", () => stepBy(store, 1));
  play.classList.add("primary", "play");
  const slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "step" });
  slider.addEventListener("input", () => store.set({ time: Number(slider.value), playing: false }));
  const step = make("span", { class: "step" });
  const here = make("span", { class: "here" });
  const where = make("div", { class: "where" }, step, here);
  const buttons = make("div", { class: "buttons" }, back, play, forward);
  const answer = makeAnswer(store);
  const element = make("div", { class: "time-bar", role: "toolbar", "aria-label": "time" }, buttons, slider, where, answer.element);
  // A text's answer is long: it has a line of its own at every width.
  element.classList.toggle("beside", ["numbers", "class"].includes(answerDoc(store.model.doc)?.kind ?? ""));
  const player = new Player(store);

  const update = (): void => {
    const { time, playing, item } = store.state;
    const { steps } = store.model.doc.items[item];
    if (slider.max !== String(steps - 1)) slider.max = String(steps - 1);
    if (slider.value !== String(time)) slider.value = String(time);
    slider.style.setProperty("--share", String(steps > 1 ? time / (steps - 1) : 1));
    slider.setAttribute("aria-valuetext", `step ${time} of 0 to ${steps - 1}`);
    slider.disabled = steps < 2;
    back.disabled = time === 0;
    forward.disabled = time === steps - 1;
    play.disabled = steps < 2;
    setIcon(play, playing ? "pause" : "play", playing ? "pause (space)" : "play (space)");
    write(step, `step ${time.toLocaleString("en")} of 0–${(steps - 1).toLocaleString("en")}`);
    showHere(here, store);
    answer.update();
    player.update(store.state);
  };
  const destroy = (): void => {
    player.stop();
    answer.destroy();
  };
  return { element, update, destroy };
}

/** What stands at the step: the text around it, or the input's values. */
function showHere(element: HTMLElement, store: Store): void {
  const { time, item } = store.state;
  const { doc } = store.model;
  const { characters } = doc.items[item];
  if (characters) {
    const text = (from: number, to: number): string => characters.slice(Math.max(0, from), to).map(visible).join("");
    element.replaceChildren(
      make("span", { class: "around left" }, text(time - AROUND, time)),
      make("b", {}, visible(characters[time] ?? "")),
      make("span", { class: "around" }, text(time + 1, time + 1 + AROUND)),
    );
    return;
  }
  const { input } = store.run();
  const values = row(input, time);
  const names = Array.from(values.subarray(0, SHOWN), (_, k) => doc.features?.[k] ?? (values.length > 1 ? `x${k}` : "x"));
  const shown = names.map((name, k) => `${name} = ${figure(values[k], errorAt(input, k))}`);
  write(element, shown.join("  ") + (values.length > SHOWN ? ` and ${values.length - SHOWN} more` : ""));
}

export function stepBy(store: Store, steps: number): void {
  const last = store.model.doc.items[store.state.item].steps - 1;
  store.set({ time: Math.max(0, Math.min(last, store.state.time + steps)), playing: false });
}

/** Plays on from here; from the beginning if it stands at the end. */
export function togglePlay(store: Store): void {
  const { playing, time, item } = store.state;
  const { steps } = store.model.doc.items[item];
  if (playing) store.set({ playing: false });
  else if (steps > 1) store.set({ playing: true, time: time === steps - 1 ? 0 : time });
}

/** Moves the cursor while state.playing holds: slowly enough to follow where there are few steps, through in half a minute at most. */
class Player {
  private timer = 0;

  constructor(private readonly store: Store) {}

  update({ playing, item }: State): void {
    if (!playing) this.stop();
    else if (!this.timer) {
      const { steps } = this.store.model.doc.items[item];
      this.timer = window.setInterval(() => this.advance(), Math.max(33, Math.min(900, 30_000 / steps)));
    }
  }

  private advance(): void {
    const { time, item } = this.store.state;
    const last = this.store.model.doc.items[item].steps - 1;
    if (time >= last) this.store.set({ playing: false });
    else this.store.set({ time: time + 1, playing: time + 1 < last });
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
  }
}
