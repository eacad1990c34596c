/** A training: epoch after epoch, with what is kept of it, so that it can be rewound. Without a page, and without a clock of its own. */

import type { PlayDoc } from "../document/schema";
import { Adam, clip } from "./adam";
import { fold, masks } from "./fold";
import { answersOf, rightOf } from "./loss";
import { type Batch, Net, type Part } from "./net";
import { Source } from "./random";
import type { Settings } from "./settings";
import { batchOf, checked, type Sequence, type Task, taskOf } from "./tasks";

/** The state of a training after an epoch. */
export interface Snapshot {
  epoch: number;
  numbers: Float64Array;
  adam: { step: number; mean: Float64Array; square: Float64Array };
}

export interface Losses {
  epochs: number[];
  losses: number[];
}

/** What is to be seen of the training as it stands. */
export interface Report {
  epoch: number;
  loss: number; // of sequences that are not trained on; of the companies their own
  right: number; // the share of answers that are
  path: number[]; // how large the gradient is that arrives at each step
  maps: Record<string, Float64Array>; // site -> steps × units, of the sequence that is shown
  answers: number[]; // of that sequence: answers × outputs
  curve: Losses;
  kept: number[]; // the epochs that it can be rewound to
  broken: boolean; // a number is no longer finite
}

const LONGEST = 1; // of a gradient
const MOST_KEPT = 48;
const MOST_LOSSES = 400;
const SHOWN = 4;

export class Trainer {
  readonly task: Task;
  readonly net: Net;
  readonly shown: Sequence[]; // the first is the one that the report shows
  epoch = 0;
  snapshots: Snapshot[] = [];
  curve: Losses = { epochs: [], losses: [] };
  private readonly check: Batch;
  private adam: Adam;
  private stride = 1; // epochs between snapshots
  private coarse = 1; // epochs in a point of the curve
  private sum = 0; // of the losses since the last one
  private summed = 0;

  constructor(
    private readonly play: PlayDoc,
    readonly settings: Settings,
  ) {
    const { cell, held, biases } = play.cells[settings.cell];
    this.task = taskOf(settings);
    const lesson = this.task.name === "companies";
    this.net = new Net(cell, fold(held, masks(cell.sites, settings.held)), {
      inputs: this.task.inputs.length,
      units: settings.units,
      outputs: lesson && settings.units === 1 ? 0 : this.task.outputs.length,
      biases: lesson ? 1 : biases,
    });
    this.begin();
    this.adam = new Adam(this.net.numbers.length);
    const drawn = checked(this.task, settings.seed);
    this.check = batchOf(this.task, drawn);
    this.shown = drawn.slice(0, SHOWN);
    this.keep();
  }

  /** torch's own start: evenly up to 1/√units; of the one unit of LSTM.py its normal numbers, and no bias. */
  private begin(): void {
    const { net, settings, play } = this;
    const source = new Source(settings.seed, 0);
    const lesson = settings.task === "companies" && settings.units === 1;
    if (lesson && settings.cell === "lstm" && settings.seed === play.lesson.seed) {
      for (const [name, values] of Object.entries(play.lesson.numbers)) net.of(name)!.set(values);
      return;
    }
    for (const { name } of net.parts) {
      const values = net.of(name)!;
      const draw = lesson ? () => (name.startsWith("bias") ? 0 : source.normal()) : () => source.even(1 / Math.sqrt(settings.units));
      for (let k = 0; k < values.length; k++) values[k] = draw();
    }
  }

  /** One epoch. */
  step(): void {
    const { task, net, settings } = this;
    if (this.snapshots.at(-1)!.epoch > this.epoch) this.forget();
    const source = new Source(settings.seed, 2, this.epoch);
    let sum = 0;
    for (let number = 0; number < task.batches; number++) {
      const drawn = Array.from({ length: task.size }, (_, k) => task.draw(source, number * task.size + k));
      sum += net.learn(batchOf(task, drawn));
      if (task.name !== "companies") clip(net.gradient, LONGEST);
      this.adam.update(net.numbers, net.gradient, settings.rate);
    }
    this.epoch += 1;
    this.record(sum / task.batches);
    if (this.epoch % this.stride === 0) this.keep();
  }

