/** What a stranger sees first: one sentence on what the model does, over the unit at work, and two ways on. */

import "../../diagram/diagram.css";
import "./start.css";
import { calm, make } from "../../dom/elements";
import { iconButton } from "../../dom/icons";
import type { View } from "../../dom/view";
import { STAGES } from "../../state/address";
import { lasting } from "../../state/kept";
import { Progress } from "../../state/progress";
import { makeStore } from "../../state/store";
import type { State, Store } from "../../state/types";
import { Picture } from "../unit/unit";

const [LONGEST, SHORTEST, WHOLE] = [1800, 120, 60_000]; // milliseconds: of a step, and of a sequence

export interface StartCard extends View {
  /** For a page of its own: a key then answers the card. */
  focus(): void;
  /** Whether what is shown has changed since the card was put up: then the reader has found a way of his own. */
  passed(): boolean;
}

/** answer: what the reader chose to see. */
export function makeStart(store: Store, answer: (patch: Partial<State>) => void): StartCard {
  const { doc } = store.model;
  const first = store.state;
  const inner = makeStore(store.model, first); // the same numbers; what moves here leaves no trace in the address
  const picture = new Picture(inner);
  const solved = new Progress(lasting).next;
  const goesOn = solved > 0 && solved < STAGES;
  const tour = button(goesOn ? `Go on with the tour at stage ${solved + 1}` : "Take the 5-minute tour", "primary", () =>
    answer({ view: "tour", stage: goesOn ? solved : 0 }),
  );
  const play = button("Play with it", "outlined", () => answer({ view: "unit" }));
  const close = iconButton("close", "close (Esc)", () => answer({ view: "unit" }));
  const [sentence, rest] = apart(doc.about ?? doc.title);
  const card = make(
    "section",
    { class: "start-card", "aria-label": "start" },
    make("p", { class: "start-title" }, doc.title),
    make("h2", {}, sentence),
    ...(rest ? [make("p", { class: "start-more" }, rest)] : []),
    make("div", { class: "start-ways" }, tour, play),
    close,
  );
  const behind = make("div", { class: "start-picture", inert: true }, picture.element);
  const element = make("div", { class: "start" }, behind, card);
  const { steps } = doc.items[first.item];
  const timer = calm() || steps < 2 ? 0 : window.setInterval(step, Math.max(SHORTEST, Math.min(LONGEST, WHOLE / steps)));
  if (timer) inner.set({ time: 0 });
  const leave = inner.subscribe(() => picture.update());

  function step(): void {
    if (calm()) inner.set({ time: first.time });
    else if (!document.hidden) inner.set({ time: (inner.state.time + 1) % steps });
  }

  return {
    element,
    update: () => picture.update(),
    focus: () => tour.focus({ preventScroll: true }),
    passed: () => (Object.keys(first) as (keyof State)[]).some((key) => key !== "theme" && store.state[key] !== first[key]),
    destroy() {
      window.clearInterval(timer);
      leave();
      picture.destroy();
    },
  };
}

/** The first sentence, and all that follows it. */
function apart(text: string): [string, string] {
  const end = text.search(/[.!?] /) + 1;
  return end ? [text.slice(0, end), text.slice(end + 1)] : [text, ""];
}

function button(text: string, kind: string, act: () => void): HTMLButtonElement {
  const made = make("button", { type: "button", class: kind }, text);
  made.addEventListener("click", act);
  return made;
}
