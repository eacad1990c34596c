/** In a link: the spans that the reader has marked, "0~5~17,2~3~9" (sequence, first and last step), and what "Find units" was asked,
 *  "all~11~column" (memories or all sites, the period of a series, the track whose best units are listed). The link holds the question;
 *  whoever opens it has the page compute the answer. */

import type { Doc } from "../document/schema";
import { unword, whole, word } from "./edit_words";
import type { Finding, Mark } from "./types";

export const MOST_MARKS = 40;

const LONGEST = 80; // letters of a track's name

export function markWords(marks: Mark[]): string {
  return marks
    .slice(-MOST_MARKS)
    .map(({ item, span }) => [item, ...span].join("~"))
    .join(",");
}

/** Those that can be read; whole: whether that is all of them. */
export function marksOf({ items }: Doc, text: string): { marks: Mark[]; whole: boolean } {
  const words = text.split(",").filter(Boolean);
  const marks = words.slice(0, MOST_MARKS).flatMap((one) => markOf(items, one.split("~")));
  return { marks, whole: marks.length === words.length };
}

function markOf(items: Doc["items"], [which, ...ends]: string[]): Mark[] {
  const item = whole(which, Infinity);
  if (item === null || !items[item] || ends.length !== 2) return [];
  const [from, to] = ends.map((end) => whole(end, items[item].steps));
  return from === null || to === null ? [] : [{ item, span: [Math.min(from, to), Math.max(from, to)] }];
}

export function findingWords({ all, period, track }: Finding): string {
  return [all ? "all" : "", period || "", word(track)].join("~");
}

/** null: there is no such question. */
export function findingOf(text: string): Finding | null {
  const [sites, length, name, ...more] = text.split("~");
  const [period, track] = [Number(length), unword(name ?? "")];
  if (more.length || name === undefined || !["", "all"].includes(sites) || !(period >= 0 && period < Infinity)) return null;
  return track.length > LONGEST ? null : { all: sites === "all", period, track };
}
