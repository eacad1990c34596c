/** A training as a document, so that every other view opens it. */

import { packed } from "../document/pack";
import type { Doc, HeadDoc, ItemDoc, PlayDoc, WeightsDoc } from "../document/schema";
import type { Part } from "./net";
import { USUAL } from "./settings";
import type { Sequence, Task } from "./tasks";
import { taskOf } from "./tasks";
import type { Result } from "./trainer";

const BUDGET = 1_500_000; // numbers of all snapshots together; fewer snapshots rather than more

export function documentOf({ settings, parts, snapshots, curve, shown }: Result, play: PlayDoc): Doc {
  const { cell, title } = play.cells[settings.cell];
  const task = taskOf(settings);
  const kept = evenly(snapshots, Math.max(2, Math.floor(BUDGET / snapshots[0].numbers.length)));
  const last = snapshots.at(-1)!;
  const head = headOf(parts, last.numbers, task);
  const heads = kept.map(({ numbers }) => headOf(parts, numbers, task));
  const { units } = settings;
  const losses = curve.epochs.map((epoch, k) => ({ epoch, loss: curve.losses[k] })).filter(({ loss }) => Number.isFinite(loss));
  return {
    schema: 1,
    title: `${nameOf(task)}: ${title}, ${units} ${units > 1 ? "units" : "unit"}, ${last.epoch.toLocaleString("en")} epochs`,
    about: task.about,
    telling: 0,
    name: "lstm",
    features: task.inputs,
    call: null,
    cell,
    layers: [
      {
        ...{ place: "l0", layer: 0, reverse: false, input: task.inputs.length, hidden: units, output: units },
        weights: weightsOf(parts, last.numbers),
      },
    ],
    items: shown.map((one, k) => itemOf(one, k, task)),
    head,
    answer: { at: task.every ? "every" : "last", kind: kindOf(task), spreads: null, offsets: null },
    computed: true,
    why_not: null,
    notices: [],
    training: {
      epochs: kept.map(({ epoch }) => epoch),
      losses,
      weights: kept.map(({ numbers }) => [weightsOf(parts, numbers)]),
      heads: heads.every((one) => one !== null) ? heads : null,
    },
    play,
  };
}

/** What the fragment of such a document's address holds, so that gates which were held are so there too. */
export function heldFragment(held: Record<string, number>): string {
  const edits = Object.entries(held).map(([site, value]) => `l0.${site}~all~all~${value}`);
  return edits.length ? `&edits=${edits.join(",")}` : "";
}

function nameOf({ name }: Task): string {
  return USUAL[name].title.replace(/^[a-z](?=[a-z])/, (letter) => letter.toUpperCase()); // not that of aⁿ bⁿ
}

function kindOf({ classes, inputs, outputs }: Task): "numbers" | "class" | "next" {
  return !classes ? "numbers" : inputs === outputs ? "next" : "class";
}

function weightsOf(parts: Part[], numbers: Float64Array): WeightsDoc {
  const found = new Map(parts.map((part) => [part.name, part]));
  const pack = (name: string) => {
    const part = found.get(name);
    return part ? packed(numbers.subarray(part.from, part.to), part.shape) : null;
  };
  const known = /^(weight_ih|weight_hh|bias_ih|bias_hh)_l0$|^head\./;
  const vectors = parts.filter(({ name }) => !known.test(name)).map(({ name }) => [name.replace(/_l0$/, ""), pack(name)!]);
  return {
    input: pack("weight_ih_l0")!,
    recurrent: pack("weight_hh_l0"),
    bias_input: pack("bias_ih_l0"),
    bias_recurrent: pack("bias_hh_l0"),
    projection: null,
    vectors: Object.fromEntries(vectors),
  };
}

function headOf(parts: Part[], numbers: Float64Array, task: Task): HeadDoc | null {
  const [weight, bias] = ["head.weight", "head.bias"].map((name) => parts.find((part) => part.name === name));
  if (!weight || !bias) return null;
  return {
    weight: packed(numbers.subarray(weight.from, weight.to), weight.shape),
    bias: packed(numbers.subarray(bias.from, bias.to), bias.shape),
    names: task.outputs,
    squash: task.classes ? "softmax" : "none",
  };
}

function itemOf(one: Sequence, k: number, task: Task): ItemDoc {
  const steps = one.targets.length;
  const wide = task.inputs.length;
  const input = task.symbols ? oneHot(one.x, wide) : one.x;
  const targets = task.every ? one.targets : one.targets.slice(-1);
  return {
    name: one.name ?? `sequence ${k}`,
    steps,
    input: packed(input, [steps, wide]),
    characters: task.symbols ? one.x.map((symbol) => task.inputs[symbol]) : null,
    initial: {},
    maps: null,
    answer: {
      steps,
      targets: packed(
        targets.map((target) => target ?? NaN),
        [targets.length, 1],
      ),
      offsets: null,
      labels: null,
    },
  };
}

function oneHot(symbols: number[], wide: number): Float64Array {
  const found = new Float64Array(symbols.length * wide);
  symbols.forEach((symbol, time) => (found[time * wide + symbol] = 1));
  return found;
}

/** At most so many, evenly chosen, both ends among them. */
function evenly<One>(all: One[], most: number): One[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, k) => all[Math.round((k * (all.length - 1)) / (most - 1))]);
}
