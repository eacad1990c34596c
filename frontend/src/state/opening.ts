/** What a page shows that is opened without an address: the unit at the last step of the most telling sequence. */

import type { Doc } from "../document/schema";
import type { Model } from "../model/types";
import { lastStep } from "../model/values";
import { start } from "./address";
import { passing } from "./kept";
import type { State } from "./types";

export function opening(model: Model): State {
  const first = start(model.doc);
  if (model.doc.play?.first) return { ...first, view: "play" };
  const item = model.doc.items[model.doc.telling] ? model.doc.telling : 0;
  return { ...first, item, time: lastStep(model.doc, model.run(item, [], null), first.place) };
}

/** Whether the start card of this document was answered in this tab. */
export function isAnswered(doc: Doc): boolean {
  return passing.read(nameOf(doc)) !== null;
}

export function answered(doc: Doc): void {
  passing.write(nameOf(doc), "answered");
}

const nameOf = ({ title, about }: Doc): string => `start: ${title}: ${about}`;
