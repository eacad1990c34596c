/** What the page remembers: undo and redo, the address, edits as sentences and as Python. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "../src/document/read";
import { makeModel } from "../src/model/network";
import type { Edit } from "../src/model/types";
import { fragmentOf, start, stateOf } from "../src/state/address";
import { sentence, withEdit } from "../src/state/edit_list";
import { pythonOf } from "../src/state/python";
import { makeStore } from "../src/state/store";
import { cases } from "./fixture";

Object.assign(globalThis, { requestAnimationFrame: () => 0, cancelAnimationFrame: () => undefined });

const model = makeModel(readDocument(cases[0].doc));
const { place } = model.doc.layers[0];
const site = model.doc.cell.sites[0];
const edit = (value: number, time: number | null = 1): Edit => ({ on: true, kind: "site", place, site, value, time, unit: 0 });

test("an edit is undone and redone", () => {
  const store = makeStore(model);
  const before = [...store.run().places[place].sites[site].data];
  store.edit(edit(0.25));
  assert.notDeepEqual([...store.run().places[place].sites[site].data], before);
  assert.ok(store.canUndo() && !store.canRedo());
  store.undo();
  assert.deepEqual([...store.run().places[place].sites[site].data], before);
  store.redo();
  assert.equal(store.state.edits.length, 1);
});

test("a drag that is taken back has never been", () => {
  const store = makeStore(model);
  store.edit(edit(0.25));
  store.abandon();
  assert.equal(store.state.edits.length, 1, "nothing is being dragged");
  for (const value of [0.5, 0.75]) store.edit(edit(value, 2), { dragging: true });
  store.abandon();
  assert.deepEqual(store.state.edits, [edit(0.25)]);
  assert.ok(!store.canRedo());
  store.undo();
  assert.deepEqual(store.state.edits, []);
});

test("edits that are no number are refused", () => {
  const store = makeStore(model);
  store.edit(edit(Number.NaN));
  assert.deepEqual(store.state.edits, []);
});

test("a second edit of the same place replaces the first", () => {
  const found = withEdit(withEdit([], edit(0.25)), edit(0.5));
  assert.deepEqual(
    found.map((one) => one.value),
    [0.5],
  );
  assert.equal(withEdit(found, edit(0.5, 2)).length, 2);
});

test("the address gives the state back", () => {
  const state = { ...start(model.doc), edits: [edit(0.25), edit(-1, null)], unit: 1, time: 2, compare: true };
  const again = stateOf(model.doc, fragmentOf(model.doc, state));
  assert.deepEqual([again.edits, again.unit, again.time, again.compare], [state.edits, 1, 2, true]);
});

test("an address that makes no sense is the start", () => {
  for (const text of ["", "#unit=99999&time=-3", "#edits=%7B%5B", "#view=nonsense"]) {
    const { unit, time, view } = stateOf(model.doc, text);
    const first = start(model.doc);
    assert.ok(unit >= 0 && unit < model.doc.layers[0].hidden && time >= 0 && view === first.view, text);
  }
});

test("edits as a sentence and as Python", () => {
  assert.match(sentence(model.doc, edit(0.25)), /0\.25/);
  assert.match(pythonOf(model.doc, [edit(0.25)]), /byhand\.edit/);
});

test("a bare word in the address is a view, or what the tour is for, and comes back", () => {
  const { doc } = model;
  assert.deepEqual([stateOf(doc, "#tour&class").view, stateOf(doc, "#tour&class").lesson], ["tour", "class"]);
  assert.equal(stateOf(doc, "#ledger").view, "ledger");
  assert.equal(stateOf(doc, "#tour&klass").lesson, "");
  for (const lesson of ["", "class", "check"] as const) {
    assert.equal(stateOf(doc, fragmentOf(doc, { ...start(doc), view: "tour", lesson })).lesson, lesson);
  }
});

test("the Ledger stands at the last step where none is said, and at the one that is", () => {
  const { doc } = model;
  const last = doc.items[0].steps - 1;
  assert.equal(stateOf(doc, "#view=ledger").time, last);
  for (const time of [0, 1, last]) {
    for (const view of ["ledger", "unit"] as const) {
      assert.equal(stateOf(doc, fragmentOf(doc, { ...start(doc), view, time })).time, time);
    }
  }
});

test("first opened in the page, the Ledger goes to the last step, unless a step was chosen", () => {
  const last = model.doc.items[0].steps - 1;
  const store = makeStore(model);
  store.set({ view: "ledger" });
  assert.equal(store.state.time, last);
  store.set({ time: 0 });
  store.set({ view: "unit" });
  store.set({ view: "ledger" });
  assert.equal(store.state.time, 0);
  const chosen = makeStore(model);
  chosen.set({ time: 2 });
  chosen.set({ view: "ledger" });
  assert.equal(chosen.state.time, 2);
});

test("marks and the question of “Find units” come back from the address, bounded", () => {
  const { doc } = model;
  const marks = [
    { item: 0, span: [1, 3] as [number, number] },
    { item: 1, span: [0, 0] as [number, number] },
  ];
  const finding = { all: true, period: 12.5, track: "inside ~,quotes" };
  const fragment = fragmentOf(doc, { ...start(doc), marks, finding });
  assert.match(fragment, /marks=0~1~3,1~0~0&find=all~12\.5~inside%20%7E%2Cquotes$/);
  const again = stateOf(doc, fragment);
  assert.deepEqual([again.marks, again.finding, again.note], [marks, finding, ""]);
  const many = Array.from({ length: 100 }, (_, k) => ({ item: 0, span: [0, k % 4] as [number, number] }));
  const short = fragmentOf(doc, { ...start(doc), marks: many });
  assert.ok(short.length < 400, `${short.length} letters`);
  assert.deepEqual(stateOf(doc, short).marks, many.slice(-40));
});

test("what of an address cannot be read is left out, and named once; the rest opens", () => {
  const { doc } = model;
  const whole: [text: string, left: string][] = [
    ["#view=layer&unit=1&time=2&span=1~3", ""],
    ["#tour&class", ""],
    ["#view=layer&unit=1&marks=0~1~2,9999~1~2,x,0~1", "marks"],
    ["#view=layer&unit=1&find=some~1~column", "find"],
    ["#view=layer&unit=1&find=all", "find"],
    ["#view=layer&unit=1&find=all~-3~column", "find"],
    [`#view=layer&unit=1&find=~~${"x".repeat(200)}`, "find"],
    ["#view=layer&unit=1&later=3", "later"],
    [`#view=layer&unit=1&edits=${place}.${site}~1~0~0.5,what`, "edits"],
    ["#view=layer&unit=1&marks=%E0%A4%A&find=%E0%A4%A&<b>=1", "<b>, marks, find"],
  ];
  for (const [text, left] of whole) {
    const { note, view, unit, marks } = stateOf(doc, text);
    assert.equal(note, left && `Not all of the link could be read; left out: ${left}.`, text);
    if (text.includes("layer")) assert.deepEqual([view, unit], ["layer", 1], text);
    if (left === "marks") assert.deepEqual(marks, [{ item: 0, span: [1, 2] }]);
  }
});

test("marks of a sequence of one's own are in the link as long as that sequence is", () => {
  const { doc } = model;
  const last = doc.items.length;
  const shown = {
    ...start(doc),
    marks: [
      { item: 0, span: [0, 1] as [number, number] },
      { item: last, span: [1, 2] as [number, number] },
    ],
  };
  assert.equal(stateOf(doc, fragmentOf(doc, { ...shown, item: 0 })).marks.length, 1);
});
