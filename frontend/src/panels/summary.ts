/** A step in one sentence, and the answer in another, for screen readers. */

import { answerDoc } from "../model/answer";
import { textOf } from "../model/answer_words";
import { sayAt } from "../model/values";
import type { Store } from "../state/types";
import { visible } from "../text/format";
import { inOrder, label } from "../text/labels";
import { linesOf } from "./answer";
import { OWN_MODEL } from "./header";

export function summary(store: Store): string {
  const { doc } = store.model;
  const { place, unit, time, item, view } = store.state;
  if (OWN_MODEL.includes(view)) return "";
  const run = store.run();
  const character = doc.items[item].characters?.[time];
  const here = character === undefined ? "" : `, “${visible(character)}”`;
  const sites = run.places[place]?.sites ?? {};
  const values = inOrder(doc.cell, Object.keys(sites)).map((site) => `${label(doc.cell, site)} ${sayAt(sites[site], time, unit)}`);
  const [answer] = answerDoc(doc) && run.done ? linesOf(store) : [];
  const said = answer
    ? ` ${textOf(answer)
        .replace(/^./, (first) => first.toUpperCase())
        .replaceAll(" → ", ", after the change ")}.`
    : "";
  return `Step ${time} of 0 to ${run.steps - 1}${here}, unit ${unit}: ${values.join(", ")}.${said}`;
}
