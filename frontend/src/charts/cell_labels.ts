/** The numbers themselves over a map, where its cells are large enough to hold them. */

import { make } from "../dom/elements";
import { figure } from "../text/format";
import type { Scheme } from "./colours";

const WIDE = 44; // pixels of a cell that holds a number

const HIGH = 14;

export interface Figure {
  value: number;
  error: number; // how far it may be off
  column: number;
  row: number;
}

/** Fills the layer with the values of a grid of columns x rows, or empties it where there is no room. */
export function showFigures(
  layer: HTMLElement,
  grid: { columns: number; rows: number },
  size: { width: number; height: number },
  scheme: Scheme,
  figures: () => Figure[],
): void {
  const room = size.width / grid.columns >= WIDE && size.height / grid.rows >= HIGH;
  layer.replaceChildren(...(room ? figures().map((one) => placed(one, grid, scheme)) : []));
}

function placed({ value, error, column, row }: Figure, { columns, rows }: { columns: number; rows: number }, scheme: Scheme): HTMLElement {
  const element = make("span", { class: bright(value, scheme) ? "on-bright" : "on-dark" }, figure(value, error));
  element.style.left = `${(100 * (column + 0.5)) / columns}%`;
  element.style.top = `${(100 * (row + 0.5)) / rows}%`;
  return element;
}

/** Whether black is easier to read than white on the colour of that value: relative luminance above 0.18 (WCAG 2.2). */
function bright(value: number, { table, low, high }: Scheme): boolean {
  const colour = table[Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low) || 0)))];
  const linear = (shift: number): number => {
    const share = ((colour >>> shift) & 255) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(0) + 0.7152 * linear(8) + 0.0722 * linear(16) > 0.18;
}
