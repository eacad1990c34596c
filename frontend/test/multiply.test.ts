/** Products of matrices with vectors, by WebAssembly and without it: against sums that are added one after the other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Matrix } from "../src/document/read";
import { multiplyAll } from "../src/model/multiply";
import { productModule } from "../src/model/wasm";

type Kind = typeof Float32Array | typeof Float64Array;

let seed = 1;
function random(): number {
  seed = (seed * 48271) % 2147483647;
  return seed / 2147483647 - 0.5;
}

function matrixOf(Kind: Kind, rows: number, columns: number): Matrix {
  return { rows, columns, data: new Kind(rows * columns).map(random) };
}

/** How far the product of a matrix with so many random vectors, plus a bias, is from its sums. */
function error(multiply: typeof multiplyAll, matrix: Matrix, count: number): number {
  const { rows, columns, data } = matrix;
  const vectors = new Float64Array(count * columns).map(random);
  const bias = matrixOf(Float64Array, 1, rows);
  const found = new Float64Array(count * rows).fill(NaN);
  multiply(found, matrix, vectors, count, bias);
  let worst = 0;
  for (let n = 0; n < count; n++)
    for (let r = 0; r < rows; r++) {
      let sum = bias.data[r];
      for (let j = 0; j < columns; j++) sum += data[r * columns + j] * vectors[n * columns + j];
      const off = Math.abs(found[n * rows + r] - sum);
      worst = Math.max(worst, off);
    }
  return worst;
}

const SIZES = [
  [1, 1],
  [3, 5],
  [33, 31],
  [64, 64],
  [101, 259],
  [1024, 256],
];

for (const Kind of [Float32Array, Float64Array])
  test(`${Kind.name}: products at odd sizes`, () => {
    for (const [rows, columns] of SIZES)
      for (const count of [1, 3]) assert.ok(error(multiplyAll, matrixOf(Kind, rows, columns), count) < 1e-12);
  });

test("the module is one that a browser takes, small enough to be made while it waits", () => {
  assert.ok(WebAssembly.validate(productModule()));
  assert.ok(productModule().length < 4096);
});

test("more matrices than are kept at once, and one that is too large to be", () => {
  const many = Array.from({ length: 40 }, () => matrixOf(Float64Array, 1023, 257)); // 84 MB
  for (const turn of [0, 1]) for (const one of many) assert.ok(error(multiplyAll, one, 1) < 1e-12, `turn ${turn}`);
  assert.ok(error(multiplyAll, matrixOf(Float32Array, 4200, 1030), 1) < 1e-12);
});

test("where WebAssembly is forbidden the same values come from JavaScript", async () => {
  const { Module } = WebAssembly;
  let asked = 0;
  WebAssembly.Module = class {
    constructor() {
      asked += 1;
      throw new EvalError("forbidden");
    }
  } as unknown as typeof WebAssembly.Module;
  try {
    const plain = (await import(`../src/model/multiply.ts?${asked}`)) as { multiplyAll: typeof multiplyAll };
    for (const [rows, columns] of SIZES) assert.ok(error(plain.multiplyAll, matrixOf(Float32Array, rows, columns), 2) < 1e-12);
    assert.equal(asked, 1); // asked once, not at every product
  } finally {
    WebAssembly.Module = Module;
  }
});
