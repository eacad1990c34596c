/** Numbers as a document and as a file hold them. */

import type { Packed } from "../document/schema";

const CHUNK = 0x8000; // arguments of one call

/** In full, or as float32, little-endian in base64. */
export function packed(values: ArrayLike<number>, shape: number[], dtype: "f8" | "f4" = "f8"): Packed {
  return { shape, dtype, data: base64(bytesOf(values, dtype)) };
}

export function bytesOf(values: ArrayLike<number>, dtype: "f8" | "f4"): Uint8Array<ArrayBuffer> {
  const size = dtype === "f8" ? 8 : 4;
  const view = new DataView(new ArrayBuffer(size * values.length));
  for (let k = 0; k < values.length; k++) {
    if (dtype === "f8") view.setFloat64(8 * k, values[k], true);
    else view.setFloat32(4 * k, values[k], true);
  }
  return new Uint8Array(view.buffer);
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let k = 0; k < bytes.length; k += CHUNK) text += String.fromCharCode(...bytes.subarray(k, k + CHUNK));
  return btoa(text);
}
