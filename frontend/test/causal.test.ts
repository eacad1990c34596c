/** The causal editor: a text that goes on from a step, memories put in, and whether a unit matters. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { given as packed, readDocument } from "../src/document/read";
import type { Doc } from "../src/document/schema";
import { held, matters, signFlip } from "../src/model/matters";
import { joined, memoriesOf, taken, wiped } from "../src/model/memories";
import { makeModel } from "../src/model/network";
import { place } from "../src/model/own";
import type { Edit } from "../src/model/types";
import { row } from "../src/model/values";
import { nextSymbol } from "../src/model/writing";
import { Pen } from "../src/model/writing_on";
import { pythonOf } from "../src/state/python";
import { mattersPython } from "../src/state/python_causal";
import { cases } from "./fixture";

const LETTERS = { symbols: ["a", "b", "␣"], other: null, vectors: null };

/** A model of three inputs, whose sequences are said to be text; with a head that says the next symbol. */
function spelling(from: (typeof cases)[number]): Doc {
  const doc = readDocument(JSON.parse(JSON.stringify(from.doc)));
  const width = doc.layers.at(-1)!.output;
  const weight = Float64Array.from({ length: 3 * width }, (_, k) => 3 * Math.sin(7 * k + 1));
  doc.items.forEach((item) => {
    item.characters = Array.from({ length: item.steps }, (_, k) => LETTERS.symbols[k % 3]);
    item.initial = doc.items[0].initial;
    item.answer = null;
  });
  const head = { weight: packed(weight, [3, width]), bias: null, names: LETTERS.symbols, squash: "softmax" as const };
  return { ...doc, alphabet: LETTERS, head, answer: { at: "every", kind: "next", spreads: null, offsets: null } };
}

const forwards = cases.filter(({ doc }) => {
  const { layers, computed } = readDocument(JSON.parse(JSON.stringify(doc)));
  return computed && layers[0].input === 3 && layers.every(({ reverse }) => !reverse);
});

for (const one of forwards) {
  test(`${one.name}: it goes on from a step as the whole text would`, () => {
    const doc = spelling(one);
    const model = makeModel(doc);
    const [layer] = doc.layers;
    const [site] = memoriesOf(doc.cell);
    const edits: Edit[] = doc.cell.sites.includes(site)
      ? [
          { on: true, kind: "site", place: layer.place, site, value: 0.75, time: null, unit: 0 },
          { on: true, kind: "site", place: layer.place, site, value: -0.5, time: 9, unit: null },
        ]
      : [];
    const text = "ab abba b";
    const item = place(doc, text)!;
    const pen = new Pen(doc, model.run(item, edits, null), edits, null, 5); // of which it reads six symbols
    let whole = text.slice(0, 6);
    for (let step = 0; step < 9; step++) {
      const run = model.run(place(doc, whole)!, edits, null);
      const symbol = nextSymbol(doc, run, 1, 3);
      assert.equal(pen.next(1, 3), symbol);
      if (symbol === null) return assert.ok(Number.isNaN(row(run.ending!, 0)[0]) && doc.cell.state.length > 2);
      whole += symbol === "␣" ? " " : symbol;
    }
  });
}

test("there are such models", () => assert.ok(forwards.length >= 3));

const lstm = readDocument(JSON.parse(JSON.stringify(cases[0].doc)));

test("memories are wiped, held and put in", () => {
  const model = makeModel(lstm);
  const [layer] = lstm.layers;
  const whose = { place: layer.place, unit: null };
  const [site] = memoriesOf(lstm.cell);
  const before = model.run(0, [], null);
  const other = model.run(lstm.items.length - 1, [], null);
  const swap = taken(lstm, whose, other, 0, 2, true);
  const after = model.run(0, swap, null);
  for (const state of lstm.cell.state)
    assert.deepEqual(row(after.places[layer.place].sites[state], 2), row(other.places[layer.place].sites[state], 0));
  const wipe = wiped(lstm, { place: null, unit: 1 }, 2);
  assert.equal(wipe.length, lstm.layers.length * memoriesOf(lstm.cell).length);
  const hold = taken(lstm, { place: layer.place, unit: 1 }, before, 1, null, false);
  const kept = model.run(0, hold, null).places[layer.place].sites[site];
  for (let time = 0; time < kept.steps; time++) assert.equal(row(kept, time)[1], row(before.places[layer.place].sites[site], 1)[1]);
  const whole = wiped(lstm, whose, 2);
  assert.deepEqual(
    joined(swap, whole).filter((edit) => edit.kind === "site" && edit.site === site),
    whole,
    "a wipe replaces what was put in",
  );
  assert.deepEqual(joined(swap, swap), swap);
});

