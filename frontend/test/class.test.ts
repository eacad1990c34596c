/** What a class leaves: the stages that were solved, and the code. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { STAGES } from "../src/state/address";
import { checked, codeOf, dayOf } from "../src/state/code";
import { type Kept, kept } from "../src/state/kept";
import { Progress } from "../src/state/progress";

const DAY = new Date(2026, 11, 1, 23, 59);

function shelf(text: string | null = null): Kept & { text: string | null } {
  const made = { text, read: () => made.text, write: (_: string, written: string) => void (made.text = written) };
  return made;
}

test("the code of a name and a day gives the day back, however both are typed", () => {
  const code = codeOf("Ada Lovelace", DAY);
  assert.equal(code, "2EYS-17CR"); // of the placeholder, and of docs/teaching.md
  for (const [name, typed] of [
    ["Ada Lovelace", code],
    ["  ada   LOVELACE ", code.toLowerCase()],
    ["Ada Lovelace", "2eys i7cr"],
    ["Ada Lovelace", "2EYSL7CR"],
  ]) {
    assert.equal(dayOf(name, typed), "2026-12-01");
  }
});

test("another name, another day, a slip: no code", () => {
  const code = codeOf("Ada Lovelace", DAY);
  assert.equal(dayOf("Ada Lovelac", code), null);
  assert.equal(dayOf("Ada Lovelace", code.slice(0, -1)), null);
  assert.equal(dayOf("Ada Lovelace", "UUUU-UUUU"), null);
  for (let place = 0; place < code.length; place++) {
    if (code[place] === "-") continue;
    const slip = code.slice(0, place) + (code[place] === "7" ? "8" : "7") + code.slice(place + 1);
    assert.equal(dayOf("Ada Lovelace", slip), null, slip);
  }
  assert.notEqual(codeOf("Ada Lovelace", new Date(2026, 11, 2)), code);
});

test("of many names hardly two have the same code", () => {
  const codes = Array.from({ length: 2000 }, (_, number) => codeOf(String(number), DAY));
  assert.ok(new Set(codes).size >= 1999);
});

test("every day from 2020 on for eighty years", () => {
  for (let day = 0; day < 365 * 80; day += 101) {
    const now = new Date(2020, 0, 1 + day, 12);
    const iso = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
    assert.equal(dayOf("7b", codeOf("7b", now)), iso);
  }
});

test("a teacher's lines", () => {
  const code = codeOf("Ada Lovelace", DAY);
  assert.deepEqual(
    checked(`Ada Lovelace, ${code}\n\nBen ${code}.\r\nAda Lovelace:${code.replace("-", " ")}\nnobody\n7 ${codeOf("7", DAY)}`),
    [
      { name: "Ada Lovelace", code, day: "2026-12-01" },
      { name: "Ben", code, day: null },
      { name: "Ada Lovelace", code, day: "2026-12-01" },
      { name: "nobody", code: null, day: null },
      { name: "7", code: codeOf("7", DAY), day: "2026-12-01" },
    ],
  );
});

test("progress is kept, goes on, and is forgotten when asked to", () => {
  const place = shelf();
  const first = new Progress(place);
  assert.equal(first.next, 0);
  for (const stage of [0, 1, 3, 1]) first.add(stage);
  const second = new Progress(place);
  assert.deepEqual([second.next, second.count, second.has(3), second.has(2)], [2, 3, true, false]);
  second.clear();
  assert.equal(new Progress(place).count, 0);
  for (let stage = 0; stage < STAGES; stage++) second.add(stage);
  assert.equal(new Progress(place).next, STAGES);
});

test("what others wrote there, or a browser that keeps nothing, is no progress and no error", () => {
  for (const text of ["", "x", "{}", "null", "[99, -1, 0.5, null, 2]"]) assert.ok(new Progress(shelf(text)).count <= 1, text);
  const refusing = kept(() => {
    throw new Error("SecurityError");
  });
  const progress = new Progress(refusing);
  progress.add(0);
  assert.ok(progress.has(0) && new Progress(refusing).count === 0);
});
