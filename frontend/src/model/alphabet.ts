/** The symbols that a model reads: a text taken apart into them, and the input that they are. */

import { unpack } from "../document/read";
import type { AlphabetDoc, Doc } from "../document/schema";
import { visible } from "../text/format";

/** A symbol of a text that the model has none for. */
export interface Unknown {
  symbol: string;
  first: number; // where it stands first
  count: number;
}

export interface Tokens {
  symbols: string[]; // as the page writes them
  unknown: Unknown[]; // in the order in which they come
}

const WRITTEN: Record<string, string> = { "↵": "\n", "⇥": "\t", "␣": " " };

/** Whether each symbol is one character; else a text is words with spaces between them. */
export function isSpelt({ symbols, other }: AlphabetDoc): boolean {
  return symbols.every((symbol, index) => index === other || [...symbol].length <= 1);
}

/** A text in symbols: characters, or words. */
export function tokens(alphabet: AlphabetDoc, text: string): Tokens {
  const spelt = isSpelt(alphabet);
  const plain = text.replaceAll("\r\n", "\n");
  const symbols = spelt ? [...plain].map(visible) : plain.split(/\s+/).filter(Boolean);
  const known = new Set(alphabet.symbols.filter((_, index) => index !== alphabet.other));
  const unknown = new Map<string, Unknown>();
  symbols.forEach((symbol, first) => {
    if (known.has(symbol)) return;
    const found = unknown.get(symbol) ?? { symbol, first, count: 0 };
    found.count += 1;
    unknown.set(symbol, found);
  });
  return { symbols, unknown: [...unknown.values()] };
}

/** Symbols as a text that is taken apart into the same ones. */
export function written(alphabet: AlphabetDoc, symbols: string[]): string {
  return isSpelt(alphabet) ? symbols.map((symbol) => WRITTEN[symbol] ?? symbol).join("") : symbols.join(" ");
}

/** The number of each symbol; −1 where the model has none. */
export function numbersOf({ symbols, other }: AlphabetDoc, text: string[]): number[] {
  const known = new Map(symbols.map((symbol, index) => [symbol, index]));
  if (other !== null) known.delete(symbols[other]); // a word like any that it does not know
  return text.map((symbol) => known.get(symbol) ?? other ?? -1);
}

/** The input that these symbols are: steps × inputs. */
export function encoded({ vectors }: AlphabetDoc, numbers: number[], width: number): Float64Array {
  const data = new Float64Array(numbers.length * width);
  const rows = vectors && unpack(vectors);
  numbers.forEach((number, step) => {
    if (rows) data.set(rows.subarray(number * width, (number + 1) * width), step * width);
    else data[step * width + number] = 1;
  });
  return data;
}

/** The outputs of the head that are symbols, by their numbers; null where the model does not say what comes next. */
export function spoken({ alphabet, head, layers, answer }: Doc): (string | null)[] | null {
  const names = head?.names;
  if (!alphabet || !names || names.length < 2 || layers.some(({ reverse }) => reverse)) return null;
  if (answer && answer.at !== "every") return null;
  const others = alphabet.other === null ? null : alphabet.symbols[alphabet.other];
  if (!names.every((name) => alphabet.symbols.includes(name)) || head.squash === "sigmoid") return null;
  return names.map((name) => (name === others ? null : name));
}
