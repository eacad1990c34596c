/** Another document in the page's place: what hears this event opens it. */

import type { Doc } from "../document/schema";

export const OPEN = "byhand-open";

export interface Opened {
  doc: Doc;
  fragment: string; // of its address
}

export function open(from: Element, detail: Opened): void {
  from.dispatchEvent(new CustomEvent<Opened>(OPEN, { bubbles: true, detail }));
}
