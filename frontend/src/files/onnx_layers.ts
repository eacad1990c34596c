/** The LSTM, GRU and RNN nodes of an ONNX graph as layers: rows reordered, nothing else changed. onnx.ai, operators LSTM, GRU, RNN. */

import { type Contents, checked, type Direction, type Kind, reordered, type Stack, unitsOf } from "./layers";
import { type Graph, list, type Node, number, word } from "./onnx";
import { type Tensor, UnreadableFile } from "./tensor";

const ROWS = new Map([
  ["LSTM", [0, 2, 3, 1]],
  ["GRU", [1, 0, 2]],
  ["RNN", [0]],
]); // i f g o among i o f g; r z n among z r n
const FUNCTIONS = ["Sigmoid", "Tanh", "Tanh"]; // of an LSTM; the first two of a GRU; the last of an RNN
const DIRECTIONS = new Map([
  ["forward", [false]],
  ["reverse", [true]],
  ["bidirectional", [false, true]],
]);
const PEEPHOLES = ["p_i", "p_o", "p_f"]; // in the order of P
const PASSING = ["Squeeze", "Transpose", "Reshape", "Identity", "Dropout"]; // what stands between the nodes of a stack
const FAR = 8; // nodes between two of them

export function layersIn(graph: Graph): Contents {
  const left: string[] = [];
  const found = new Map<Node, Stack>();
  for (const node of graph.nodes.filter(({ operator }) => ROWS.has(operator))) {
    const name = node.name || node.outputs.find(Boolean) || node.operator;
    try {
      found.set(node, checked(stackOf(name, node, graph)));
    } catch (problem) {
      if (!(problem instanceof UnreadableFile)) throw problem;
      left.push(`${name}: ${problem.message}`);
    }
  }
  const tops = new Map<Node, Stack>(); // the highest node of each stack
  for (const [node, stack] of found) {
    const below = [...tops.keys()].find((top) => readsFrom(node, top, graph) && fit(tops.get(top)!, stack));
    const whole = below ? tops.get(below)! : stack;
    if (below) {
      whole.levels.push(...stack.levels);
      whole.notes.push(...stack.notes);
      tops.delete(below);
    }
    tops.set(node, whole);
  }
  const stacks = [...tops.values()];
  const kinds = [...new Set(graph.nodes.map(({ operator }) => operator))].filter(
    (one) => !ROWS.has(one) && one !== "Constant" && !PASSING.includes(one),
  );
  if (kinds.length) left.push(`${kinds.slice(0, 8).join(", ")}${kinds.length > 8 ? " and more" : ""}: nodes around the layers`);
  return { stacks, left };
}

