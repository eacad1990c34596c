/** One unit over a whole sequence, as a ribbon of colours: each pixel is the mean of the values that fall on it. */

import type { Values } from "../model/types";
import { rowsOf } from "../model/values";
import type { Scheme } from "./colours";
import { colourOf } from "./tint";

export function paintRibbon(canvas: HTMLCanvasElement, values: Values, column: number, scheme: Scheme, width: number): void {
  const rows = rowsOf(values);
  canvas.width = Math.max(1, Math.min(width, rows));
  canvas.height = 1;
  const context = canvas.getContext("2d");
  if (!context || column < 0) return;
  const image = context.createImageData(canvas.width, 1);
  const pixels = new Uint32Array(image.data.buffer);
  for (let x = 0; x < canvas.width; x++) {
    const from = Math.floor((x * rows) / canvas.width);
    const to = Math.max(from + 1, Math.floor(((x + 1) * rows) / canvas.width));
    let sum = 0;
    for (let row = from; row < to; row++) sum += values.data[row * values.width + column];
    pixels[x] = colourOf(scheme, sum / (to - from));
  }
  context.putImageData(image, 0, 0);
}
