/** Numbers and words as the page writes them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { brief, count, figure, percent, say, visible } from "../src/text/format";

const same = <One>(write: (value: One) => string, pairs: [One, string][]): void => {
  for (const [value, text] of pairs) assert.equal(write(value), text);
};

test("about four digits, a real minus sign, words for what is no number", () => {
  same(say, [
    [0, "0.000"],
    [-0.00001, "−1.0e−5"],
    [0.12345, "0.123"],
    [-12.345, "−12.35"],
    [123.45, "123.5"],
    [1e6, "1.0e6"],
  ]);
  same(say, [
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "∞"],
    [Number.NEGATIVE_INFINITY, "−∞"],
    [-0.0001 / 1e9, "−1.0e−13"],
  ]);
});

test("two decimals, more where it is small, fewer where it is large", () => {
  same(figure, [
    [0, "0.00"],
    [0.5, "0.50"],
    [-0.0042, "−0.004"],
    [123.45, "123.5"],
    [4321, "4321"],
    [2e7, "2.0e+7"],
    [null, "–"],
    [-0.001, "−0.001"],
  ]);
});

test("no more digits than needed at the end of a scale", () =>
  same(brief, [
    [1, "1"],
    [0.5, "0.5"],
    [-2.25, "−2.25"],
    [100, "100"],
  ]));

test("shares in percent", () =>
  same(percent, [
    [1, "100 %"],
    [0.5, "50 %"],
    [0.034, "3.4 %"],
    [0.0001, "0 %"],
  ]));

test("characters that cannot be seen, and plurals", () => {
  same(visible, [
    [" ", "␣"],
    ["\n", "↵"],
    ["a", "a"],
    ["", "∅"],
  ]);
  assert.deepEqual([count(1, "unit"), count(1200, "step")], ["1 unit", "1,200 steps"]);
});
