/** Trainings: they learn, rewind and go on as before; the address; the document that the other views open. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readDocument } from "../../src/document/read";
import type { PlayDoc } from "../../src/document/schema";
import { answerAt } from "../../src/model/answer";
import { makeModel } from "../../src/model/network";
import { start, stateOf } from "../../src/state/address";
import { documentOf, heldFragment } from "../../src/train/document";
import { Host, type Reply } from "../../src/train/host";
import { gatesOf, type Settings, settingsOf, settingsWord, type TaskName, USUAL, usual } from "../../src/train/settings";
import { Trainer } from "../../src/train/trainer";

const { play }: { play: PlayDoc } = JSON.parse(readFileSync(process.env.BYHAND_FIXTURE!, "utf8"));
const TASKS = Object.keys(USUAL) as TaskName[];
const small = (task: TaskName, more: Partial<Settings> = {}): Settings => ({
  ...usual(task, play),
  ...(task === "companies" ? {} : { units: 5, length: USUAL[task].length ? 10 : 0 }),
  ...more,
});

function trained(settings: Settings, epochs: number): Trainer {
  const trainer = new Trainer(play, settings);
  while (trainer.epoch < epochs) trainer.step();
  return trainer;
}

for (const task of TASKS)
  test(`${task}: the loss falls, and the document gives the same answers as the trainer`, () => {
    const before = new Trainer(play, small(task)).report();
    const trainer = trained(small(task), 40);
    const report = trainer.report();
    assert.ok(report.loss < before.loss, `${before.loss} -> ${report.loss}`);
    assert.equal(report.broken, false);
    const doc = readDocument(JSON.parse(JSON.stringify(documentOf(trainer.result(), play))));
    const run = makeModel(doc).run(0, [], null);
    for (const site of doc.cell.sites) {
      const { data } = run.places["l0"].sites[site];
      data.forEach((value, k) => assert.ok(Math.abs(value - report.maps[site][k]) < 1e-12, `${site} ${k}`));
    }
    const wide = doc.head ? trainer.task.outputs.length : 1;
    const answer = answerAt(doc, run, run.steps - 1, wide)!;
    assert.ok(answer.here && answer.right.length === 1);
    const last = report.answers.slice(-wide);
    const top = Math.max(...last);
    const sum = last.reduce((all, one) => all + Math.exp(one - top), 0);
    for (const { index, value } of answer.outputs)
      assert.ok(Math.abs(value - (trainer.task.classes ? Math.exp(last[index] - top) / sum : last[index])) < 1e-12);
    assert.equal(doc.training!.epochs.at(-1), 40);
    assert.equal(doc.training!.weights.length, doc.training!.epochs.length);
    const first = makeModel(doc).run(0, [], 0).places["l0"].sites["h"].data;
    const untrained = new Trainer(play, small(task)).report().maps["h"];
    first.forEach((value, k) => assert.ok(Math.abs(value - untrained[k]) < 1e-12));
  });

test("a training that is rewound goes on as it did, and only then forgets what came after", () => {
  const trainer = trained(small("adding"), 30);
  const end = trainer.net.numbers.slice();
  trainer.rewind(12);
  assert.equal(trainer.epoch, 12);
  assert.equal(trainer.report().kept.at(-1), 30);
  assert.deepEqual(
    trainer.result().snapshots.map(({ epoch }) => epoch),
    Array.from({ length: 13 }, (_, k) => k),
  );
  trainer.step();
  assert.equal(trainer.report().kept.at(-1), 13);
  while (trainer.epoch < 30) trainer.step();
  assert.deepEqual(trainer.net.numbers, end);
});

test("what is kept of a long training stays small", () => {
  const trainer = trained(small("companies"), 5000);
  const { kept, curve } = trainer.report();
  assert.ok(kept.length <= 49 && kept[0] === 0, `${kept}`);
  assert.ok(curve.epochs.length < 400 && curve.epochs.length > 100);
  assert.ok(curve.losses.every((loss) => loss >= 0));
});

test("a gate that is held does not learn, and can be let go", () => {
  const trainer = trained(small("adding", { held: { f: 1 } }), 3);
  const rows = (name: string): number[] => [...trainer.net.of(name)!];
  const before = rows("bias_ih_l0");
  trainer.step();
  const after = rows("bias_ih_l0");
  const forget = play.cells["lstm"].cell.gates.indexOf("f");
  after.forEach((value, row) => assert.equal(value === before[row], Math.floor(row / 5) === forget, `row ${row}`));
  assert.ok(trainer.report().maps["f"].every((value) => value === 1));
  trainer.hold({});
  trainer.step();
  assert.notEqual(rows("bias_ih_l0")[forget * 5], after[forget * 5]);
  const doc = documentOf(trainer.result(), play);
  const [edit] = stateOf(doc, `view=unit${heldFragment({ f: 1 })}`).edits;
  assert.deepEqual(edit, { on: true, kind: "site", place: "l0", site: "f", value: 1, time: null, unit: null });
});

test("settings as a word of the address, and back", () => {
  for (const task of TASKS)
    for (const cell of Object.keys(play.cells)) {
      const held = Object.fromEntries(gatesOf(play, cell).map((gate, k) => [gate, k % 2]));
      const text = task === "text" ? "tea~and=cake, cake & tea? ".repeat(4) : usual(task, play).text;
      const settings = { ...usual(task, play), cell, units: 7, rate: 0.003, seed: 11, held, text };
      assert.deepEqual(settingsOf(settingsWord(settings), play), settings);
    }
  const odd = settingsOf("adding~gru~9999~x~-4~1~f.1_z.7_r.0", play);
  assert.deepEqual(odd, { ...usual("adding", play), cell: "gru", units: 64, seed: 0, length: 4, held: { r: 0 } });
  assert.deepEqual(settingsOf("nothing~toString", play), usual("companies", play));
});

test("a page without training has no such view in its address", () => {
  const doc = documentOf(trained(small("parity"), 1).result(), play);
  assert.equal(stateOf(doc, "view=play&play=adding").view, "play");
  assert.equal(stateOf({ ...doc, play: undefined }, "view=play&play=adding").view, start(doc).view);
});

test("the host obeys, paces itself and stops where numbers are no longer finite", async () => {
  const replies: Reply[] = [];
  const host = new Host((reply) => replies.push(structuredClone(reply)), 5);
  const last = () => replies.filter((one) => one.kind === "report").at(-1)!;
  const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
  host.receive({ kind: "step" }); // of nothing: no reply
  assert.equal(replies.length, 0);
  host.receive({ kind: "start", play, settings: small("companies") });
  host.receive({ kind: "step" });
  assert.equal(last().report.epoch, 1);
  host.receive({ kind: "pace", pace: 100 });
  host.receive({ kind: "run", on: true });
  await wait(600);
  host.receive({ kind: "run", on: false });
  const { epoch } = last().report;
  assert.ok(epoch > 5 && epoch <= 70, `${epoch} epochs in 0.6 s at 100 a second`);
  await wait(60);
  host.receive({ kind: "rewind", epoch: 0 });
  assert.equal(last().report.epoch, 0);
  host.receive({ kind: "result", id: 7 });
  assert.equal(replies.at(-1)!.kind, "result");
  host.receive({ kind: "start", play, settings: small("adding", { cell: "min_lstm", rate: 1 }) });
  host.receive({ kind: "start", play, settings: { ...small("adding"), cell: "none" } });
  assert.equal(replies.at(-1)!.kind, "failed");
});
