/** What the model answers, against torch: the outputs where the model reads them, what is asked and where, the losses; and the line. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "../src/document/read";
import { type Answer, answerAt, largest, lossOver } from "../src/model/answer";
import { answerLines, textOf } from "../src/model/answer_words";
import { makeModel } from "../src/model/network";
import { answers, cases } from "./fixture";

function close(found: number, expected: number, what: string): void {
  assert.ok(Math.abs(found - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${what}: ${found}, torch has ${expected}`);
}

for (const { name, where, kind, doc, runs } of answers) {
  const model = makeModel(readDocument(doc));
  test(`${name}: answers and losses are torch's`, () => {
    assert.equal(model.doc.answer?.at, where);
    for (const { item, edits, outputs, right, losses, loss } of runs) {
      const run = model.run(item, edits, null);
      const asked = right.map((row) => row.some((one) => one !== null));
      const last = run.steps - 1;
      for (let time = 0; time < run.steps; time++) {
        const answer = answerAt(model.doc, run, time, 99)!;
        const next = where === "every" ? asked.indexOf(true, time) : last;
        const at = next < 0 ? asked.lastIndexOf(true) : next;
        assert.deepEqual([answer.time, answer.here], [at, at === time]);
        const row = where === "every" ? at : 0;
        for (const { index, value } of answer.outputs) close(value, outputs[row][index], `output ${index} at ${at}`);
        if (kind === "class") {
          const order = answer.outputs.map(({ value }) => value);
          assert.deepEqual(
            order,
            [...order].sort((a, b) => b - a),
          );
        }
        const expected = right[row].flatMap((one, index) => (one === null ? [] : [kind === "class" ? one : index]));
        assert.deepEqual(
          answer.right.map(({ index }) => index),
          expected,
        );
        if (losses[row] === null) assert.equal(answer.loss, null);
        else close(answer.loss!.value, losses[row], `loss at ${at}`);
      }
      const mean = lossOver(model.doc, run);
      if (loss === null) assert.equal(mean, null);
      else close(mean!.value, loss, "mean loss");
    }
  });
}

test("a document without a word on answers has those of its head, or none", () => {
  const plain = makeModel(readDocument(cases[0].doc));
  assert.equal(answerAt({ ...plain.doc, answer: undefined }, plain.run(0, [], null), 0), null);
  const [{ doc, runs }] = answers;
  const { answer: _, ...earlier } = readDocument(doc);
  const bare = { ...earlier, items: earlier.items.map(({ answer: __, ...item }) => item) };
  const model = makeModel(bare);
  const found = answerAt(bare, model.run(runs[0].item, [], null), 2, 1)!;
  close(found.outputs[0].value, Math.max(...runs[0].outputs[2]), "the likeliest");
  assert.deepEqual([found.right, found.loss, found.here], [[], null, true]);
});

test("the largest come first, what is no number last", () => {
  const { doc } = makeModel(readDocument(answers[0].doc));
  const from = { steps: 1, width: 5, every: 1, units: null, error: null, data: Float64Array.of(NaN, 2, -1, 3, 2) };
  const found = (most: number): number[] => largest(doc, from, 0, most).map(({ index }) => index);
  assert.deepEqual(found(5), [3, 1, 4, 2, 0]);
  assert.deepEqual(found(2), [3, 1]);
});

const plain: Answer = { kind: "numbers", share: false, time: 3, here: true, outputs: [], right: [], loss: null };
const output = (name: string, value: number, index = 0, error = 0) => ({ index, name, value, error });
const lines = (now: Answer, before: Answer | null = null, word: "step" | "day" = "step"): string[] =>
  answerLines(now, before, [now.loss, before?.loss ?? null], word).map(textOf);

test("a number, before and after a change", () => {
  const now = { ...plain, outputs: [output("", 0.87)], right: [output("", 1)] };
  const before = { ...now, outputs: [output("", 0.97)] };
  assert.equal(lines(now)[0], "answer after step 3: 0.87, should be 1");
  assert.equal(lines(now, before)[0], "answer after step 3: 0.97 → 0.87, should be 1");
  assert.equal(lines(now, before, "day")[0], "answer after day 4: 0.97 → 0.87, should be 1");
  assert.equal(lines(now, { ...before, outputs: [output("", 0.871)] })[0], "answer after step 3: 0.87, should be 1");
  assert.equal(lines({ ...now, right: [] })[0], "answer after step 3: 0.87");
  assert.equal(lines({ ...now, here: false, time: 49 })[0], "asked at step 49: 0.87, should be 1");
});

test("it gets shorter: first the words go, then what it was", () => {
  const now = { ...plain, outputs: [output("", 0.87)], right: [output("", 1)] };
  const found = [...new Set(lines(now, { ...now, outputs: [output("", 0.97)] }))];
  assert.deepEqual(found, [
    "answer after step 3: 0.97 → 0.87, should be 1",
    "answer: 0.97 → 0.87, should be 1",
    "0.97 → 0.87, should be 1",
    "0.87, should be 1",
  ]);
});

test("several numbers under their names, with no digit more than is known", () => {
  const outputs = [
    output("rain 1962", 41.234, 0, 0.2),
    output("rain 1963", 33.3, 1),
    output("rain 1964", 1.5, 2),
    output("rain 1965", 2, 3),
  ];
  const now = { ...plain, outputs, right: [output("rain 1962", 37.6)] };
  assert.equal(lines(now)[0], "answer after step 3: rain 1962 = 41, rain 1963 = 33.30, rain 1964 = 1.50 and 1 more, should be 37.6");
});

test("classes with their probabilities", () => {
  const now: Answer = {
    ...plain,
    kind: "class",
    share: true,
    outputs: [output("YX", 0.81, 2), output("XX", 0.12, 0)],
    right: [output("XX", 0)],
  };
  assert.equal(lines(now)[0], "answer after step 3: YX (81 %), XX (12 %), should be XX");
  const same = { ...now, outputs: [output("YX", 0.62, 2)] };
  assert.equal(lines(now, same)[0], "answer after step 3: YX (62 % → 81 %), XX (12 %), should be XX");
  const other = { ...now, outputs: [output("XX", 0.62, 0)] };
  assert.equal(lines(now, other)[0], "answer after step 3: XX (62 %) → YX (81 %), XX (12 %), should be XX");
});

test("the next character, and its loss in bits", () => {
  const loss = { value: 2 * Math.LN2, error: 0 };
  const now: Answer = { ...plain, kind: "next", share: true, outputs: [output(" ", 0.25, 0)], right: [output(" ", 0)], loss };
  assert.equal(lines(now)[0], "next after step 3: ␣ (25 %), should be ␣; 2.00 bits, over the sequence 2.00");
  const before = { ...now, outputs: [output(" ", 0.5, 0)], loss: { value: Math.LN2, error: 0 } };
  assert.equal(lines(now, before)[2], "next: ␣ (50 % → 25 %), should be ␣; 1.00 → 2.00 bits");
});
