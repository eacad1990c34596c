/** Numbers and words as the page writes them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { about, brief, count, figure, percent, typed, visible } from "../src/text/format";

const same = <One>(write: (value: One) => string, pairs: [One, string][]): void => {
  for (const [value, text] of pairs) assert.equal(write(value), text);
};

test("two decimals, more where it is small, fewer where it is large", () => {
  same(figure, [
    [0, "0.00"],
    [0.5, "0.50"],
    [-0.0042, "−0.004"],
    [123.45, "123.5"],
    [4321, "4321"],
    [2e7, "2.0e7"],
    [-1e-9, "−1e−9"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "−∞"],
    [null, "–"],
    [-0.001, "−0.001"],
  ]);
});

test("no digit that is not certain", () => {
  const write = ([value, error]: [number, number]): string => figure(value, error);
  same(write, [
    [[0.9939, 0.0001], "0.99"],
    [[0.893, 0.004], "0.9"],
    [[0.5, 0.002], "0.50"],
    [[0.495, 0.002], "0.5"],
    [[-0.001, 0.0005], "0.00"],
    [[-0.5, 0.02], "−0.5"],
    [[12.2, 0.2], "12"],
    [[0.45, 0.2], "≈0.5"],
    [[1e9, 1e3], "≈1000000000"],
  ]);
  for (let k = 0; k < 2000; k++) {
    const [value, error, share] = [2 * Math.random() - 1, 10 ** (-5 + 4 * Math.random()), 2 * Math.random() - 1];
    const text = figure(value, error).replace("−", "-");
    if (text.startsWith("≈")) continue;
    const digits = (text.split(".")[1] ?? "").length;
    assert.equal(Number((value + share * error).toFixed(digits)) + 0, Number(text) + 0, `${value} ± ${error}`);
  }
  assert.deepEqual([percent(0.893, 0.001), percent(0.893, 0.004)], ["89 %", "≈90 %"]);
  assert.equal(about(0.0347), "≈0.03");
});

test("what somebody has set stands in full", () =>
  same(typed, [
    [0.125, "0.125"],
    [-0.00001, "−0.00001"],
    [1, "1"],
  ]));

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
