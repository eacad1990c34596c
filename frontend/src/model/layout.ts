import type { CellDoc, LayerDoc } from "../document/schema";

/** Which wires there are in a layer, and which weights are one and the same: byhand's layout.py, as the page needs it. The document's
 *  matrices are spread out: every gate and state is as wide as the layer. */

const OF_GATES = ["input", "recurrent", "bias_input", "bias_recurrent"];

/** The rows that hold the same weight: those of the units which share the gate. */
export function block(cell: CellDoc, layer: LayerDoc, part: string, row: number): { first: number; size: number } {
  const gate = cell.gates[Math.floor(row / layer.hidden)];
  const size = OF_GATES.includes(part) ? (cell.shared[gate] ?? 1) : 1;
  return { first: row - (row % size), size };
}

/** What a column of the recurrent weights reads. */
export function source(cell: CellDoc, layer: LayerDoc, column: number): { state: string; unit: number } | null {
  let first = 0;
  for (const state of cell.sources) {
    const width = state === cell.state[0] ? layer.output : layer.hidden;
    if (column < first + width) return { state, unit: column - first };
    first += width;
  }
  return null;
}

/** Whether a gate reads a state of a unit. One that units share is read once, from the first of them. */
export function isWired(cell: CellDoc, gate: string, state: string, unit: number): boolean {
  return (cell.reads[gate] ?? cell.sources).includes(state) && unit % (cell.shared[state] ?? 1) === 0;
}

/** The column of the layer's own parameter, in which what is shared stands once. */
export function ownColumn(cell: CellDoc, layer: LayerDoc, column: number): number {
  const read = source(cell, layer, column);
  let first = 0;
  for (const state of cell.sources) {
    const share = cell.shared[state] ?? 1;
    if (state === read?.state) return first + Math.floor(read.unit / share);
    first += (state === cell.state[0] ? layer.output : layer.hidden) / share;
  }
  return column;
}

/** How many columns that parameter has. */
export function ownWidth(cell: CellDoc, layer: LayerDoc): number {
  const widths = cell.sources.map((state) => (state === cell.state[0] ? layer.output : layer.hidden) / (cell.shared[state] ?? 1));
  return widths.reduce((sum, width) => sum + width, 0);
}
