/** A file that was dropped on the page: what is in it, and a document for what the page can run. */

import { packed } from "../document/pack";
import type { CellDoc, Doc, LayerDoc, Packed } from "../document/schema";
import cells from "./cells.json" with { type: "json" };
import { type Contents, type Direction, type Kind, type Stack, unitsOf, widthOf } from "./layers";
import { readOnnx } from "./onnx";
import { layersIn } from "./onnx_layers";
import { readSafetensors } from "./safetensors";
import { type Tensor, UnreadableFile } from "./tensor";
import { layersOf } from "./torch_names";

const STEPS = 40; // of the input that such a model is shown with
const MOST = 2 ** 25; // weights of a stack: more than the page can compute with in good time
const KINDS: Record<Kind, string> = {
  lstm: "LSTM",
  peephole: "LSTM with peepholes",
  gru: "GRU",
  gru_reset_before: "GRU with the reset before its product",
  rnn: "RNN",
};
const ENDINGS = /\.(safetensors|onnx)$/i;

/** UnreadableFile, with all that keeps the page from showing it. */
export function contentsOf(name: string, file: Uint8Array): Contents {
  const ending = ENDINGS.exec(name)?.[1].toLowerCase();
  if (!ending) throw new UnreadableFile("expected a file that ends in .safetensors or .onnx; byhand.load_weights in Python reads others");
  let contents: Contents;
  if (ending === "onnx") contents = layersIn(readOnnx(file));
  else {
    const { tensors, others, about } = readSafetensors(file);
    const { cell, held } = about;
    const named = typeof cell === "string" ? cell.toLowerCase() : null;
    if (named !== null && !Object.hasOwn(KINDS, named))
      throw new UnreadableFile(
        `its cell is ${cell}: the page opens ${Object.keys(KINDS).join(", ")}; in Python, byhand.load_weights with cell=`,
      );
    contents = layersOf(tensors);
    for (const stack of contents.stacks) if (stack.kind === "gru" && named === "gru_reset_before") stack.kind = named;
    if (held) contents.left.push(`it was trained with gates held, ${held}, which are not held here`);
    if (others.length) contents.left.push(`${others.slice(0, 6).join(", ")}: no floats`);
  }
  const large = contents.stacks.filter((stack) => weightsOf(stack) > MOST);
  for (const stack of large)
    contents.left.push(
      `${stack.name}: ${weightsOf(stack).toLocaleString("en")} weights, where the page takes ${MOST.toLocaleString("en")}`,
    );
  const stacks = contents.stacks.filter((stack) => !large.includes(stack));
  if (!stacks.length) throw new UnreadableFile(["it holds no LSTM, GRU or RNN that the page can run", ...contents.left].join("; "));
  return { ...contents, stacks };
}

function weightsOf({ levels }: Stack): number {
  return levels.flat().reduce((sum, { input, recurrent }) => sum + input.values.length + recurrent.values.length, 0);
}

/** "encoder.rnn: LSTM, 2 layers in both directions, 40 to 128 units" */
export function described({ name, kind, levels }: Stack): string {
  const layers = levels.length > 1 ? `, ${levels.length} layers` : "";
  const ways = levels[0].length > 1 ? " in both directions" : levels[0][0].reverse ? ", from the end to the start" : "";
  const [first] = levels[0];
  const { shape } = first.input;
  return `${name ? `${name}: ` : ""}${KINDS[kind]}${layers}${ways}, ${shape[1]} ${shape[1] > 1 ? "inputs" : "input"}, ${unitsOf(first, kind)} units`;
}

/** input: steps × features; noise of ours if there is none. */
export function documentOf(stack: Stack, contents: Contents, file: string, input?: Packed): Doc {
  const { kind, levels, notes } = stack;
  const wide = levels[0][0].input.shape[1];
  const shown = input ?? packed(noise(STEPS * wide), [STEPS, wide]);
  const left = contents.left.length ? [`Not shown: ${contents.left.join("; ")}.`] : [];
  const cell = cells[kind] as unknown as CellDoc;
  const projected = levels.flat().some(({ projection }) => projection);
  return {
    schema: 1,
    title: `${file}: ${described(stack)}`,
    about: "A model out of a file, on an input of noise.",
    telling: 0,
    name: "model",
    features: null,
    call: null,
    cell: projected ? { ...cell, labels: { ...cell.labels, m: "output before the projection" } } : cell,
    layers: levels.flatMap((level, height) => level.map((direction) => layerOf(direction, kind, height))),
    items: [{ name: "noise", steps: shown.shape[0], input: shown, characters: null, initial: {}, maps: null }],
    head: null,
    answer: null,
    computed: true,
    why_not: null,
    notices: [`The file was read in this page; nothing of it was sent anywhere. Its input here is noise.`, ...notes, ...left],
    training: null,
  };
}

function layerOf(direction: Direction, kind: Kind, height: number): LayerDoc {
  const { reverse, input, recurrent, biasInput, biasRecurrent, projection, vectors } = direction;
  return {
    place: `l${height}${reverse ? ".reverse" : ""}`,
    layer: height,
    reverse,
    input: input.shape[1],
    hidden: unitsOf(direction, kind),
    output: widthOf(direction, kind),
    weights: {
      input: pack(input),
      recurrent: pack(recurrent),
      bias_input: biasInput && pack(biasInput),
      bias_recurrent: biasRecurrent && pack(biasRecurrent),
      projection: projection && pack(projection),
      vectors: Object.fromEntries(Object.entries(vectors).map(([name, tensor]) => [name, pack(tensor)])),
    },
  };
}

function pack({ values, shape }: Tensor): Packed {
  return packed(values, shape, values instanceof Float64Array ? "f8" : "f4");
}

/** Numbers of mean 0 and variance 1, the same each time. */
function noise(count: number): Float64Array {
  let seed = 20180101;
  const uniform = (): number => {
    seed = (seed * 48271) % 2147483647; // Park and Miller, Communications of the ACM 31(10), 1988, with their multiplier of 1993
    return seed / 2147483647;
  };
  return Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}