test("the states of a whole layer are one line of Python", () => {
  const model = makeModel(lstm);
  const swap = taken(lstm, { place: lstm.layers[0].place, unit: null }, model.run(0, [], null), 1, 2, true);
  const text = pythonOf(lstm, swap);
  if (lstm.layers[0].hidden > 3) assert.ok(text.includes("byhand.at(torch.tensor([") && text.includes("import torch"));
  assert.ok(pythonOf(lstm, swap, null, { steps: 2, lines: (line) => [line] }).includes("time=slice(2, 3)"));
});

test("signs are flipped: all of them, or many", () => {
  assert.deepEqual(signFlip([[1], [1], [1]]), { p: 2 / 8, exact: true, total: 8 });
  assert.equal(signFlip([[3], [-1], [0]]).p, 1 / 2 + 1 / 2 - 0, "of 3, −1: sums 2, 4, −2, −4, all at least 2");
  assert.equal(signFlip([[0], [0]]).p, 1, "nothing changes");
  assert.equal(signFlip([]).p, 1);
  const brute = (rows: number[][]): number => {
    const size = (signs: number): number =>
      Math.max(...rows[0].map((_, k) => Math.abs(rows.reduce((sum, one, at) => sum + ((signs >> at) & 1 ? -1 : 1) * one[k], 0))));
    const bar = size(0) * (1 - 1e-9);
    return Array.from({ length: 2 ** rows.length }, (_, signs) => size(signs)).filter((one) => one >= bar).length / 2 ** rows.length;
  };
  const rows = Array.from({ length: 10 }, (_, k) => [Math.sin(3 * k) + 0.4, Math.cos(5 * k) - 0.1, 0.3 * Math.sin(k * k)]);
  assert.equal(signFlip(rows).p, brute(rows));
  const many = Array.from({ length: 40 }, (_, k) => [Math.sin(3 * k) + 0.25]);
  const found = signFlip(many);
  const z = (many.reduce((sum, [value]) => sum + value, 0) / Math.hypot(...many.map(([value]) => value))) as number;
  assert.ok(!found.exact && found.total === 10_000);
  assert.ok(Math.abs(found.p - 2 * (1 - normal(z))) < 0.02, `${found.p}, by the normal distribution ${2 * (1 - normal(z))}`);
});

/** The normal distribution, by its density in small steps. */
function normal(z: number): number {
  let sum = 0;
  for (let x = 0; x < z; x += 1e-4) sum += Math.exp(-(x ** 2) / 2) * 1e-4;
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}

test("whether a unit matters is found a sequence at a time", () => {
  const model = makeModel(lstm);
  const [{ place: at }] = lstm.layers;
  const [site] = memoriesOf(lstm.cell);
  const asked = { place: at, site, unit: 0, at: "mean" as const, edits: [], snapshot: null };
  const work = matters(model, asked);
  const shares: number[] = [];
  let step = work.next();
  for (; !step.done; step = work.next()) shares.push(step.value);
  const found = step.value;
  assert.equal(shares.at(-1), 1);
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => a - b),
  );
  assert.equal(found.items, lstm.items.length);
  const all = lstm.items.flatMap((_, item) => {
    const values = model.run(item, [], null).places[at].sites[site];
    return Array.from({ length: values.steps }, (_, time) => row(values, time)[0]);
  });
  assert.ok(Math.abs(found.value - all.reduce((a, b) => a + b, 0) / all.length) < 1e-12);
  assert.ok(mattersPython(lstm, [], null, held(asked, found.value)).endsWith("change = without_unit - with_unit"));
});
