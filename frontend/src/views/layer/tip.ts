/** What stands at the pointer over a map, and how a unit's measure is worded. */

import type { Cell, SiteMap } from "../../charts/site_map";
import { write } from "../../dom/elements";
import type { Sort } from "../../model/types";
import { sayAt } from "../../model/values";
import type { Store } from "../../state/types";
import { about, figure, visible } from "../../text/format";

export function showTip(
  element: HTMLElement,
  tip: HTMLElement,
  store: Store,
  map: SiteMap,
  at: Cell | null,
  pointer: { x: number; y: number } | null,
): void {
  tip.hidden = !at;
  if (!at || !pointer) return;
  const values = store.run().places[store.state.place]?.sites[map.site];
  if (!values) return;
  const letter = store.model.doc.items[store.state.item]?.characters?.[at.time];
  const where = `unit ${at.unit}, step ${at.time}${letter === undefined ? "" : ` “${visible(letter)}”`}`;
  write(tip, `${map.label} ${sayAt(values, at.time, at.unit)} · ${where}`);
  const box = element.getBoundingClientRect();
  const left = Math.min(pointer.x - box.left + 14, box.width - tip.offsetWidth - 4);
  tip.style.transform = `translate(${Math.max(0, left)}px, ${pointer.y - box.top + 18}px)`;
}

/** exact: whether all that it is measured from is known to the last digit. */
export function measureText(sort: Sort, measure: number, exact: boolean): string {
  const say = exact ? figure : about;
  if (sort === "half-life") return `half-life ${say(measure)} steps`;
  return sort === "saturation" ? `saturated ${say(100 * measure)} % of the time` : `activity ${say(measure)}`;
}
