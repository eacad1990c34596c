/** The tour: ten stages on two small companies, with a store of its own, so that the reader's model stays as it is. */

import "./tour.css";
import "./days.css";
import "./sheet.css";
import "./class.css";
import { make } from "../../dom/elements";
import type { View } from "../../dom/view";
import { makeModel } from "../../model/network";
import { reading } from "../../model/reading";
import { makeAnswer } from "../../panels/answer";
import { holdEverywhere } from "../../panels/hold";
import { lasting } from "../../state/kept";
import { Progress } from "../../state/progress";
import { makeStore } from "../../state/store";
import type { Store } from "../../state/types";
import { makeArithmetic } from "../unit/arithmetic";
import { opened, Picture } from "../unit/unit";
import { Card } from "./card";
import { checking } from "./check";
import { companies } from "./companies";
import { days } from "./days";
import { look, usualGate } from "./look";
import { STAGES } from "./stages";
import { survival } from "./survival";
import { tourKeys } from "./tour_keys";

export function makeTour(store: Store): View {
  const inner = makeStore(makeModel(companies));
  const picture = new Picture(inner);
  const arithmetic = makeArithmetic(inner, "day");
  const table = days(inner);
  const answer = makeAnswer(inner, "day");
  table.element.append(answer.element);
  const chart = survival(usualGate(inner), () => update());
  const side = make("div", { class: "tour-side" }, arithmetic.element, chart.element);
  const card = new Card(store, new Progress(lasting), side, () => begin(store.state.stage));
  const left = make(
    "div",
    { class: "tour-main" },
    make("section", { class: "picture", "aria-label": "the unit" }, picture.element),
    table.element,
  );
  const tour = make("div", { class: "tour" }, card.element, left);
  const check = checking();
  const element = make("div", { class: "tour-frame" }, tour, check);
  let shown = -1;

  /** Back to where a stage starts: nothing that was set before stays on. */
  function begin(number: number): void {
    holdEverywhere(inner, false);
    chart.reset();
    inner.set({ edits: [], ...STAGES[number].start });
    update();
  }

  function update(): void {
    check.hidden = store.state.lesson !== "check";
    tour.hidden = !check.hidden;
    const number = Math.max(0, Math.min(card.last, store.state.stage));
    if (number !== store.state.stage) store.set({ stage: number });
    const stage = STAGES[number];
    if (shown !== number) {
      shown = number;
      begin(number);
      picture.highlight(stage.points);
      tour.dataset["handle"] = stage.handle;
      return;
    }
    const last = stage.handle === "chart";
    chart.element.hidden = !last;
    arithmetic.element.hidden = last;
    card.update(number, look(inner, chart.gate()));
    const now = reading(inner);
    picture.update(now);
    table.update();
    answer.update();
    const changed = inner.state.edits.length > 0;
    arithmetic.update(now, changed ? reading(inner, inner.original(), false) : null, opened(inner));
  }

  const leave = inner.subscribe(update);
  const keys = tourKeys(
    tour,
    inner,
    () => card.onward(),
    () => card.go(store.state.stage - 1),
  );
  return {
    element,
    update,
    destroy() {
      leave();
      keys();
      answer.destroy();
      picture.destroy();
    },
  };
}
