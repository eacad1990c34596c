/** Matrix times vector, and times many vectors at once: where the page spends its time. */

import type { Matrix } from "../document/read";

/** out = matrix · vector + bias. Four rows at a time: four sums that need not wait for each other are three times as fast as one. */
export function multiply(out: Float64Array, { rows, columns, data }: Matrix, vector: Float64Array, bias: Matrix | null): void {
  if (bias) out.set(bias.data);
  else out.fill(0);
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
    out[r] += a;
    out[r + 1] += b;
    out[r + 2] += c;
    out[r + 3] += d;
  }
  for (; r < rows; r++) {
    let sum = 0;
    for (let j = 0, k = r * columns; j < columns; j++, k++) sum += data[k] * vector[j];
    out[r] += sum;
  }
}

/** The same for `count` vectors that lie one after the other, out likewise: four of them share each weight that is read. */
export function multiplyAll(out: Float64Array, matrix: Matrix, vectors: Float64Array, count: number, bias: Matrix | null): void {
  const { rows, columns } = matrix;
  const whole = rows % 4 === 0 ? count - (count % 4) : 0;
  if (whole) multiplyFours(out, matrix, vectors, whole);
  if (bias && whole) {
    for (let n = 0; n < whole; n++) for (let r = 0; r < rows; r++) out[n * rows + r] += bias.data[r];
  }
  for (let n = whole; n < count; n++) {
    multiply(out.subarray(n * rows, (n + 1) * rows), matrix, vectors.subarray(n * columns, (n + 1) * columns), bias);
  }
}

/** Four rows by four vectors: sixteen sums, for eight numbers read. */
function multiplyFours(out: Float64Array, { rows, columns, data }: Matrix, vectors: Float64Array, count: number): void {
  for (let n = 0; n < count; n += 4) {
    for (let r = 0; r < rows; r += 4) {
      let [k, q] = [r * columns, n * columns];
      let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
      for (let j = 0; j < columns; j++, k++, q++) {
        const v0 = vectors[q];
        const v1 = vectors[q + columns];
        const v2 = vectors[q + 2 * columns];
        const v3 = vectors[q + 3 * columns];
        const a = data[k];
        const b = data[k + columns];
        const c = data[k + 2 * columns];
        const d = data[k + 3 * columns];
        a0 += a * v0;
        a1 += a * v1;
        a2 += a * v2;
        a3 += a * v3;
        b0 += b * v0;
        b1 += b * v1;
        b2 += b * v2;
        b3 += b * v3;
        c0 += c * v0;
        c1 += c * v1;
        c2 += c * v2;
        c3 += c * v3;
        d0 += d * v0;
        d1 += d * v1;
        d2 += d * v2;
        d3 += d * v3;
      }
      out.set([a0, b0, c0, d0], n * rows + r);
      out.set([a1, b1, c1, d1], (n + 1) * rows + r);
      out.set([a2, b2, c2, d2], (n + 2) * rows + r);
      out.set([a3, b3, c3, d3], (n + 3) * rows + r);
    }
  }
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
