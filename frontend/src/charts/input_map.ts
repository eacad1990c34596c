/** A wide input over time: features from top to bottom, a colour each; the largest at a step is named. */

import { inputName } from "../model/editable";
import { largestAt, pooled } from "../model/pooled";
import type { Reading } from "../model/reading";
import type { Values } from "../model/types";
import { sayAt } from "../model/values";
import { diverging, paletteOf, sizes } from "./colours";
import { paint } from "./heatmap";

/** Fits the canvas to so many pixels. Where features outnumber them, each pixel shows the largest of those that it stands for. */
export function paintInput(canvas: HTMLCanvasElement, values: Values, width: number, height: number): void {
  const { values: few, most, signed } = pooled(values, height);
  const palette = paletteOf(canvas);
  const columns = Array.from({ length: few.width }, (_, column) => column);
  const sharp = Math.min(2, devicePixelRatio || 1);
  const size = { width: Math.round(width * sharp), height: Math.round(height * sharp) };
  paint(canvas, few, columns, { from: 0, to: values.steps }, signed ? diverging(most, palette) : sizes(most, palette), size);
}

/** The largest at a step: "0.99", "input 638". */
export function largestInput(where: Pick<Reading, "doc" | "layer">, values: Values, time: number): [value: string, name: string] {
  const index = largestAt(values, time);
  return [sayAt(values, time, index), inputName(where, index)];
}
