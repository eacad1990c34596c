/** A sequence in lines: where each symbol stands on a grid of cells, all as wide. */

export interface Grid {
  columns: number; // cells of a line
  lines: number;
  line: Int32Array; // of each symbol
  from: Int32Array; // its first cell
  cells: Int32Array; // how many it takes
  first: Int32Array; // of each line its first symbol; behind the last line the number of symbols
}

const LOOSE = 24; // cells that a line may fall short so that no word is cut

/** Symbols one after the other. spelt: each is a character, spaces end words, and a line ends after "↵"; else words, a cell between them. */
export function wrap(symbols: string[], columns: number, spelt: boolean): Grid {
  const count = symbols.length;
  const grid = { line: new Int32Array(count), from: new Int32Array(count), cells: new Int32Array(count) };
  const first: number[] = [0];
  let at = 0; // the cell that is free
  let gap = -1; // the symbol that begins the last word of the line
  for (let k = 0; k < count; k++) {
    const cells = Math.min(columns, spelt ? cellsOf(symbols[k]) : 1 + [...symbols[k]].reduce((sum, one) => sum + cellsOf(one), 0));
    if (at + cells > columns) {
      const begin = spelt && gap > first[first.length - 1] && at - grid.from[gap] <= LOOSE ? gap : k;
      first.push(begin);
      at = 0;
      for (let moved = begin; moved < k; moved++) at = put(grid, moved, first.length - 1, at, grid.cells[moved]);
      gap = -1;
    }
    at = put(grid, k, first.length - 1, at, cells);
    if (!spelt) continue;
    if (symbols[k] === "␣") gap = k + 1;
    if (symbols[k] === "↵" && k + 1 < count) {
      first.push(k + 1);
      at = 0;
      gap = -1;
    }
  }
  return { columns, lines: first.length, ...grid, first: Int32Array.from([...first, count]) };
}

/** Steps of a number series: so many to a line. */
export function lanes(steps: number, columns: number): Grid {
  const line = new Int32Array(steps).map((_, k) => Math.floor(k / columns));
  const from = new Int32Array(steps).map((_, k) => k % columns);
  const lines = Math.max(1, Math.ceil(steps / columns));
  const first = new Int32Array(lines + 1).map((_, k) => Math.min(steps, k * columns));
  return { columns, lines, line, from, cells: new Int32Array(steps).fill(1), first };
}

function put(grid: Pick<Grid, "line" | "from" | "cells">, k: number, line: number, at: number, cells: number): number {
  grid.line[k] = line;
  grid.from[k] = at;
  grid.cells[k] = cells;
  return at + cells;
}

const WIDE = /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

function cellsOf(symbol: string): number {
  return WIDE.test(symbol) ? 2 : 1;
}

/** The symbol under a cell; the nearest of its line beside one. */
export function symbolAt({ lines, first, from, cells }: Grid, line: number, column: number): number {
  const at = Math.max(0, Math.min(lines - 1, line));
  for (let k = first[at]; k < first[at + 1]; k++) if (column < from[k] + cells[k]) return k;
  return Math.max(0, first[at + 1] - 1);
}

/** The symbol above (−1) or below (1) another. */
export function beside(grid: Grid, k: number, lines: number): number {
  return symbolAt(grid, grid.line[k] + lines, grid.from[k]);
}
