/** Matrix times vector, and times many vectors: where the page spends its time. */

import type { Matrix } from "../document/read";
import { COLUMNS, productModule, ROWS, type Times } from "./wasm";

/** out = matrix · vector + bias, in float64. */
export function multiply(out: Float64Array, matrix: Matrix, vector: Float64Array, bias: Matrix | null): void {
  multiplyAll(out, matrix, vector, 1, bias);
}

/** The same for `count` vectors that lie one after the other, out likewise. The matrix's numbers must never change. */
export function multiplyAll(out: Float64Array, matrix: Matrix, vectors: Float64Array, count: number, bias: Matrix | null): void {
  const { rows, columns } = matrix;
  const fast = rows * columns < WORTH_WHILE ? null : fastProduct(matrix);
  for (let n = 0; n < count; n++) {
    const sums = out.subarray(n * rows, (n + 1) * rows);
    const vector = vectors.subarray(n * columns, (n + 1) * columns);
    if (fast) fast(sums, vector);
    else plainProduct(sums, matrix, vector);
    if (bias) for (let r = 0; r < rows; r++) sums[r] += bias.data[r];
  }
}

const WORTH_WHILE = 1024; // weights: below, what goes to and fro costs more than it saves

/** Four rows at a time: four sums that need not wait for each other are three times as fast as one. */
function plainProduct(out: Float64Array, { rows, columns, data }: Matrix, vector: Float64Array): void {
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    let k = r * columns;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let j = 0; j < columns; j++, k++) {
      const value = vector[j];
      a += data[k] * value;
      b += data[k + columns] * value;
      c += data[k + 2 * columns] * value;
      d += data[k + 3 * columns] * value;
    }
    out[r] = a;
    out[r + 1] = b;
    out[r + 2] = c;
    out[r + 3] = d;
  }
  for (; r < rows; r++) {
    let sum = 0;
    for (let j = 0, k = r * columns; j < columns; j++, k++) sum += data[k] * vector[j];
    out[r] = sum;
  }
}

type Product = (out: Float64Array, vector: Float64Array) => void;

interface Module extends Record<"doubles" | "singles", Times> {
  memory: WebAssembly.Memory;
}

const PAGE = 2 ** 16; // bytes that a memory grows by
const START = 4 * PAGE; // of the matrices; before it a vector and its sums
const MOST = 2 ** 26; // bytes of matrices that are kept; then their place is used again from its start
const LARGEST = MOST / 4; // so that a layer's three matrices have room beside each other

const placed = new Map<Matrix["data"], number>(); // the address of each matrix that lies in the module's memory
let next = 0; // bytes of them
let loaded: Module | null | undefined;

/** null where the browser has no WebAssembly with pairs of doubles, or forbids it, and where the matrix is too large. */
function fastProduct({ rows, columns, data }: Matrix): Product | null {
  if (loaded === undefined) loaded = load();
  if (!loaded) return null;
  const { memory, doubles, singles } = loaded;
  const [size, times] = data instanceof Float32Array ? [4, singles] : [8, doubles];
  const [high, wide] = [upTo(rows, ROWS), upTo(columns, COLUMNS)];
  if (size * high * wide > LARGEST || 8 * (high + wide) > START) return null;
  const at = placed.get(data) ?? place(memory, { rows, columns, data }, high, wide);
  if (at === null) return null;
  const numbers = new Float64Array(memory.buffer, 0, wide + high);
  numbers.fill(0, columns, wide);
  return (out, vector) => {
    numbers.set(vector);
    times(at, 0, 8 * wide, size * wide, high / ROWS);
    out.set(numbers.subarray(wide, wide + rows));
  };
}

/** Copies a matrix into the memory, filled up with zeros to `high` rows and `wide` columns. Its address; null where the browser gives no
 *  more memory. */
function place(memory: WebAssembly.Memory, { rows, columns, data }: Matrix, high: number, wide: number): number | null {
  const Kind = data instanceof Float32Array ? Float32Array : Float64Array;
  const bytes = Kind.BYTES_PER_ELEMENT * high * wide;
  if (next + bytes > MOST) {
    placed.clear();
    next = 0;
  }
  const at = START + next;
  const missing = Math.ceil((at + bytes - memory.buffer.byteLength) / PAGE);
  try {
    if (missing > 0) memory.grow(missing);
  } catch {
    return null;
  }
  next += bytes; // a multiple of 16, as are all rows
  const to = new Kind(memory.buffer, at, high * wide).fill(0);
  for (let r = 0; r < rows; r++) to.set(data.subarray(r * columns, (r + 1) * columns), r * wide);
  placed.set(data, at);
  return at;
}

function load(): Module | null {
  try {
    const module = new WebAssembly.Module(productModule());
    return new WebAssembly.Instance(module).exports as unknown as Module;
  } catch {
    return null;
  }
}

function upTo(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** out += matrixᵀ · vector, the matrix row after row. */
export function multiplyTransposed(out: Float64Array, { data }: Matrix, vector: Float64Array): void {
  const width = out.length;
  for (let r = 0; r < vector.length; r++) {
    const factor = vector[r];
    if (factor === 0) continue;
    for (let c = 0, k = r * width; c < width; c++, k++) out[c] += data[k] * factor;
  }
}
