/** The store: what the page remembers, its history, and its listeners. */

import { targetOf } from "../model/edits";
import { given, place } from "../model/own";
import type { Edit, Model, Run } from "../model/types";
import { lastStep } from "../model/values";
import { start } from "./address";
import { withEdit } from "./edit_list";
import { pythonOf } from "./python";
import type { State, Store } from "./types";

/** What undo puts back, and redo again. */
interface Step {
  before: Partial<State>;
  after: Partial<State>;
}

const HISTORY = 200;

const PAUSE = 1000; // milliseconds after which further turns of a wheel are a change of their own

const REST = 20; // milliseconds between slices of a layer, in which the page answers its reader

class PageStore implements Store {
  private past: Step[] = [];
  private future: Step[] = [];
  private readonly listeners = new Set<() => void>();
  private frame = 0;
  private timer: ReturnType<typeof setTimeout> | 0 = 0;
  private drag: { target: string; time: number } | null = null;
  private held = false;
  private moved: boolean; // from the first step
  private last: { item: number; edits: Edit[]; snapshot: number | null; run: Run } | null = null;

  constructor(
    readonly model: Model,
    private current: State,
  ) {
    this.moved = current.time > 0;
  }

  get state(): State {
    return this.current;
  }

  run(): Run {
    const { item, edits, snapshot } = this.current;
    const { last } = this;
    if (last?.item === item && last.edits === edits && last.snapshot === snapshot) return last.run; // views ask often
    const run = this.model.run(item, edits, snapshot);
    if (!run.done || !this.original().done) this.finish();
    this.last = { item, edits, snapshot, run };
    return run;
  }

  /** What no view has asked for yet is computed between frames, a slice at a time; then all of them draw once more. The original last. */
  private finish(): void {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      const waiting = [this.run(), this.original()].filter(({ done }) => !done);
      const place = waiting[0]?.shareOf(this.current.place);
      waiting[0]?.advance();
      if (waiting[0]?.done || place !== waiting[0]?.shareOf(this.current.place)) this.tell();
      if (waiting.some(({ done }) => !done)) this.finish();
    }, REST);
  }

  original(): Run {
    return this.model.run(this.current.item, [], this.current.snapshot);
  }

  set(patch: Partial<State>, options: { remember?: boolean } = {}): void {
    const fitted = fit(this.model, { ...this.current, ...patch, ...this.arrival(patch) });
    this.moved ||= fitted.time !== this.current.time;
    const changed = (Object.keys(fitted) as (keyof State)[]).filter((key) => fitted[key] !== this.current[key]);
    if (!changed.length) return;
    if (options.remember || changed.includes("edits")) {
      this.drag = null;
      this.remember(changed, fitted);
    }
    this.current = fitted;
    this.tell();
  }

  /** The Ledger is first read at the end, where it holds most, unless the reader has chosen a step. */
  private arrival({ view, time }: Partial<State>): Partial<State> {
    if (view !== "ledger" || this.moved || time !== undefined) return {};
    return { time: lastStep(this.model.doc, this.run(), this.current.place) };
  }

  edit(edit: Edit, options: { dragging?: boolean } = {}): void {
    if (!this.model.doc.computed || !Number.isFinite(edit.value)) return;
    const edits = withEdit(this.current.edits, edit);
    const target = targetOf(edit);
    const now = performance.now();
    const goesOn = options.dragging && this.drag?.target === target && (this.held || now - this.drag.time < PAUSE) && this.past.length > 0;
    if (goesOn) this.past[this.past.length - 1].after.edits = edits;
    else this.remember(["edits"], { ...this.current, edits });
    this.drag = options.dragging ? { target, time: now } : null;
    this.current = { ...this.current, edits };
    this.tell();
  }

  /** A pointer that is held goes on with the same change however long it rests; when it is let go, that change is over. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.drag = null;
  }

  abandon(): void {
    const step = this.drag && this.past.pop();
    if (!step) return;
    this.drag = null;
    this.current = fit(this.model, { ...this.current, ...step.before });
    this.tell();
  }

  private remember(keys: (keyof State)[], after: State): void {
    const kept = keys.filter((key) => key !== "playing");
    this.past.push({ before: pick(this.current, kept), after: pick(after, kept) });
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
  }

  undo(): void {
    this.walk(this.past, this.future, "before");
  }

  redo(): void {
    this.walk(this.future, this.past, "after");
  }

  private walk(from: Step[], to: Step[], which: keyof Step): void {
    const step = from.pop();
    if (!step) return;
    to.push(step);
    this.drag = null;
    this.current = fit(this.model, { ...this.current, ...step[which] });
    this.tell();
  }

  canUndo(): boolean {
    return this.past.length > 0;
  }

  canRedo(): boolean {
    return this.future.length > 0;
  }

  python(): string {
    return pythonOf(this.model.doc, this.current.edits, this.current.snapshot);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Views draw again though the state is the same: the look has changed around them. */
  refresh(): void {
    this.tell();
  }

  /** In the next frame, once, however much changes until then. */
  private tell(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      for (const listener of [...this.listeners]) listener();
    });
  }
}

export type OwnStore = PageStore;

export function makeStore(model: Model, state: State = start(model.doc)): PageStore {
  return new PageStore(model, fit(model, state));
}

function pick(state: State, keys: (keyof State)[]): Partial<State> {
  return Object.fromEntries(keys.map((key) => [key, state[key]]));
}

/** Brought into range: a shorter sequence has fewer steps, another place other units. */
function fit({ doc }: Model, state: State): State {
  const within = (value: number, count: number): number => Math.max(0, Math.min(count - 1, Math.round(value) || 0));
  const placed = state.own !== null && state.item >= given(doc) ? place(doc, state.own) : null;
  const item = placed ?? within(state.item, given(doc));
  const layer = doc.layers.find((one) => one.place === state.place) ?? doc.layers[0];
  const { steps } = doc.items[item];
  const span = state.span;
  const outside = span !== null && span[1] >= steps;
  const snapshots = doc.training?.epochs.length ?? 0;
  return {
    ...state,
    item,
    own: state.own !== null && state.item >= given(doc) ? (placed === null ? null : state.own) : state.own,
    place: layer.place,
    unit: within(state.unit, layer.hidden),
    time: within(state.time, steps),
    snapshot: state.snapshot === null || !snapshots ? null : within(state.snapshot, snapshots),
    span: outside ? (span[0] < steps ? [span[0], steps - 1] : null) : span,
  };
}
