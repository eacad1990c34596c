/** The line of a series over time, thinned to what a screen can show: of every pixel the least and the most. */

import type { Values } from "../model/types";

export interface Series {
  values: Values;
  column: number; // −1: not in the document
}

export interface Outline {
  line: string;
  area: string;
  dots: [number, number][]; // where steps are few
  gaps: [number, number][]; // from x to x: not a number
}

const FEW = 40;

export function outline({ values, column }: Series, width: number, scale: (value: number) => number, zero = 0): Outline {
  const found: Outline = { line: "", area: "", dots: [], gaps: [] };
  const rows = column < 0 || !values.width ? 0 : Math.floor(values.data.length / values.width);
  const x = (row: number): number => Math.round((10 * (row + 0.5) * width * values.every) / values.steps) / 10;
  let piece: [number, number][] = [];
  const close = (): void => {
    if (piece.length === 0) return;
    const text = piece.map(([px, py]) => `${px},${py}`).join("L");
    found.line += `M${text}`;
    found.area += `M${piece[0][0]},${scale(zero)}L${text}L${piece[piece.length - 1][0]},${scale(zero)}Z`;
    piece = [];
  };
  const every = Math.max(1, Math.floor(rows / width / 1.5));
  for (let row = 0; row < rows; row += every) {
    const [low, high, holes] = extent(values, column, row, Math.min(rows, row + every));
    if (holes) {
      close();
      const from = x(row) - (0.5 * width * values.every) / values.steps;
      found.gaps.push([Math.max(0, from), Math.min(width, from + Math.max(3, (every * width * values.every) / values.steps))]);
    } else {
      piece.push([x(row), round(scale(low))]);
      if (high !== low) piece.push([x(row), round(scale(high))]);
      if (rows <= FEW) found.dots.push([x(row), round(scale(low))]);
    }
  }
  close();
  return found;
}

/** The least and the most of some rows; whether one of them is not a finite number. */
function extent(values: Values, column: number, from: number, to: number): [number, number, boolean] {
  let [low, high] = [Infinity, -Infinity];
  for (let row = from; row < to; row++) {
    const value = values.data[row * values.width + column];
    if (!Number.isFinite(value)) return [NaN, NaN, true];
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high, false];
}

const round = (value: number): number => Math.round(value * 10) / 10;
