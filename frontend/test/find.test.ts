/** Units that carry a track, and places where the same units are on: as Python's explain.find_units and explain.match. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type FoundUnits, findUnits } from "../src/model/find_units";
import { Turning } from "../src/model/fourier";
import { better, onIn, placesOf } from "../src/model/match";
import { seriesTracks, since, textTracks } from "../src/model/tracks";
import type { Values } from "../src/model/types";
import { type FindingCase, finding } from "./fixture";

const UNITS = 6;

const table = (data: number[], width = UNITS): Values => ({
  steps: data.length / width,
  width,
  every: 1,
  units: null,
  error: null,
  data: Float64Array.from(data),
});

function tracksOf({ characters, marked, numbers, period }: FindingCase): Map<string, Float64Array[]> {
  const made = (characters ?? numbers ?? []).map((_, item) => {
    if (characters) return textTracks(characters[item]).set("marked", Float64Array.from(marked![item]));
    const found = seriesTracks(table(numbers![item], 1), [0], String, period ?? 0);
    return found.set("since event", since(found.get("level")!.map((_, time) => Number(time % 17 === 3))));
  });
  return new Map(Array.from(made[0].keys(), (name) => [name, made.map((one) => one.get(name)!)]));
}

function finished(steps: Generator<number, FoundUnits>): FoundUnits {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

test("scores, order and p are those of explain.find_units", () => {
  for (const one of finding) {
    const tables = new Map(Object.entries(one.values).map(([site, items]) => [site, items.map((data) => table(data))]));
    const found = finished(findUnits(tables, tracksOf(one)));
    assert.deepEqual([...found.leftOut.keys()].sort(), one.left_out);
    assert.deepEqual([found.steps, found.shifts], [one.steps, one.shifts]);
    assert.equal(found.rows.length, one.rows.length);
    const key = (site: string, unit: number, track: string): string => `${site} ${unit} ${track}`;
    const ours = new Map(found.rows.map((row) => [key(row.site, row.unit, row.track), row]));
    one.rows.forEach(([site, unit, track, chosen, score, auc, p], k) => {
      const row = ours.get(key(site, unit, track))!;
      for (const [is, be, within] of [
        [row.chosen, chosen, 1e-9],
        [row.score, score ?? NaN, 1e-9],
        [row.auc ?? NaN, auc ?? NaN, 1e-9],
        [row.p, p ?? NaN, 1e-7], // Python's is a float32; one turn more or less is 1 / (1 + shifts)
      ]) {
        assert.ok(Object.is(is, be) || Math.abs(is - be) < within, `${site} ${unit} ${track}: ${is}, not ${be}`);
      }
      assert.ok(Math.abs(Math.abs(found.rows[k].chosen) - Math.abs(chosen)) < 1e-9, "the best first");
    });
  }
});

test("places, their order, units and others are those of explain.match", () => {
  let [places, empty] = [0, 0];
  for (const { values, matches } of finding) {
    for (const { item, steps, site, threshold, units, places: right } of matches) {
      const items = values[site].map((data) => table(data));
      const span = { item, steps, threshold };
      const columns = onIn(items[item], span);
      assert.deepEqual(columns, units);
      const size = steps[1] - steps[0];
      const found = columns.length ? items.flatMap((one, k) => placesOf(one, k, span, columns)) : [];
      found.sort((a, b) => better(a, b, size));
      assert.deepEqual(
        found.map((one) => [one.item, one.steps, one.units, one.others]),
        right,
      );
      places += right.length;
      empty += Number(!units.length);
    }
  }
  assert.ok(places > 500 && empty < 20, `${places} places, ${empty} spans without units`);
});

test("products with a row turned round are those that are summed one by one", () => {
  const [first, second, row] = [3, 5, 7].map((by) => Float64Array.from({ length: 23 }, (_, k) => Math.sin(by * k * k)));
  const turning = new Turning(23);
  const [one, other] = [new Float64Array(23), new Float64Array(23)];
  turning.products(turning.spectrum(first, second), turning.spectrum(row), one, other);
  for (let s = 0; s < 23; s++) {
    const sum = (a: Float64Array): number => a.reduce((total, value, t) => total + value * row[(t - s + 23) % 23], 0);
    assert.ok(Math.abs(one[s] - sum(first)) < 1e-12 && Math.abs(other[s] - sum(second)) < 1e-12);
  }
});

test("what cannot be compared says why", () => {
  const values = new Map([["h", [table(Array.from({ length: UNITS * 30 }, (_, k) => Math.sin(k)))]]]);
  assert.throws(() => finished(findUnits(values, new Map())), /15 and 15 steps/);
  const longer = new Map([["h", [table(Array.from({ length: UNITS * 80 }, (_, k) => Math.sin(k)))]]]);
  const flat = new Map([["digit", [new Float64Array(80)]]]);
  assert.throws(() => finished(findUnits(longer, flat)), /no track to compare: digit, which is always 0 in a half/);
});
