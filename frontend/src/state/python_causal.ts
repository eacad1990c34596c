/** As Python text: the model writes on under the changes; what a unit is worth. */

import type { Doc } from "../document/schema";
import { spoken } from "../model/alphabet";
import { given } from "../model/own";
import type { Edit } from "../model/types";
import { indented, pythonOf } from "./python";

export interface Continued {
  edits: Edit[];
  snapshot: number | null;
  item: number;
  time: number; // the last step that is read
  count: number; // symbols that are written
  temperature: number;
  seed: number;
}

const DRAW = `def draw(place):  # the page's own random numbers: of the seed and the place in the text alone
    mask = 0xFFFFFFFF
    state = ((seed ^ 0x9E3779B9) * 0x85EBCA6B + (place + 1) * 0x6D2B79F5) & mask
    state = (state ^ state >> 15) * (state | 1) & mask
    state ^= (state + (state ^ state >> 7) * (state | 61)) & mask
    return (state ^ state >> 14) / 2**32`;

/** What writes the same text as the page; null where its x cannot be told from here. */
export function writingPython(doc: Doc, asked: Continued): string | null {
  const { item, time, count, temperature, seed, snapshot } = asked;
  const { alphabet, call, head } = doc;
  const names = spoken(doc);
  if (!names || !alphabet || !head?.names || !call || call.packed || call.lengths || call.states || !call.batched) return null;
  const bare = call.around === null;
  if (bare ? alphabet.vectors : call.around !== "x") return null;
  const first = call.batch_first;
  const own = item >= given(doc);
  const numbers = head.names.map((name) => alphabet.symbols.indexOf(name));
  const silent = names.flatMap((name, index) => (name === null ? [index] : []));
  const lines = (line: string): string[] => [
    `for place in range(${time + 1}, ${time + 1 + count}):`,
    ...indented([
      line,
      `scores = ${bare ? "head(" : ""}y[${first ? "0, -1" : "-1, 0"}]${bare ? ")" : ""}.double()  # as they are before a softmax`,
      ...(silent.length ? [`scores[[${silent.join(", ")}]] = -torch.inf  # what it does not write`] : []),
      temperature > 0
        ? `number = numbers[int((draw(place) >= (scores / ${temperature}).softmax(-1).cumsum(-1)).sum().clamp(max=len(scores) - 1))]`
        : "number = numbers[int(scores.argmax())]",
      "written.append(symbols[number])",
      `x = torch.cat([x, read([number])], dim=${first ? 1 : 0})`,
    ]),
  ];
  const kept = asked.edits
    .filter((edit) => !("item" in edit) || edit.item === item)
    .filter((edit) => edit.kind !== "input" || edit.time <= time)
    .map((edit) => ("item" in edit ? { ...edit, item: 0 } : edit));
  const text = pythonOf(doc, kept, snapshot, { steps: time + 1, lines }).split("\n");
  const imports = text.filter(imported);
  const rest = text.filter((one) => !imported(one)).filter((one, at) => one || at);
  const start = own
    ? `x = read([${doc.items[item]
        .characters!.slice(0, time + 1)
        .map((one) => place(alphabet.symbols, alphabet.other, one))
        .join(", ")}])`
    : `x = x[${first ? `${item} : ${item + 1}, :${time + 1}` : `:${time + 1}, ${item} : ${item + 1}`}]`;
  return [
    ...new Set([...imports, "import torch"]),
    "",
    ...(bare ? ["# head: what was given as head="] : []),
    `symbols = ${JSON.stringify(alphabet.symbols)}`,
    `numbers = ${JSON.stringify(numbers)}  # of the outputs, among the symbols`,
    `seed, written = ${seed}, []`,
    "",
    "",
    DRAW,
    "",
    "",
    "def read(numbers):  # as x holds them: numbers, or for each a one among zeros",
    `    numbers = torch.tensor(numbers).unsqueeze(${first ? 0 : 1})`,
    `    return torch.nn.functional.one_hot(numbers, ${bare ? doc.layers[0].input : alphabet.symbols.length}).to(x) if x.is_floating_point() else numbers.to(x)`,
    "",
    "",
    start,
    "with torch.no_grad():",
    ...indented(rest),
  ].join("\n");
}

const imported = (line: string): boolean => /^(import|from) /.test(line);

function place(symbols: string[], other: number | null, symbol: string): number {
  const found = symbols.indexOf(symbol);
  return found < 0 ? (other ?? 0) : found;
}

/** The outputs of all sequences with the unit and without it: `change` is what it makes. */
export function mattersPython(doc: Doc, edits: Edit[], snapshot: number | null, ablation: Edit): string {
  const named = (name: string) => ({ steps: Infinity, lines: (line: string) => [line, `${name} = y`] });
  const one = pythonOf(doc, edits, snapshot, named("with_unit"));
  const other = pythonOf(doc, [...edits, ablation], snapshot, named("without_unit"));
  const again = /^\s*x\b.* = /m.test(one); // what is put into x, or done to it, is done to the one that was given
  const [before, between] = again ? ["x_given = x\n", "x = x_given\n"] : ["", ""];
  return `${before}${one}\n\n${between}${other}\n\nchange = without_unit - with_unit`;
}
