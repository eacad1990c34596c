/** What can be said of every step without the model: as src/byhand/explain/tracks.py, NaN where there is nothing to say. */

import type { Values } from "./types";
import { columnsOf } from "./values";

const TAB = 8; // columns between two stops of a tab

const WORD = /[\p{L}\p{N}]/u;

const DIGIT = /[\p{Nd}²³¹፩-፱᧚⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}]/u;

const WRITTEN: Record<string, string> = { "␣": " ", "↵": "\n", "⇥": "\t" };

/** The tracks of a text, whose characters are as items have them: "␣" for a space. */
export function textTracks(characters: string[]): Map<string, Float64Array> {
  const text = characters.map((one) => WRITTEN[one] ?? one);
  const depth = bracketDepth(text);
  return new Map([
    ["column", column(text)],
    ["to newline", toNewline(text)],
    ["indentation", indentation(text)],
    ["inside quotes", insideQuotes(text)],
    ["inside brackets", depth.map((one) => Number(one > 0))],
    ["bracket depth", depth],
    ["start of word", startOfWord(text)],
    ["digit", Float64Array.from(text, (one) => Number(DIGIT.test(one)))],
  ]);
}

function column(text: string[]): Float64Array {
  let at = 0;
  return Float64Array.from(text, (one) => (one === "\n" ? [at, (at = 0)][0] : at++));
}

function toNewline(text: string[]): Float64Array {
  const found = new Float64Array(text.length);
  for (let k = text.length - 1, left = NaN; k >= 0; k--) found[k] = left = text[k] === "\n" ? 0 : left + 1;
  return found;
}

/** Of its line, as far as it has been read. */
function indentation(text: string[]): Float64Array {
  let [width, leading] = [0, true];
  return Float64Array.from(text, (one) => {
    leading &&= one === " " || one === "\t";
    if (leading) width = one === " " ? width + 1 : (Math.floor(width / TAB) + 1) * TAB;
    const found = width;
    if (one === "\n") [width, leading] = [0, true];
    return found;
  });
}

/** An apostrophe after a letter or digit opens nothing; a blank line ends a quotation that was never closed. */
function insideQuotes(text: string[]): Float64Array {
  let [mark, before] = ["", ""];
  return Float64Array.from(text, (one) => {
    if (mark) mark = one === mark || (one === "\n" && before === "\n") ? "" : mark;
    else if (one === '"' || (one === "'" && !WORD.test(before))) mark = one;
    before = one;
    return Number(mark !== "");
  });
}

function bracketDepth(text: string[]): Float64Array {
  let depth = 0;
  return Float64Array.from(text, (one) => (depth = Math.max(0, depth + Number("([{".includes(one)) - Number(")]}".includes(one)))));
}

function startOfWord(text: string[]): Float64Array {
  let inside = false;
  return Float64Array.from(text, (one) => {
    const [was, word] = [inside, WORD.test(one) || one === "_"];
    inside = word;
    return Number(word && !was);
  });
}

/** The tracks of numbers: level and slope of each of these features, and with a period where in it each step is. */
export function seriesTracks(
  input: Values,
  features: number[],
  name: (feature: number) => string,
  period: number,
): Map<string, Float64Array> {
  const found = new Map<string, Float64Array>();
  const { columns } = columnsOf(input, features);
  columns.forEach((column, k) => {
    const level = Float64Array.from({ length: input.steps }, (_, time) => input.data[time * input.width + column]);
    const of = columns.length > 1 ? ` of ${name(features[k])}` : "";
    found.set(`level${of}`, level);
    found.set(
      `slope${of}`,
      level.map((one, time) => (time ? one - level[time - 1] : NaN)),
    );
  });
  if (!(period > 0 && period < Infinity)) return found;
  for (const [wave, of] of [
    ["cosine", Math.cos],
    ["sine", Math.sin],
  ] as const) {
    // float32, as Python has it: what is equal in it has the same rank
    found.set(
      `phase (${wave})`,
      Float64Array.from({ length: input.steps }, (_, time) => Math.fround(of((2 * Math.PI * time) / period))),
    );
  }
  return found;
}

/** How many steps ago the last event was; NaN before the first. */
export function since(events: Float64Array): Float64Array {
  let last = NaN;
  return events.map((one, time) => time - (last = one === 1 ? time : last));
}
