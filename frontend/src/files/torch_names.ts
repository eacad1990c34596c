/** Recurrent layers among tensors with torch's names, wherever they stand: "encoder.rnn.weight_ih_l0" and all that belong to it. */

import { type Contents, checked, type Direction, type Kind, type Stack } from "./layers";
import { type Tensor, UnreadableFile } from "./tensor";

const FIRST = /^(?:(.*)\.)?weight_ih(_l0)?$/s;
const PART = /^(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr|p_[ifo])(?:_l(\d+)(_reverse)?)?$/;
const MOST = 20_000; // tensors
const KINDS: Record<number, Kind> = { 4: "lstm", 3: "gru", 1: "rnn" }; // rows of weights to each unit

/** UnreadableFile if none of them is a recurrent layer. */
export function layersOf(tensors: Map<string, Tensor>): Contents {
  if (tensors.size > MOST) throw new UnreadableFile(`it holds ${tensors.size} tensors: expected no more than ${MOST}`);
  const stacks: Stack[] = [];
  const left: string[] = [];
  const used = new Set<string>();
  for (const first of tensors.keys()) {
    const match = FIRST.exec(first);
    if (!match) continue;
    const name = match[1] ?? "";
    const start = name ? `${name}.` : "";
    const own = [...tensors.keys()].filter((one) => one.startsWith(start) && !one.slice(start.length).includes("."));
    for (const one of own) used.add(one);
    try {
      stacks.push(checked(stackOf(name, new Map(own.map((one) => [one.slice(start.length), tensors.get(one)!])))));
    } catch (problem) {
      if (!(problem instanceof UnreadableFile)) throw problem;
      left.push(`${name || "the layer"}: ${problem.message}`);
    }
  }
  const others = [...tensors.keys()].filter((name) => !used.has(name));
  if (others.length)
    left.push(`${others.slice(0, 6).join(", ")}${others.length > 6 ? ` and ${others.length - 6} more` : ""}: not of a recurrent layer`);
  return { stacks, left };
}

function stackOf(name: string, tensors: Map<string, Tensor>): Stack {
  const found = new Map<string, Map<string, Tensor>>(); // "0", "0_reverse" -> part -> tensor
  for (const [own, tensor] of tensors) {
    const match = PART.exec(own);
    if (!match) throw new UnreadableFile(`it has ${own}, which the page does not know: open it in Python, byhand.load_weights`);
    const place = `${match[2] ?? 0}${match[3] ?? ""}`;
    found.set(place, (found.get(place) ?? new Map()).set(match[1], tensor));
  }
  const places = [...found.keys()];
  const height = 1 + places.reduce((most, place) => Math.max(most, Number.parseInt(place, 10)), 0);
  const both = found.has("0_reverse");
  const wanted = Array.from({ length: Math.min(height, places.length) }, (_, level) => [`${level}`, ...(both ? [`${level}_reverse`] : [])]);
  const missing = wanted.flat().filter((place) => !found.has(place));
  if (missing.length || wanted.flat().length !== places.length)
    throw new UnreadableFile(`it has the levels ${places.join(", ")}: expected ${wanted.flat().join(", ")}`);
  const levels = wanted.map((level) => level.map((place) => directionOf(place, found.get(place)!)));
  const { kind, notes } = kindOf(levels[0][0]);
  return { name, kind, levels, notes };
}

function directionOf(place: string, parts: Map<string, Tensor>): Direction {
  const part = (name: string): Tensor => {
    const tensor = parts.get(name);
    if (!tensor) throw new UnreadableFile(`level ${place} has no ${name}`);
    return tensor;
  };
  return {
    reverse: place.endsWith("_reverse"),
    input: part("weight_ih"),
    recurrent: part("weight_hh"),
    biasInput: parts.get("bias_ih") ?? null,
    biasRecurrent: parts.get("bias_hh") ?? null,
    projection: parts.get("weight_hr") ?? null,
    vectors: Object.fromEntries([...parts].filter(([name]) => name.startsWith("p_"))),
  };
}

/** By the rows of weights to each unit, as byhand.load_weights has it; names alone do not say more. */
function kindOf({ input, recurrent, projection, vectors }: Direction): { kind: Kind; notes: string[] } {
  const units = projection ? projection.shape[1] : recurrent.shape[1];
  const rows = input.shape[0] / units;
  const kind = KINDS[rows];
  if (!kind) throw new UnreadableFile(`${rows} rows of weights to each of ${units} units: an LSTM has 4, a GRU 3 and an RNN 1`);
  const peepholes = Object.keys(vectors).length;
  if (peepholes && (kind !== "lstm" || peepholes < 3))
    throw new UnreadableFile(`it has ${Object.keys(vectors).join(", ")}: expected p_i, p_f and p_o, of an LSTM`);
  if (peepholes) return { kind: "peephole", notes: [] };
  return { kind, notes: kind === "rnn" ? ["The file does not say which function the RNN has: tanh is taken."] : [] };
}
