/** A text of the reader's own: taken apart, run, continued and linked; and a number series. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { given as packed, readDocument } from "../src/document/read";
import type { Doc } from "../src/document/schema";
import { encoded, numbersOf, spoken, tokens, written } from "../src/model/alphabet";
import { makeModel } from "../src/model/network";
import { given, ownItem, ownKind, place, refusal, seriesText } from "../src/model/own";
import { stepPlan } from "../src/model/program";
import { LayerJob } from "../src/model/recurrence";
import { WeightStore } from "../src/model/weights";
import { chances, drawn, nextSymbol, random } from "../src/model/writing";
import { fragmentOf, start, stateOf } from "../src/state/address";
import { pythonOf } from "../src/state/python";
import { makeStore } from "../src/state/store";
import { cases } from "./fixture";

Object.assign(globalThis, { requestAnimationFrame: () => 0, cancelAnimationFrame: () => undefined });

const LETTERS = { symbols: ["a", "b", "␣"], other: null, vectors: null };

/** A model of three inputs, whose sequences are said to be text over a, b and a space; with a head that says the next one. */
function spelling(name = "cifg"): Doc {
  const doc = readDocument(JSON.parse(JSON.stringify(cases.find((one) => one.name === name)!.doc)));
  const width = doc.layers.at(-1)!.output * (doc.layers.some(({ reverse }) => reverse) ? 2 : 1);
  const weight = Float64Array.from({ length: 3 * width }, (_, k) => Math.sin(7 * k + 1));
  doc.items.forEach((item) => {
    item.characters = Array.from({ length: item.steps }, (_, k) => LETTERS.symbols[k % 3]);
    item.initial = {};
    item.answer = null;
  });
  const head = { weight: packed(weight, [3, width]), bias: null, names: LETTERS.symbols, squash: "softmax" as const };
  return { ...doc, alphabet: LETTERS, head, answer: { at: "every", kind: "next", spreads: null, offsets: null } };
}

test("a text is taken apart into symbols, and put together again", () => {
  const found = tokens({ symbols: ["a", "␣", "↵"], other: null, vectors: null }, "a a\r\né\té");
  assert.deepEqual(found.symbols, ["a", "␣", "a", "↵", "é", "⇥", "é"]);
  assert.deepEqual(
    found.unknown.map(({ symbol, first, count }) => [symbol, first, count]),
    [
      ["é", 4, 2],
      ["⇥", 5, 1],
    ],
  );
  assert.equal(written(LETTERS, ["a", "␣", "b"]), "a b");
  const words = { symbols: ["the", "cat", "other"], other: 2, vectors: null };
  assert.deepEqual(tokens(words, "the  dog\n").symbols, ["the", "dog"]);
  assert.deepEqual(numbersOf(words, ["the", "dog", "other"]), [0, 2, 2], "other is a word like any that it does not know");
  assert.deepEqual(numbersOf(LETTERS, ["b", "x"]), [1, -1]);
});

test("symbols come in as the document says: one-hot, or by their vectors", () => {
  assert.deepEqual([...encoded(LETTERS, [1, 0], 3)], [0, 1, 0, 1, 0, 0]);
  const vectors = packed(Float64Array.from([1, 2, 3, 4]), [2, 2]);
  assert.deepEqual([...encoded({ symbols: ["a", "b"], other: null, vectors }, [1, 1, 0], 2)], [3, 4, 3, 4, 1, 2]);
});

test("what the model has no symbol for is named, and nothing runs", () => {
  const doc = spelling();
  assert.match(refusal(doc, "a?b!")!, /no symbol for \? !/);
  assert.equal(ownItem(doc, "a?b!"), null);
  assert.match(refusal(doc, "")!, /no text/);
  assert.equal(refusal({ ...doc, alphabet: { ...LETTERS, other: 1 } }, "a?"), null, "where one symbol stands for all others");
  const long = "a".repeat(20_001);
  assert.match(refusal(doc, long)!, /20,001/);
});

