/** Reading an .onnx file: its graph's nodes and constants. onnx.ai, onnx/onnx.proto. */

import { bytesOf, fieldsOf, floats, integers, type Message, messages, texts } from "./protobuf";
import { sizeOf, type Tensor, tensorOf, UnreadableFile, WIDTHS } from "./tensor";

export interface Node {
  name: string;
  operator: string;
  inputs: string[]; // "": left out
  outputs: string[];
  attributes: Map<string, Message>;
}

export interface Graph {
  nodes: Node[];
  constants: Map<string, () => Tensor>; // read when they are asked for
}

const KINDS: Record<number, string> = { 1: "F32", 10: "F16", 11: "F64", 16: "BF16" };

/** UnreadableFile. */
export function readOnnx(file: Uint8Array): Graph {
  const [graph] = messages(fieldsOf(file), 7);
  if (!graph) throw new UnreadableFile("it has no graph: is it an .onnx file?");
  const nodes = messages(graph, 1).map(nodeOf);
  const constants = new Map(messages(graph, 5).map((tensor) => [texts(tensor, 8)[0] ?? "", () => constantOf(tensor)]));
  for (const { operator, outputs, attributes } of nodes) {
    const value = attributes.get("value");
    if (operator === "Constant" && value) constants.set(outputs[0], () => constantOf(messages(value, 5)[0]));
  }
  return { nodes, constants };
}

function nodeOf(message: Message): Node {
  return {
    name: texts(message, 3)[0] ?? "",
    operator: texts(message, 4)[0] ?? "",
    inputs: texts(message, 1),
    outputs: texts(message, 2),
    attributes: new Map(messages(message, 5).map((one) => [texts(one, 1)[0] ?? "", one])),
  };
}

function constantOf(message: Message | undefined): Tensor {
  const name = message ? (texts(message, 8)[0] ?? "a constant") : "a constant";
  const shape = message ? integers(message, 1) : [];
  const kind = message && KINDS[integers(message, 2)[0]];
  if (!message || !kind) throw new UnreadableFile(`${name} holds no floats`);
  if (message.has(13)) throw new UnreadableFile(`${name} lies in another file: open it in Python, byhand.open_onnx`);
  const [raw] = bytesOf(message, 9);
  const listed = floats(message, kind === "F64" ? 10 : 4, kind === "F64" ? 8 : 4);
  const halves = integers(message, 5); // float16 and bfloat16 one by one, as whole numbers
  const bytes = raw ?? (halves.length ? Uint8Array.from(halves.flatMap((bits) => [bits & 255, (bits >> 8) & 255])) : null);
  const count = bytes ? bytes.length / WIDTHS[kind] : listed.length;
  if (count !== sizeOf(shape) || shape.some((size) => size < 0))
    throw new UnreadableFile(`${name} has ${count} numbers: expected ${sizeOf(shape)} for [${shape.join(", ")}]`);
  return bytes ? tensorOf(kind, shape, bytes) : { shape, values: kind === "F64" ? Float64Array.from(listed) : Float32Array.from(listed) };
}

export function number(node: Node, name: string): number | null {
  const attribute = node.attributes.get(name);
  if (!attribute) return null;
  return integers(attribute, 3)[0] ?? floats(attribute, 2)[0] ?? 0;
}

export function word(node: Node, name: string): string | null {
  const attribute = node.attributes.get(name);
  return attribute ? (texts(attribute, 4)[0] ?? "") : null;
}

export function list(node: Node, name: string): { numbers: number[]; words: string[] } {
  const attribute = node.attributes.get(name);
  return attribute
    ? { numbers: [...integers(attribute, 8), ...floats(attribute, 7)], words: texts(attribute, 9) }
    : { numbers: [], words: [] };
}
