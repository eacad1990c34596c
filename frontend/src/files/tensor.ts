/** What the readers of files give: numbers with a shape, by name. */

import { half, type Numbers } from "../document/read";

export interface Tensor {
  shape: number[];
  values: Numbers;
}

/** A file that cannot be opened; the message is for people. */
export class UnreadableFile extends Error {}

/** How numbers lie in a file, little-endian, by safetensors' names. */
export const WIDTHS: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

export function sizeOf(shape: number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The numbers in these bytes, which are as many as the shape says. */
export function tensorOf(kind: string, shape: number[], bytes: Uint8Array): Tensor {
  const count = sizeOf(shape);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (kind === "F64") return { shape, values: Float64Array.from({ length: count }, (_, k) => view.getFloat64(8 * k, true)) };
  const values = new Float32Array(count);
  if (kind === "F32") for (let k = 0; k < count; k++) values[k] = view.getFloat32(4 * k, true);
  else if (kind === "F16") for (let k = 0; k < count; k++) values[k] = half(view.getUint16(2 * k, true));
  else for (let k = 0; k < count; k++) values[k] = ofBfloat(view.getUint16(2 * k, true));
  return { shape, values };
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
function ofBfloat(bits: number): number {
  word.setUint16(0, bits);
  return word.getFloat32(0);
}
