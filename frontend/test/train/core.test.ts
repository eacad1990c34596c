/** Training in the page against torch: each task's loss and derivative with every cell; LSTM.py's twelve numbers after 300 epochs. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { PlayDoc } from "../../src/document/schema";
import { Adam } from "../../src/train/adam";
import { fold, masks } from "../../src/train/fold";
import { type Batch, Net } from "../../src/train/net";

interface Case {
  task: string;
  cell: string;
  held: Record<string, number>;
  head: boolean;
  inputs: number;
  outputs: number;
  batch: Record<string, never>;
  numbers: Record<string, number[]>;
  loss: number;
  gradient: Record<string, number[]>;
}

interface Fixture {
  play: PlayDoc;
  cases: Case[];
  lesson: { epochs: number; start: Record<string, number>; end: Record<string, number>; losses: number[] };
}

const UNITS = 3;
const COLOURS = { i: "green", f: "blue", g: "orange", o: "purple" };
const { play, cases, lesson }: Fixture = JSON.parse(readFileSync(process.env.BYHAND_FIXTURE!, "utf8"));

function batchOf(given: Record<string, never>): Batch {
  const { x, asked, targets } = given as unknown as Record<string, number[]>;
  return { ...given, x: Float64Array.from(x), asked: Int32Array.from(asked), targets: Float64Array.from(targets) } as unknown as Batch;
}

function close(found: number, expected: number, what: string, within = 1e-9): void {
  assert.ok(Math.abs(found - expected) <= within * Math.max(1, Math.abs(expected)), `${what}: ${found}, torch has ${expected}`);
}

for (const one of cases) {
  const { cell, held, biases } = play.cells[one.cell];
  test(`${one.task}, ${one.cell}${one.head ? "" : ", no head"}, ${JSON.stringify(one.held)}: loss and gradient`, () => {
    const program = fold(held, masks(cell.sites, one.held));
    const net = new Net(cell, program, { inputs: one.inputs, units: UNITS, outputs: one.head ? one.outputs : 0, biases });
    assert.deepEqual(net.parts.map(({ name }) => name).sort(), Object.keys(one.numbers).sort());
    for (const [name, values] of Object.entries(one.numbers)) net.of(name)!.set(values);
    for (const again of [1, 2]) {
      close(net.learn(batchOf(one.batch)), one.loss, `loss, time ${again}`);
      for (const { name } of net.parts) {
        const found = net.slopes(name)!;
        const expected = one.gradient[name] ?? new Array(found.length).fill(0);
        assert.equal(found.length, expected.length);
        found.forEach((value, k) => close(value, expected[k], `${name}[${k}], time ${again}`));
      }
    }
  });
}

test("a held program with nothing held computes what the cell's own does", () => {
  for (const { cell, held, biases } of Object.values(play.cells)) {
    const shape = { inputs: 2, units: UNITS, outputs: 1, biases };
    const nets = [cell.program!, fold(held, masks(cell.sites, {}))].map((program) => new Net(cell, program, shape));
    const batch: Batch = {
      ...{ steps: 5, size: 2, symbols: false, classes: false },
      x: Float64Array.from({ length: 20 }, (_, k) => Math.sin(k)),
      asked: Int32Array.from([8, 9]),
      targets: Float64Array.from([0.3, -0.4]),
    };
    const losses = nets.map((net) => {
      net.numbers.forEach((_, k) => (net.numbers[k] = Math.cos(3 * k)));
      return net.learn(batch);
    });
    close(losses[0], losses[1], cell.name, 1e-14);
    nets[0].gradient.forEach((value, k) => close(value, nets[1].gradient[k], `${cell.name} ${k}`, 1e-14));
  }
});

test("the twelve numbers of LSTM.py, 300 epochs", () => {
  const { cell, held } = play.cells.lstm;
  const net = new Net(cell, fold(held, masks(cell.sites, {})), { inputs: 1, units: 1, outputs: 0, biases: 1 });
  const parts: [string, (colour: string) => string][] = [
    ["weight_hh_l0", (colour) => `w_${colour}1`],
    ["weight_ih_l0", (colour) => `w_${colour}2`],
    ["bias_ih_l0", (colour) => `b_${colour}1`],
  ];
  const names = (part: (colour: string) => string): string[] => cell.gates.map((gate) => part(COLOURS[gate as "i"]));
  for (const [name, part] of parts) net.of(name)!.set(names(part).map((one) => lesson.start[one]));
  for (const [name, values] of Object.entries(play.lesson.numbers)) net.of(name)!.forEach((value, k) => close(value, values[k], name));
  const companies = [0, 1].map(
    (first): Batch => ({
      ...{ steps: 4, size: 1, symbols: false, classes: false, asked: Int32Array.of(3) },
      x: Float64Array.of(first, 0.5, 0.25, 1),
      targets: Float64Array.of(first),
    }),
  );
  const adam = new Adam(12);
  const epoch = (): number => {
    let sum = 0;
    for (const batch of companies) {
      sum += net.learn(batch) / 2;
      adam.update(net.numbers, net.gradient, 0.1);
    }
    return sum;
  };
  for (let k = 0; k < lesson.epochs; k++) close(epoch(), lesson.losses[k], `loss of epoch ${k}`, 1e-6);
  for (const [name, part] of parts)
    names(part).forEach((one, k) => close(net.of(name)![k], lesson.end[one], `${one} after ${lesson.epochs} epochs`, 1e-6));
  if (process.env.BYHAND_SPEED) {
    for (let k = 0; k < 20_000; k++) epoch();
    const start = performance.now();
    for (let k = 0; k < 100_000; k++) epoch();
    console.log(`${Math.round((1e5 / (performance.now() - start)) * 1e3)} epochs a second`);
  }
});
