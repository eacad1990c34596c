/** A run in the page, computed layer by layer as it is asked for: a picture of one layer need not wait for those above it. */

import type { LayerDoc } from "../document/schema";
import type { Place, Run, Values } from "./types";
import { row, values } from "./values";

/** A layer that is being computed, a slice at a time. */
export interface Job {
  readonly sites: Record<string, Values>;
  readonly share: number; // done, 0 to 1
  advance(milliseconds: number): boolean; // whether all is there
}

const SLICE = 40; // milliseconds that the page may stand still

/** How a layer is computed from what it reads, and the head from the last layer's outputs. */
export interface Work {
  names(layer: LayerDoc): string[];
  initial(layer: LayerDoc): Record<string, Float64Array>;
  job(layer: LayerDoc, input: Values): Job;
  head(outputs: Values): Values | null;
  output: string; // the site that the layer above reads
}

export class LazyRun implements Run {
  readonly places: Record<string, LazyPlace> = {};
  readonly steps: number;
  private readonly reads: Values[];
  private squashed: Values | null | undefined;
  private ended: Values | null | undefined;

  /** levels: the layers from below, both directions of one side by side. */
  constructor(
    readonly item: number,
    readonly input: Values,
    private readonly levels: LayerDoc[][],
    private readonly work: Work,
  ) {
    this.steps = input.steps;
    this.reads = [input];
    levels.forEach((level, height) => {
      for (const layer of level) this.places[layer.place] = new LazyPlace(layer, work, () => this.read(height));
    });
  }

  /** What the layers at this height read; at the top, what the head does. */
  private read(height: number): Values {
    for (let k = this.reads.length; k <= height; k++) {
      this.reads.push(sideBySide(this.levels[k - 1].map(({ place }) => this.places[place].sites[this.work.output])));
    }
    return this.reads[height];
  }

  get head(): Values | null {
    if (this.squashed === undefined) this.squashed = this.work.head(this.read(this.levels.length));
    return this.squashed;
  }

  get output(): Values {
    return this.read(this.levels.length);
  }

  /** Computed by itself: at one step the directions stand at the two ends of the sequence. */
  get ending(): Values | null {
    if (this.ended === undefined) {
      const ends = this.levels[this.levels.length - 1].map(({ place, reverse }) => {
        const from = this.places[place].sites[this.work.output];
        return { ...from, steps: 1, data: row(from, reverse ? 0 : from.steps - 1) };
      });
      const joined = sideBySide(ends);
      this.ended = this.work.head(joined) ?? joined;
    }
    return this.ended;
  }

  shareOf(place: string): number {
    const upTo = this.levels.slice(0, this.levels.findIndex((level) => level.some((one) => one.place === place)) + 1).flat();
    return upTo.reduce((sum, one) => sum + this.places[one.place].share, 0) / upTo.length;
  }

  get done(): boolean {
    return this.squashed !== undefined && Object.values(this.places).every((place) => place.ready);
  }

  advance(): void {
    const next = this.levels.flat().find(({ place }) => !this.places[place].ready);
    if (next) this.places[next.place].advance(SLICE);
    else void this.head;
  }
}

class LazyPlace implements Place {
  private found: Record<string, Values> | null = null;
  private job: Job | null = null;
  private given: Record<string, Float64Array> | null = null;

  constructor(
    private readonly layer: LayerDoc,
    private readonly work: Work,
    private readonly read: () => Values,
  ) {}

  get names(): string[] {
    return this.work.names(this.layer);
  }

  get ready(): boolean {
    return this.found !== null;
  }

  get input(): Values {
    return this.read();
  }

  get initial(): Record<string, Float64Array> {
    this.given ??= this.work.initial(this.layer);
    return this.given;
  }

  get sites(): Record<string, Values> {
    if (!this.found) this.advance(Infinity);
    return this.found!;
  }

  get share(): number {
    return this.found ? 1 : (this.job?.share ?? 0);
  }

  advance(milliseconds: number): void {
    this.job ??= this.work.job(this.layer, this.input);
    if (!this.job.advance(milliseconds)) return;
    this.found = this.job.sites;
    this.job = null;
  }
}

/** The outputs of both directions as one. */
export function sideBySide(outputs: Values[]): Values {
  if (outputs.length === 1) return outputs[0];
  const width = outputs.reduce((sum, one) => sum + one.width, 0);
  const error = outputs.some((one) => one.error) ? outputs.flatMap((one) => Array.from(one.error ?? new Float64Array(one.width))) : null;
  const joined = values(outputs[0].steps, width, error);
  for (let time = 0; time < joined.steps; time++) {
    let offset = 0;
    for (const one of outputs) {
      row(joined, time).set(row(one, time), offset);
      offset += one.width;
    }
  }
  return joined;
}