  private record(loss: number): void {
    this.sum += loss;
    this.summed += 1;
    if (this.summed < this.coarse) return;
    this.curve.epochs.push(this.epoch);
    this.curve.losses.push(this.sum / this.summed);
    [this.sum, this.summed] = [0, 0];
    if (this.curve.epochs.length < MOST_LOSSES) return;
    const { epochs, losses } = this.curve;
    this.coarse *= 2; // two points become one
    this.curve = {
      epochs: epochs.filter((_, k) => k % 2 === 1),
      losses: losses.filter((_, k) => k % 2 === 1).map((one, k) => (one + losses[2 * k]) / 2),
    };
  }

  private keep(last = false): void {
    if (this.snapshots.some((one) => one.epoch === this.epoch)) return;
    const { mean, square, step } = this.adam;
    this.snapshots.push({
      epoch: this.epoch,
      numbers: this.net.numbers.slice(),
      adam: { step, mean: mean.slice(), square: square.slice() },
    });
    if (last || this.snapshots.length <= MOST_KEPT) return;
    this.stride *= 2;
    this.snapshots = this.snapshots.filter(({ epoch }) => epoch % this.stride === 0);
  }

  /** To the snapshot of this epoch, or the last one before it. What came after stays, until it goes on from here. */
  rewind(epoch: number): void {
    const found = this.snapshots.filter((one) => one.epoch <= epoch).at(-1) ?? this.snapshots[0];
    this.epoch = found.epoch;
    this.net.numbers.set(found.numbers);
    this.adam = new Adam(found.numbers.length, found.adam.step);
    this.adam.mean.set(found.adam.mean);
    this.adam.square.set(found.adam.square);
    [this.sum, this.summed] = [0, 0];
  }

  /** Drops what came after the epoch at which it stands. */
  private forget(): void {
    this.snapshots = this.snapshots.filter((one) => one.epoch <= this.epoch);
    this.curve = this.curveSoFar();
  }

  private curveSoFar(): Losses {
    const { epochs, losses } = this.curve;
    const until = epochs.filter((one) => one <= this.epoch).length;
    return { epochs: epochs.slice(0, until), losses: losses.slice(0, until) };
  }

  /** Other sites are held from now on; the numbers stay. */
  hold(held: Record<string, number>): void {
    this.settings.held = held;
    const { cell, held: program } = this.play.cells[this.settings.cell];
    this.net.follow(fold(program, masks(cell.sites, held)));
  }

  report(): Report {
    const { net, task, check, epoch, curve } = this;
    const loss = net.learn(check);
    const path = [...net.path];
    const tape = net.tape(check.size, check.steps);
    const right = rightOf(answersOf(net, tape, check), check, task.tolerance);
    const one = batchOf(task, this.shown.slice(0, 1));
    const { units } = this.settings;
    const { sites } = net.cell;
    const maps = Object.fromEntries(sites.map((site) => [site, new Float64Array(one.steps * units)]));
    const run = net.run(one, (own, time) => {
      for (const site of sites) maps[site].set(own.result(time, `site.${site}`)!, time * units);
    });
    const answers = [...answersOf(net, run, one)];
    const kept = this.snapshots.map((snapshot) => snapshot.epoch);
    return { epoch, loss, right, path, maps, answers, curve, kept, broken: !net.numbers.every(Number.isFinite) };
  }

  /** All that a document of it needs. */
  result(): Result {
    this.keep(true);
    return {
      settings: this.settings,
      parts: this.net.parts,
      snapshots: this.snapshots.filter((one) => one.epoch <= this.epoch).map(({ epoch, numbers }) => ({ epoch, numbers })),
      curve: this.curveSoFar(),
      shown: this.shown,
    };
  }
}

export interface Result {
  settings: Settings;
  parts: Part[];
  snapshots: { epoch: number; numbers: Float64Array }[];
  curve: Losses;
  shown: Sequence[];
}