test("a text of one's own gives what the same one of the document does, and goes on from it", () => {
  for (const name of ["cifg", "lstm, 2 layers, both directions", "slstm"]) {
    const doc = spelling(name);
    const text = "ab bba a";
    const own = place(doc, text)!;
    assert.equal(own, given(doc));
    const model = makeModel(doc);
    const { steps } = model.run(own, [], null);
    assert.equal(steps, text.length);
    const longer = place(doc, `${text}ba`)!;
    const shorter = place(doc, text.slice(0, 5))!;
    const other = place(doc, `b${text.slice(1)}`)!;
    for (const number of [longer, shorter, other, own]) {
      const fresh = makeModel(doc).run(number, [], null);
      const found = model.run(number, [], null);
      for (const layer of doc.layers)
        for (const site of found.places[layer.place].names) {
          const [one, again] = [found.places[layer.place].sites[site], fresh.places[layer.place].sites[site]];
          assert.equal(one.steps, doc.items[number].steps);
          assert.deepEqual([...one.data], [...again.data], `${name}, ${layer.place}.${site}, text ${number}`);
        }
      assert.deepEqual([...found.head!.data], [...fresh.head!.data]);
    }
  }
});

test("old texts give their numbers back, and are placed again when they come back", () => {
  const doc = spelling();
  const first = place(doc, "a")!;
  for (let k = 2; k < 14; k++) place(doc, "a".repeat(k));
  assert.equal(doc.items[first].steps, 0);
  assert.equal(place(doc, "a".repeat(13)), first + 12, "a recent one stands where it stood");
  const again = place(doc, "a")!;
  assert.ok(again > first && doc.items[again].steps === 1);
});

test("the same seed draws the same, evenly, and at temperature 0 the likeliest", () => {
  assert.equal(random(3, 17), random(3, 17));
  const draws = Array.from({ length: 20_000 }, (_, k) => random(5, k));
  assert.ok(draws.every((one) => one >= 0 && one < 1));
  for (let bin = 0; bin < 10; bin++) {
    const share = draws.filter((one) => Math.floor(10 * one) === bin).length / draws.length;
    assert.ok(Math.abs(share - 0.1) < 0.01, `${share} in bin ${bin}`);
  }
  const pairs = draws.slice(1).reduce((sum, one, k) => sum + (one - 0.5) * (draws[k] - 0.5), 0) / draws.length;
  assert.ok(Math.abs(pairs) < 0.003, `neighbours hang together: ${pairs}`);
  const none = (): boolean => false;
  assert.deepEqual(
    [...chances([0, Math.log(3)], 1, none)].map((one) => Number(one.toFixed(12))),
    [0.25, 0.75],
  );
  assert.deepEqual([...chances([1, 5, 5.1], 0, none)], [0, 0, 1]);
  assert.deepEqual([...chances([9, 1, 1], 1, (index) => index === 0)], [0, 0.5, 0.5]);
  const likely = Float64Array.from([0.2, 0, 0.8]);
  assert.deepEqual([drawn(likely, 0), drawn(likely, 0.2), drawn(likely, 0.9999999)], [0, 2, 2]);
  assert.equal(drawn(Float64Array.from([NaN, NaN]), 0.5), -1);
});

test("the model writes what its last step says", () => {
  const doc = spelling();
  assert.deepEqual(spoken(doc), LETTERS.symbols);
  assert.equal(spoken(spelling("lstm, 2 layers, both directions")), null, "it has read what comes next");
  const model = makeModel(doc);
  const run = model.run(place(doc, "ab ")!, [], null);
  const outputs = [...run.head!.data.slice(-3)];
  assert.equal(nextSymbol(doc, run, 0, 0), LETTERS.symbols[outputs.indexOf(Math.max(...outputs))]);
  const counts = LETTERS.symbols.map((symbol) => {
    const hits = Array.from({ length: 3000 }, (_, seed) => nextSymbol(doc, run, 1, seed)).filter((one) => one === symbol);
    return hits.length / 3000;
  });
  counts.forEach((share, k) => assert.ok(Math.abs(share - outputs[k]) < 0.03, `${share} of ${outputs[k]}`));
});

