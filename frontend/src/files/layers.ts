/** Recurrent layers as files hold them, in the order of rows that byhand and torch have: i f g o, r z n. */

import { sizeOf, type Tensor, UnreadableFile } from "./tensor";

export type Kind = "lstm" | "peephole" | "gru" | "gru_reset_before" | "rnn";

export const GATES: Record<Kind, number> = { lstm: 4, peephole: 4, gru: 3, gru_reset_before: 3, rnn: 1 };

/** One layer in one direction: matrices of gates · units rows. */
export interface Direction {
  reverse: boolean;
  input: Tensor;
  recurrent: Tensor;
  biasInput: Tensor | null;
  biasRecurrent: Tensor | null;
  projection: Tensor | null;
  vectors: Record<string, Tensor>;
}

/** Layers on top of each other, each in one or two directions. */
export interface Stack {
  name: string; // where it stands in the file; "" at its top
  kind: Kind;
  levels: Direction[][];
  notes: string[]; // what the file does not say
}

/** What a file has that the page can run, and what it cannot, each with the reason. */
export interface Contents {
  stacks: Stack[];
  left: string[];
}

export function unitsOf({ recurrent }: Direction, kind: Kind): number {
  return recurrent.shape[0] / GATES[kind];
}

export function widthOf(direction: Direction, kind: Kind): number {
  return direction.projection ? direction.projection.shape[0] : unitsOf(direction, kind);
}

/** The same stack, if all of its shapes fit together and all of its numbers are finite. UnreadableFile. */
export function checked(stack: Stack): Stack {
  const { kind, levels, name } = stack;
  let wide = levels[0][0].input.shape[1];
  for (const [height, level] of levels.entries()) {
    for (const direction of level) {
      const units = unitsOf(direction, kind);
      const rows = GATES[kind] * units;
      const wanted: [string, Tensor | null, number[]][] = [
        ["weights of the input", direction.input, [rows, wide]],
        ["recurrent weights", direction.recurrent, [rows, widthOf(direction, kind)]],
        ["bias", direction.biasInput, [rows]],
        ["recurrent bias", direction.biasRecurrent, [rows]],
        ["projection", direction.projection, [widthOf(direction, kind), units]],
        ...Object.entries(direction.vectors).map(([own, tensor]): [string, Tensor, number[]] => [own, tensor, [units]]),
      ];
      for (const [what, tensor, shape] of wanted) {
        if (!tensor) continue;
        const where = `${name || "the layer"}, level ${height}: ${what}`;
        if (!Number.isInteger(units) || !sizeOf(shape) || tensor.shape.join() !== shape.join())
          throw new UnreadableFile(`${where} [${tensor.shape.join(", ")}]: expected [${shape.join(", ")}]`);
        if (!tensor.values.every(Number.isFinite)) throw new UnreadableFile(`${where}: not all numbers are finite`);
      }
    }
    wide = level.reduce((sum, direction) => sum + widthOf(direction, kind), 0);
  }
  return stack;
}

/** Blocks of as many rows each, in another order: wanted[k] is the block that comes k-th. */
export function reordered({ shape, values }: Tensor, wanted: number[]): Tensor {
  const block = values.length / wanted.length;
  const found = values.slice();
  wanted.forEach((from, to) => found.set(values.subarray(from * block, (from + 1) * block), to * block));
  return { shape, values: found };
}