function stackOf(name: string, node: Node, graph: Graph): Stack {
  const { operator } = node;
  const directions = DIRECTIONS.get(word(node, "direction") ?? "forward");
  if (!directions) throw new UnreadableFile(`its direction is ${word(node, "direction")}: expected ${[...DIRECTIONS.keys()].join(", ")}`);
  const { words } = list(node, "activations");
  const usual = directions.flatMap(() => (operator === "RNN" ? FUNCTIONS.slice(2) : FUNCTIONS.slice(0, operator === "GRU" ? 2 : 3)));
  if (words.length && words.join().toLowerCase() !== usual.join().toLowerCase())
    throw new UnreadableFile(
      `its functions are ${words.join(", ")}: the page has ${usual.join(", ")}; open it in Python, byhand.open_onnx`,
    );
  if (number(node, "clip") || number(node, "input_forget"))
    throw new UnreadableFile("it clips, or couples its gates: open it in Python, byhand.open_onnx");
  const constant = (index: number): Tensor | null => {
    const input = node.inputs[index];
    if (!input) return null;
    const read = graph.constants.get(input);
    if (!read)
      throw new UnreadableFile(
        `its ${["X", "W", "R", "B", "", "initial_h", "initial_c", "P"][index]} is computed in the file: open it in Python, byhand.open_onnx`,
      );
    return read();
  };
  const [W, R, B, P] = [constant(1), constant(2), constant(3), operator === "LSTM" ? constant(7) : null];
  if (!W || !R || W.shape.length !== 3 || R.shape.length !== 3) throw new UnreadableFile("its W and R are not matrices for each direction");
  const rows = ROWS.get(operator)!;
  const kind: Kind = P
    ? "peephole"
    : operator === "LSTM"
      ? "lstm"
      : operator === "RNN"
        ? "rnn"
        : number(node, "linear_before_reset")
          ? "gru"
          : "gru_reset_before";
  const level = directions.map((reverse, k): Direction => {
    const part = (tensor: Tensor): Tensor => one(tensor, k, directions.length);
    const biases = B && halves(part(B));
    const direction: Direction = {
      reverse,
      input: reordered(part(W), rows),
      recurrent: reordered(part(R), rows),
      biasInput: biases && reordered(biases[0], rows),
      biasRecurrent: biases && reordered(biases[1], rows),
      projection: null,
      vectors: {},
    };
    const units = unitsOf(direction, kind);
    if (P)
      direction.vectors = Object.fromEntries(
        PEEPHOLES.map((own, which) => [own, { shape: [units], values: part(P).values.slice(which * units, (which + 1) * units) }]),
      );
    return direction;
  });
  const given = [5, 6].some((index) => node.inputs[index] && !zeros(node.inputs[index], graph));
  return { name, kind, levels: [level], notes: given ? [`${name} is given first states in the file; here it starts from 0.`] : [] };
}

/** One direction's part of a tensor that begins with the directions. */
function one({ shape, values }: Tensor, which: number, of: number): Tensor {
  if (shape[0] !== of) throw new UnreadableFile(`[${shape.join(", ")}]: expected ${of} at its start, one for each direction`);
  const size = values.length / of;
  return { shape: shape.slice(1), values: values.slice(which * size, (which + 1) * size) };
}

function halves({ shape, values }: Tensor): [Tensor, Tensor] {
  const size = values.length / 2;
  const half = (from: number): Tensor => ({ shape: [shape[0] / 2], values: values.slice(from, from + size) });
  return [half(0), half(size)];
}

/** Whether a first state is zeros: constants, or made by a node that makes them. */
function zeros(name: string, graph: Graph): boolean {
  const read = graph.constants.get(name);
  if (read) return read().values.every((value) => value === 0);
  return graph.nodes.find(({ outputs }) => outputs.includes(name))?.operator === "ConstantOfShape";
}

/** Whether a node's X is another's Y, squeezed or laid side by side and nothing else. */
function readsFrom(node: Node, other: Node, graph: Graph): boolean {
  let name = node.inputs[0];
  let turned = false;
  for (let steps = 0; steps < FAR; steps++) {
    if (name === other.outputs[0]) return turned || (word(other, "direction") ?? "forward") !== "bidirectional";
    const between = graph.nodes.find(({ outputs }) => outputs[0] === name);
    if (!between || !PASSING.includes(between.operator)) return false;
    if (between.operator === "Transpose") {
      if (list(between, "perm").numbers.join() !== "0,2,1,3") return false;
      turned = true;
    }
    name = between.inputs[0];
  }
  return false;
}

/** Whether a stack's lowest layer can stand on another's highest. */
function fit(below: Stack, above: Stack): boolean {
  const top = below.levels[below.levels.length - 1];
  const wide = top.reduce((sum, direction) => sum + unitsOf(direction, below.kind), 0);
  const same = (one: Direction[], other: Direction[]): boolean =>
    one.map(({ reverse }) => reverse).join() === other.map(({ reverse }) => reverse).join();
  return below.kind === above.kind && above.levels[0][0].input.shape[1] === wide && same(top, above.levels[0]);
}
