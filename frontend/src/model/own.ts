/** A sequence of the reader's own: typed as a text, or drawn as numbers. It is one more item of the document, and the last. */

import { given as packed, unpack } from "../document/read";
import type { Doc, ItemDoc } from "../document/schema";
import { encoded, numbersOf, tokens } from "./alphabet";

export const LONGEST = 20_000; // steps

const NAME = "your own";

/** Whether the page can run the model on something new, and what that is. */
export function ownKind(doc: Doc): "text" | "series" | null {
  if (!doc.computed) return null;
  if (doc.items.some(({ characters }) => characters)) return doc.alphabet ? "text" : null;
  return "series";
}

/** Why a text or series cannot be run, for people; null: it can. */
export function refusal(doc: Doc, own: string): string | null {
  if (ownKind(doc) === "series") return seriesOf(own, doc.layers[0].input) ? null : "these are no numbers";
  const { symbols, unknown } = tokens(doc.alphabet!, own);
  if (!symbols.length) return "there is no text yet";
  if (symbols.length > LONGEST) return `${symbols.length.toLocaleString("en")} symbols are more than ${LONGEST.toLocaleString("en")}`;
  if (unknown.length && doc.alphabet!.other === null) return `the model has no symbol for ${unknown.map(({ symbol }) => symbol).join(" ")}`;
  return null;
}

/** The item of it; null where it cannot be run. */
export function ownItem(doc: Doc, own: string): ItemDoc | null {
  const kind = ownKind(doc);
  if (!kind || refusal(doc, own) !== null) return null;
  const width = doc.layers[0].input;
  const base = { name: NAME, initial: initialOf(doc), maps: null, own };
  if (kind === "series") {
    const data = seriesOf(own, width)!;
    const steps = data.length / width;
    return { ...base, steps, input: packed(data, [steps, width]), characters: null, answer: unasked(doc, steps) };
  }
  const { symbols } = tokens(doc.alphabet!, own);
  const numbers = numbersOf(doc.alphabet!, symbols);
  const steps = symbols.length;
  const input = packed(encoded(doc.alphabet!, numbers, width), [steps, width]);
  return { ...base, steps, input, characters: symbols, answer: unasked(doc, steps, symbols) };
}

/** What the model is asked: of one that says the next symbol, each symbol of the text; of others nothing is known. */
function unasked(doc: Doc, steps: number, symbols: string[] | null = null): ItemDoc["answer"] {
  const asks = doc.answer?.kind === "next" && symbols;
  const names = new Map((doc.head?.names ?? []).map((name, index) => [name, index]));
  const other = names.get("other") ?? NaN;
  const following = asks ? [...symbols.slice(1).map((symbol) => names.get(symbol) ?? other), NaN] : null;
  const offsets = doc.items[0].answer?.offsets ?? null;
  return { steps, targets: following && packed(Float64Array.from(following), [steps, 1]), offsets, labels: null };
}

const common = new WeakMap<Doc, ItemDoc["initial"]>();

/** The first states that all sequences have in common, such as learnt ones; zeros where they differ. */
function initialOf(doc: Doc): ItemDoc["initial"] {
  let found = common.get(doc);
  if (!found) {
    const [first, ...others] = doc.items.slice(0, given(doc)).map(({ initial }) => JSON.stringify(initial));
    common.set(doc, (found = others.every((one) => one === first) ? doc.items[0].initial : {}));
  }
  return found;
}

/** How many sequences the document brought along; those of the reader's own stand behind them. */
export function given({ items }: Doc): number {
  const first = items.findIndex(({ own }) => own !== undefined);
  return first < 0 ? items.length : first;
}

const KEPT = 8; // of the reader's own

/** Where a sequence of the reader's own stands; −1: it is not, or no longer, among the items. */
function numberOf({ items }: Doc, own: string): number {
  return items.findIndex((one) => one.own === own && one.steps > 0);
}

/** Puts the sequence among the items, each text at a number of its own, by which views know what they have drawn. Gives the number;
 *  null where it cannot be run. Those longest unused are emptied. */
export function place(doc: Doc, own: string): number | null {
  const found = numberOf(doc, own);
  if (found >= 0) return found;
  const item = ownItem(doc, own);
  if (!item) return null;
  const old = doc.items.push(item) - 1 - KEPT;
  if (old >= given(doc)) doc.items[old] = { ...EMPTY, own: doc.items[old].own };
  return doc.items.length - 1;
}

const EMPTY: ItemDoc = { name: NAME, steps: 0, input: packed(new Float64Array(0), [0, 1]), characters: null, initial: {}, maps: null };

/** The item, and the number at which it stands or will; null where it cannot be run. */
export function placed(doc: Doc, own: string): { item: ItemDoc | null; at: number } {
  const found = numberOf(doc, own);
  return found < 0 ? { item: ownItem(doc, own), at: doc.items.length } : { item: doc.items[found], at: found };
}

/** Numbers in words, "0.5,1~0.25,2": steps joined by "~", their inputs by ",". */
export function seriesText(data: ArrayLike<number>, width: number): string {
  const steps = Array.from(
    { length: data.length / width },
    (_, step) => Array.from({ length: width }, (_, k) => Number(data[step * width + k].toPrecision(9))).join(","), // all of a float32
  );
  return steps.join("~");
}

function seriesOf(own: string, width: number): Float64Array | null {
  const rows = own.split("~").map((step) => step.split(","));
  if (rows.length > LONGEST || rows.some((row) => row.length !== width)) return null;
  const data = Float64Array.from(rows.flat(), (text) => (text.trim() ? Number(text) : NaN));
  return data.every(Number.isFinite) ? data : null;
}

/** What an item's own words are: where the reader begins who changes it. until: the last step that is taken over. */
export function wordsOf(doc: Doc, item: number, until: number, text: (symbols: string[]) => string): string {
  const { characters, input, steps } = doc.items[item];
  const end = Math.min(steps, until + 1);
  if (characters) return text(characters.slice(0, end));
  const width = doc.layers[0].input;
  return seriesText(unpack(input).subarray(0, end * width), width);
}
