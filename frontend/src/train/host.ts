/** Runs a training bit by bit and reports; in a worker, or between the frames of the page where there is none. */

import type { PlayDoc } from "../document/schema";
import type { Settings } from "./settings";
import { type Report, type Result, Trainer } from "./trainer";

export type Order =
  | { kind: "start"; play: PlayDoc; settings: Settings }
  | { kind: "run"; on: boolean }
  | { kind: "pace"; pace: number } // epochs a second; 0: as many as it can
  | { kind: "step" }
  | { kind: "rewind"; epoch: number }
  | { kind: "hold"; held: Record<string, number> }
  | { kind: "result"; id: number };

export type Reply =
  | { kind: "report"; report: Report; running: boolean; speed: number }
  | { kind: "result"; id: number; result: Result }
  | { kind: "failed"; message: string };

const REPORTS = 80; // milliseconds between reports, at least
const SHARE = 8; // a report takes no more than one part in so many

export class Host {
  private trainer: Trainer | null = null;
  private running = false;
  private pace = 0;
  private timer: ReturnType<typeof setTimeout> | 0 = 0;
  private since = 0; // when it was last set going, and at which epoch
  private first = 0;
  private reported = 0;
  private next = REPORTS;

  /** slice: milliseconds that it works at a time. */
  constructor(
    private readonly send: (reply: Reply) => void,
    private readonly slice: number,
  ) {}

  receive(order: Order): void {
    try {
      this.obey(order);
    } catch (problem) {
      this.run(false);
      this.send({ kind: "failed", message: problem instanceof Error ? problem.message : String(problem) });
    }
  }

  private obey(order: Order): void {
    if (order.kind === "start") {
      this.run(false);
      this.trainer = new Trainer(order.play, order.settings);
      return this.report();
    }
    const { trainer } = this;
    if (!trainer) return;
    switch (order.kind) {
      case "run":
        this.run(order.on);
        return order.on ? undefined : this.report();
      case "pace":
        this.pace = order.pace;
        return this.run(this.running);
      case "step":
        this.run(false);
        trainer.step();
        return this.report();
      case "rewind":
        this.run(false);
        trainer.rewind(order.epoch);
        return this.report();
      case "hold":
        trainer.hold(order.held);
        return this.report();
      case "result":
        return this.send({ kind: "result", id: order.id, result: trainer.result() });
    }
  }

  private run(on: boolean): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.running = on;
    this.since = performance.now();
    this.first = this.trainer?.epoch ?? 0;
    if (on) this.timer = setTimeout(() => this.work(), 0);
  }

  private work(): void {
    const trainer = this.trainer!;
    const until = performance.now() + this.slice;
    try {
      while (performance.now() < until) {
        if (this.pace && trainer.epoch - this.first >= ((performance.now() - this.since) * this.pace) / 1000) break;
        trainer.step();
      }
      if (performance.now() - this.reported >= this.next) this.report();
    } catch (problem) {
      this.run(false);
      return this.send({ kind: "failed", message: problem instanceof Error ? problem.message : String(problem) });
    }
    if (this.running) this.timer = setTimeout(() => this.work(), this.pace ? 1000 / this.pace / 2 : 0);
  }

  private report(): void {
    const started = performance.now();
    const trainer = this.trainer!;
    const report = trainer.report();
    if (report.broken) this.run(false);
    const seconds = (started - this.since) / 1000;
    const speed = this.running && seconds > 0 ? (trainer.epoch - this.first) / seconds : 0;
    this.send({ kind: "report", report, running: this.running, speed });
    this.reported = performance.now();
    this.next = Math.max(REPORTS, SHARE * (this.reported - started));
  }
}

/** In a worker: orders come as messages. */
export function serve(scope: { postMessage(message: Reply): void; onmessage: ((event: MessageEvent) => void) | null }): void {
  const host = new Host((reply) => scope.postMessage(reply), 40);
  scope.onmessage = (event) => host.receive(event.data as Order);
}
