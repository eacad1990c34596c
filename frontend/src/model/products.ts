/** Recurrent products that a step makes itself, of what it has computed: "product.GATE" in its program, U_GATE · v + b; and, where the
 *  derivative comes back through one, "transposed.GATE". All other functions of a program go unit by unit. */

import type { Matrix } from "../document/read";
import type { CellDoc, LayerDoc } from "../document/schema";
import type { Kernel } from "./functions";
import { multiply, multiplyTransposed } from "./multiply";

const FORM = /^(product|transposed)\.(.+)$/;

/** The gate, where a function is the product with its rows; null for all others. */
export function productGate(fn: string, kind = "product"): string | null {
  const found = FORM.exec(fn);
  return found && found[1] === kind ? found[2] : null;
}

export const isProduct = (fn: string): boolean => FORM.test(fn);

/** Whether a gate's recurrent product is made inside the step. */
export function madeInside(cell: CellDoc, gate: string): boolean {
  return Boolean(cell.program?.lines.some(([, fn]) => productGate(fn) === gate));
}

interface Given {
  cell: CellDoc;
  layer: LayerDoc;
  weights: { recurrent: Matrix | null; bias_recurrent: Matrix | null };
}

const kept = new WeakMap<Matrix, Matrix[]>();

/** The rows of each gate, each time the same objects: a product keeps what it has of them. */
function rowsOf(matrix: Matrix, rows: number): Matrix[] {
  const { columns, data } = matrix;
  let found = kept.get(matrix);
  if (!found) {
    const part = (g: number): Matrix => ({ rows, columns, data: data.slice(g * rows * columns, (g + 1) * rows * columns) });
    kept.set(matrix, (found = Array.from({ length: matrix.rows / rows }, (_, g) => part(g))));
  }
  return found;
}

/** All that a program of this cell can ask for, by function. */
export function productsOf({ cell, layer, weights }: Given): Record<string, Kernel> {
  const { recurrent, bias_recurrent } = weights;
  if (!recurrent || !cell.program?.lines.some(([, fn]) => isProduct(fn))) return {};
  const found: Record<string, Kernel> = {};
  const rows = layer.hidden;
  const parts = rowsOf(recurrent, rows);
  cell.gates.forEach((gate, g) => {
    const own = parts[g];
    const bias = bias_recurrent && { rows: 1, columns: rows, data: bias_recurrent.data.slice(g * rows, (g + 1) * rows) };
    found[`product.${gate}`] = (out, value) => multiply(out, own, value, bias);
    found[`transposed.${gate}`] = (out, value) => multiplyTransposed(out.fill(0), own, value);
  });
  return found;
}
