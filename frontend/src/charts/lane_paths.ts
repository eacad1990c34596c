/** The lines of a number series, lane under lane. */

import { momentsOf } from "../model/lens";
import type { Values } from "../model/types";
import type { Grid } from "../text/wrap";

const EDGE = 6; // pixels that a lane keeps free above and below

/** Of each feature one path: its values over all lanes, on one scale for all features. */
export function lanePaths(input: Values, features: number[], { columns, lines, first }: Grid, cell: number, height: number): string[] {
  const { data, width } = input;
  let [low, high] = [Infinity, -Infinity];
  for (const feature of features) {
    for (let k = feature; k < data.length; k += width) {
      if (data[k] < low) low = data[k];
      if (data[k] > high) high = data[k];
    }
  }
  const scale = high > low ? (height - 2 * EDGE) / (high - low) : 0;
  const y = (line: number, value: number): number => line * height + height - EDGE - (scale ? (value - low) * scale : height / 2 - EDGE);
  return features.map((feature) => {
    const parts: string[] = [];
    for (let line = 0; line < lines; line++) {
      let pen = "M";
      for (let k = first[line]; k < first[line + 1]; k++) {
        const value = data[k * width + feature];
        if (!Number.isFinite(value)) {
          pen = "M";
          continue;
        }
        const x = ((k - first[line] + 0.5) * Math.min(cell, cell * columns)).toFixed(1);
        parts.push(`${pen}${x},${y(line, value).toFixed(1)}${first[line + 1] - first[line] === 1 ? "h1" : ""}`);
        pen = "L";
      }
    }
    return parts.join("");
  });
}

/** The features that are drawn: as many as can be told apart, those that vary most, in their own order. */
export function drawnFeatures(input: Values, most = 4): number[] {
  const { deviation } = momentsOf(input);
  const order = Array.from(deviation.keys()).sort((a, b) => deviation[b] - deviation[a] || a - b);
  return order.slice(0, most).sort((a, b) => a - b);
}
