/** Pictures in a row as a GIF. W3C, Graphics Interchange Format, Version 89a. */

import { COLOURS, Palette } from "./palette";

const [MOST_CODES, CLEAR, END] = [4096, COLOURS, COLOURS + 1];

export interface Frame {
  pixels: Uint8ClampedArray; // red, green, blue, alpha; rows from the top
  milliseconds: number;
}

/** All frames are width × height. It starts again at the end. Of each frame after the first only the part that changed is written. */
export function gif(frames: Frame[], width: number, height: number): Uint8Array<ArrayBuffer> {
  const palette = new Palette(frames.map(({ pixels }) => pixels));
  const out = [...ascii("GIF89a"), ...two(width), ...two(height), 0xf7, 0, 0, ...palette.bytes];
  out.push(0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0); // again and again
  let before: Uint8Array | null = null;
  const parts: Uint8Array[] = [Uint8Array.from(out)];
  for (const { pixels, milliseconds } of frames) {
    const indices = palette.indices(pixels);
    const { left, top, right, bottom } = changed(indices, before, width, height);
    const part = new Uint8Array((right - left) * (bottom - top));
    for (let y = top; y < bottom; y++) part.set(indices.subarray(y * width + left, y * width + right), (y - top) * (right - left));
    const control = [0x21, 0xf9, 4, 4, ...two(Math.round(milliseconds / 10)), 0, 0]; // what was drawn stays
    parts.push(
      Uint8Array.from([...control, 0x2c, ...two(left), ...two(top), ...two(right - left), ...two(bottom - top), 0]),
      compressed(part),
    );
    before = indices;
  }
  parts.push(Uint8Array.of(0x3b));
  return joined(parts);
}

/** The box around all that differs; a single dot where nothing does. */
function changed(
  now: Uint8Array,
  before: Uint8Array | null,
  width: number,
  height: number,
): Record<"left" | "top" | "right" | "bottom", number> {
  if (!before) return { left: 0, top: 0, right: width, bottom: height };
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, k = 0; y < height; y++)
    for (let x = 0; x < width; x++, k++)
      if (now[k] !== before[k]) [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), y + 1];
  return right ? { left, top, right, bottom } : { left: 0, top: 0, right: 1, bottom: 1 };
}

/** Lempel, Ziv and Welch's codes of 9 to 12 bits, in blocks of up to 255 bytes. Appendix F. */
function compressed(indices: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  let [bits, held] = [0, 0];
  let width = 9;
  const emit = (code: number): void => {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  let table = new Map<number, number>(); // prefix << 8 | index -> code
  let next = END + 1;
  emit(CLEAR);
  let prefix = indices[0];
  for (let k = 1; k < indices.length; k++) {
    const key = (prefix << 8) | indices[k];
    const known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    emit(prefix);
    if (next < MOST_CODES) {
      if (next === 1 << width) width += 1;
      table.set(key, next++);
    } else {
      emit(CLEAR);
      [table, next, width] = [new Map(), END + 1, 9];
    }
    prefix = indices[k];
  }
  emit(prefix);
  if (next === 1 << width && width < 12) width += 1;
  emit(END);
  if (bits) bytes.push(held & 255);
  const out = [8]; // bits of an index
  for (let k = 0; k < bytes.length; k += 255) {
    const block = bytes.slice(k, k + 255);
    out.push(block.length);
    for (const byte of block) out.push(byte);
  }
  out.push(0);
  return Uint8Array.from(out);
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    found.set(part, at);
    at += part.length;
  }
  return found;
}

const two = (value: number): number[] => [value & 255, value >> 8];

function ascii(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}
