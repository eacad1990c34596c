/** The axes: round marks, ends that go out to them, powers of ten, and lines with gaps. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { linear, logarithmic, pathOf, ticks } from "../src/charts/scale";

test("marks are 1, 2 or 5 times a power of ten, within the ends", () => {
  assert.deepEqual(ticks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(0, 1, 10), [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  assert.deepEqual(ticks(-0.7, 0.3, 4), [-0.6, -0.4, -0.2, 0, 0.2]);
  assert.deepEqual(ticks(0, 1999, 8), [0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800]);
  assert.deepEqual(ticks(3, 3, 5), [3]);
  assert.deepEqual(ticks(1, 0, 5), []);
  for (let k = 1; k < 400; k++) {
    const [from, to] = [-k / 7, k ** 1.7 / 3];
    const found = ticks(from, to, 6);
    assert.ok(found.length >= 4 && found.length <= 10, `${from} ${to}: ${found.join(" ")}`);
    assert.ok(found[0] >= from && found[found.length - 1] <= to);
    const leads = new Set(found.slice(1).map((one, at) => (one - found[at]).toExponential(6).slice(0, 4)));
    assert.equal(leads.size, 1);
    assert.ok(["1.00", "2.00", "5.00"].includes([...leads][0]), [...leads][0]);
  }
});

test("a linear axis: places and back, and round ends", () => {
  const scale = linear([2, 4], [10, 110]);
  assert.equal(scale(3), 60);
  assert.equal(scale.invert(60), 3);
  assert.deepEqual(linear([0.13, 0.94], [0, 1], 10).domain, [0.1, 1]);
  assert.deepEqual(linear([-3.2, 17], [0, 1], 5).domain, [-5, 20]);
  assert.deepEqual(linear([0, 1], [0, 1], 5).domain, [0, 1]);
  assert.equal(linear([5, 5], [0, 100])(5), 50);
});

test("a logarithmic axis: equal ratios are equally far, beyond the ends it stays", () => {
  const scale = logarithmic([0.02, 30], [0, 400]);
  assert.deepEqual(scale.domain, [0.01, 100]);
  assert.ok(Math.abs(scale(1) - 200) < 1e-9 && Math.abs(scale(0.1) - 100) < 1e-9);
  assert.deepEqual(scale.ticks(4), [0.01, 0.1, 1, 10, 100]);
  assert.equal(scale(1e-9), 0);
  assert.equal(logarithmic([1e-13, 100], [150, 0], false)(1e-30), 150);
});

test("a line has gaps where there is no point, and a single point is drawn", () => {
  assert.equal(pathOf([[0, 1], [1, 2.00004], null, [3, 4], null, [5, 6], [7, 8]]), "M0,1L1,2M3,4ZM5,6L7,8");
  assert.equal(pathOf([]), "");
});
