/** A map of values, units x time, drawn into a canvas: each pixel is the mean of the values that fall on it. */

import type { Values } from "../model/types";
import { rowsOf } from "../model/values";
import { type Colour, packed, type Scheme } from "./colours";

/** The steps that are shown: from `from` up to, not including, `to`. */
export interface Window {
  from: number;
  to: number;
}

/** Draws the columns from top to bottom over the canvas, which is resized to width x height pixels. */
export function paint(
  canvas: HTMLCanvasElement,
  values: Values,
  columns: number[],
  shown: Window,
  scheme: Scheme,
  size: { width: number; height: number },
): void {
  const { width, height } = size;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context || !columns.length) return;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const across = bins(width, shown.from / values.every, shown.to / values.every, rowsOf(values));
  const down = bins(height, 0, columns.length, columns.length);
  const means = new Float64Array(values.width);
  const hatch = hatching(scheme);
  let before = -1;
  for (let x = 0; x < width; x += 1) {
    const [first, last] = [across[2 * x] ?? 0, across[2 * x + 1] ?? 0];
    const key = first * 1e6 + last;
    if (key !== before) meanOver(means, values, first, last);
    before = key;
    colourColumn(pixels, x, width, height, means, columns, down, scheme, hatch);
  }
  context.putImageData(image, 0, 0);
}

/** First and last + 1 of the rows that fall on each pixel; at least one. */
function bins(pixels: number, from: number, to: number, rows: number): Int32Array {
  const found = new Int32Array(2 * pixels);
  const per = (to - from) / pixels;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const start = from + pixel * per;
    const first = Math.floor(per > 1 ? start + 1e-9 : start + per / 2);
    const last = per > 1 ? Math.floor(start + per + 1e-9) : first + 1;
    found[2 * pixel] = Math.min(first, rows - 1);
    found[2 * pixel + 1] = Math.max(Math.min(last, rows), Math.min(first, rows - 1) + 1);
  }
  return found;
}

function meanOver(means: Float64Array, values: Values, first: number, last: number): void {
  const { data, width } = values;
  means.fill(0);
  for (let row = first; row < last; row += 1) {
    const start = row * width;
    for (let column = 0; column < width; column += 1) means[column]! += data[start + column]!;
  }
  if (last - first > 1) for (let column = 0; column < width; column += 1) means[column]! /= last - first;
}

function colourColumn(
  pixels: Uint32Array,
  x: number,
  width: number,
  height: number,
  means: Float64Array,
  columns: number[],
  down: Int32Array,
  scheme: Scheme,
  hatch: [number, number],
): void {
  const { table, low, high } = scheme;
  const scale = 255 / (high - low);
  for (let y = 0; y < height; y += 1) {
    const [first, last] = [down[2 * y]!, down[2 * y + 1]!];
    let sum = 0;
    for (let row = first; row < last; row += 1) sum += means[columns[row]!]!;
    const share = (sum / (last - first) - low) * scale;
    // NaN is the one value that is not equal to itself; it is hatched, so that it is never taken for a number
    pixels[y * width + x] =
      share === share ? table[share <= 0 ? 0 : share >= 255 ? 255 : Math.round(share)]! : hatch[(x + y) % 6 < 3 ? 0 : 1];
  }
}

function hatching(scheme: Scheme): [number, number] {
  const middle = scheme.low < 0 ? 128 : 0;
  const grey: Colour = [0x80, 0x80, 0x80];
  return [packed(grey), scheme.table[middle] ?? 0];
}

/** The step under a place across the map (0..1), and back: a step's left edge and width, in shares of the map. */
export function stepAt(share: number, shown: Window): number {
  const step = Math.floor(shown.from + share * (shown.to - shown.from));
  return Math.max(shown.from, Math.min(shown.to - 1, step));
}

export function placeOf(time: number, shown: Window): { left: number; width: number } {
  const steps = shown.to - shown.from;
  return { left: (time - shown.from) / steps, width: 1 / steps };
}
