/** The text in lines, the units that are worth a look, and colours that can be written on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Colour, type Palette, packed, type Scheme } from "../src/charts/colours";
import { contrast, scaledTo, tinted } from "../src/charts/tint";
import type { CellDoc } from "../src/document/schema";
import { correlations, interesting, momentsOf } from "../src/model/lens";
import type { Values } from "../src/model/types";
import { beside, lanes, symbolAt, wrap } from "../src/text/wrap";

const of = (text: string): string[] => [...text].map((one) => ({ " ": "␣", "\n": "↵" })[one] ?? one);

function linesOf(text: string, columns: number): string[] {
  const symbols = of(text);
  const { first, lines } = wrap(symbols, columns, true);
  return Array.from({ length: lines }, (_, line) => symbols.slice(first[line], first[line + 1]).join(""));
}

test("a line ends before a word, at a line's end, and within a word that is too long", () => {
  assert.deepEqual(linesOf("the cat sat", 8), ["the␣cat␣", "sat"]);
  assert.deepEqual(linesOf("the cat sat", 7), ["the␣", "cat␣sat"]);
  assert.deepEqual(linesOf("a\n\nbc\n", 8), ["a↵", "↵", "bc↵"]);
  assert.deepEqual(linesOf("abcdefghijkl", 5), ["abcde", "fghij", "kl"]);
  assert.deepEqual(linesOf(`a ${"b".repeat(40)}`, 30), [`a␣${"b".repeat(28)}`, "b".repeat(12)], "no line is left nearly empty");
  assert.deepEqual(linesOf("", 5), [""]);
});

test("every symbol stands in one place, within the line, and is found there again", () => {
  const text = Array.from({ length: 3000 }, (_, k) => "ab c\nd漢"[(k * k * 7 + 3 * k) % 7]).join("");
  for (const columns of [8, 13, 60]) {
    const symbols = of(text);
    const grid = wrap(symbols, columns, true);
    for (let k = 0; k < symbols.length; k++) {
      assert.ok(grid.from[k] + grid.cells[k] <= columns);
      assert.equal(symbolAt(grid, grid.line[k], grid.from[k]), k);
      assert.ok(grid.first[grid.line[k]] <= k && k < grid.first[grid.line[k] + 1]);
      if (k && grid.line[k] === grid.line[k - 1]) assert.equal(grid.from[k], grid.from[k - 1] + grid.cells[k - 1]);
      assert.equal(grid.cells[k], symbols[k] === "漢" ? 2 : 1);
    }
    assert.equal(symbolAt(grid, 0, 10_000), grid.first[1] - 1, "beside the line: its last");
    assert.equal(symbolAt(grid, 10_000, 10_000), symbols.length - 1);
    assert.equal(grid.line[beside(grid, 0, 1)], 1);
  }
});

test("words stand with a cell between them, and numbers in lanes", () => {
  const grid = wrap(["the", "cat", "sat"], 8, false);
  assert.deepEqual(
    [[...grid.cells], [...grid.line], [...grid.from]],
    [
      [4, 4, 4],
      [0, 0, 1],
      [0, 4, 0],
    ].map((one) => one),
  );
  const lane = lanes(7, 3);
  assert.deepEqual(
    [[...lane.line], [...lane.from], [...lane.first]],
    [
      [0, 0, 0, 1, 1, 1, 2],
      [0, 1, 2, 0, 1, 2, 0],
      [0, 3, 6, 7],
    ],
  );
});

function table(columns: number[][]): Values {
  const [width, steps] = [columns.length, columns[0].length];
  const data = Float64Array.from({ length: steps * width }, (_, k) => columns[k % width][Math.floor(k / width)]);
  return { steps, width, every: 1, units: null, error: null, data };
}

test("units by how much they vary, go with another, or stand out", () => {
  const wave = Array.from({ length: 64 }, (_, k) => Math.sin(k / 3));
  const values = table([
    wave,
    wave.map((one) => -2 * one + 1),
    wave.map((_, k) => (k === 40 ? 5 : 0)),
    wave.map(() => 3),
    wave.map(() => NaN),
  ]);
  const { mean, deviation } = momentsOf(values);
  const average = wave.reduce((a, b) => a + b, 0) / 64;
  assert.ok(Math.abs(mean[0] - average) < 1e-12);
  assert.ok(Math.abs(deviation[0] - Math.sqrt(wave.reduce((sum, one) => sum + (one - average) ** 2, 0) / 64)) < 1e-12);
  const found = correlations(values, 0);
  assert.ok(Math.abs(found[1] + 1) < 1e-12 && found[3] === 0 && Math.abs(found[0] - 1) < 1e-12);
  assert.deepEqual(
    interesting(values, "vary", 0, 0, 2).map(({ column }) => column),
    [1, 0],
  );
  assert.deepEqual(interesting(values, "like", 0, 0, 1), [{ column: 1, measure: found[1] }]);
  assert.equal(interesting(values, "here", 0, 40, 1)[0].column, 2);
  assert.ok(
    interesting(values, "vary", 0, 0, 9).every(({ column }) => column !== 4),
    "what is not a number is left out",
  );
});

const LIGHT = {
  zero: "#ffffff",
  ink: "#17202a",
  f: "#0072b2",
  i: "#009e73",
  g: "#e69f00",
  o: "#cc79a7",
  brown: "#8c510a",
  teal: "#01665e",
  slate: "#5b6b7c",
};
const DARK = {
  zero: "#171d25",
  ink: "#e9eef4",
  f: "#2f93d0",
  i: "#16b184",
  g: "#e8a91f",
  o: "#d68db5",
  brown: "#d99a4e",
  teal: "#3fc4b2",
  slate: "#8fa0b2",
};

const rgb = (text: string): Colour => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)) as unknown as Colour;

test("the ink can be read on every colour of the lens, in both looks", () => {
  for (const look of [LIGHT, DARK]) {
    const palette = Object.fromEntries(Object.entries(look).map(([name, text]) => [name, rgb(text)])) as Palette;
    for (const [low, stops] of [
      [-1, [palette.brown, palette.zero, palette.teal]],
      [-1, [palette.slate, palette.zero, palette.g]],
      ...(["f", "i", "o", "slate"] as const).map((name) => [0, [palette.zero, palette[name]]]),
    ] as [number, Colour[]][]) {
      const mixed = (k: number): Colour => {
        const along = (k / 255) * (stops.length - 1);
        const at = Math.min(Math.floor(along), stops.length - 2);
        return [0, 1, 2].map((part) => stops[at][part] + (stops[at + 1][part] - stops[at][part]) * (along - at)) as unknown as Colour;
      };
      const scheme: Scheme = {
        table: Uint32Array.from({ length: 256 }, (_, k) => packed(mixed(k))),
        low,
        high: 1,
        colours: [],
        swatch: "",
        beyond: null,
      };
      const { table } = tinted(scheme, palette);
      for (const word of table) {
        const colour: Colour = [word & 255, (word >> 8) & 255, (word >> 16) & 255];
        assert.ok(contrast(colour, palette.ink) >= 4.45, `${colour} under ${palette.ink}: ${contrast(colour, palette.ink)}`);
      }
      assert.notEqual(table[255], packed(palette.zero), "the strongest is not pale");
    }
  }
});

test("a memory is scaled to what its unit does, a gate keeps its own range", () => {
  const values = table([
    [0.1, -0.2, 0.1, 0.1],
    [5, 5, 5, 5],
  ]);
  const scheme: Scheme = { table: new Uint32Array(256), low: -1, high: 1, colours: [], swatch: "", beyond: null };
  const cell = { ranges: { f: "share", c: "free" } } as unknown as CellDoc;
  assert.equal(scaledTo(scheme, cell, "c", values, 0).high, 0.2);
  assert.equal(scaledTo(scheme, cell, "c", values, 1).low, -5);
  assert.equal(scaledTo(scheme, cell, "f", values, 0), scheme);
  assert.equal(scaledTo(scheme, cell, "c", values, -1), scheme);
});