test("a link carries a short text, with the changes made in it; a long one is left out", () => {
  const doc = spelling();
  const store = makeStore(makeModel(doc));
  store.set({ own: "ab ab", item: doc.items.length, time: 4 });
  store.set({ own: "ab aba", item: doc.items.length, time: 5 });
  assert.equal(store.run().steps, 6);
  store.edit({ on: true, kind: "input", item: store.state.item, time: 2, feature: 1, value: 0.5 });
  const fragment = fragmentOf(doc, store.state);
  assert.match(fragment, /own=ab%20aba/);
  assert.match(pythonOf(doc, store.state.edits), /left out/);
  const elsewhere = spelling();
  const again = makeStore(makeModel(elsewhere), stateOf(elsewhere, fragment));
  assert.deepEqual([again.state.own, again.state.time, again.run().steps], ["ab aba", 5, 6]);
  assert.deepEqual([...again.run().head!.data], [...store.run().head!.data]);
  assert.equal(again.run().input.data[2 * 3 + 1], 0.5);
  assert.deepEqual(stateOf(doc, fragment).item, store.state.item, "where it stands already");
  store.set({ own: "ab".repeat(1000), item: doc.items.length });
  assert.ok(!fragmentOf(doc, store.state).includes("own="));
  for (const bad of ["own=%FF", "own=xyz&item=9", "own=&item=2", "temperature=x&seed=-4"]) {
    const state = stateOf(doc, bad);
    assert.ok(state.item < given(doc) && state.own === null && state.temperature === 1 && state.seed === 0, bad);
  }
});

test("undo goes from one's own text back to the document's, and again", () => {
  const doc = spelling();
  const store = makeStore(makeModel(doc));
  store.set({ own: "ab", item: doc.items.length }, { remember: true });
  const { item } = store.state;
  store.undo();
  assert.deepEqual([store.state.item, store.state.own], [0, null]);
  store.redo();
  assert.deepEqual([store.state.item, store.state.own, store.run().steps], [item, "ab", 2]);
  assert.equal(start(doc).own, null);
});

test("a number series of one's own", () => {
  const doc = readDocument(JSON.parse(JSON.stringify(cases[0].doc)));
  assert.equal(ownKind(doc), "series");
  const text = seriesText([0.1, 1, 2, 3, 4, 5.5], 3);
  assert.equal(text, "0.1,1,2~3,4,5.5");
  const number = place(doc, text)!;
  assert.deepEqual([...makeModel(doc).run(number, [], null).input.data], [0.1, 1, 2, 3, 4, 5.5]);
  for (const bad of ["", "1,2", "1,2,x", "1,2,3~1,2", "1,,3", "1,2,Infinity"]) assert.equal(ownItem(doc, bad), null, bad);
  assert.equal(ownKind({ ...doc, computed: false }), null);
});

test("a layer that is computed in slices is the same as in one piece", () => {
  for (const { doc: given } of cases) {
    const doc = readDocument(JSON.parse(JSON.stringify(given)));
    const run = makeModel(doc).run(0, [], null);
    for (const layer of doc.layers) {
      const { input, initial, sites } = run.places[layer.place];
      const longer = {
        ...input!,
        steps: 40,
        data: Float64Array.from({ length: 40 * input!.width }, (_, k) => input!.data[k] ?? Math.sin(k)),
      };
      const task = { cell: doc.cell, layer, weights: new WeightStore(doc).of(layer.place, [], null), input: longer, initial, edits: [] };
      const plan = stepPlan(doc.cell.program!, doc.cell);
      const [whole, sliced] = [new LayerJob(task, plan, []), new LayerJob(task, plan, [])];
      assert.ok(whole.advance(Infinity));
      const shares: number[] = [];
      while (!sliced.advance(-1)) shares.push(sliced.share);
      assert.deepEqual(shares, [0.2, 0.4, 0.6, 0.8]);
      for (const site of Object.keys(sites)) assert.deepEqual([...sliced.sites[site].data], [...whole.sites[site].data]);
    }
  }
});
