/** The page's side of a training: it lives as long as the page, whatever view is shown. */

import type { PlayDoc } from "../document/schema";
import { Host, type Order, type Reply } from "./host";
import type { Settings } from "./settings";
import type { Report, Result } from "./trainer";

const PAGE_SLICE = 8; // milliseconds of a frame's sixteen

export class Session {
  settings: Settings | null = null;
  report: Report | null = null;
  running = false;
  speed = 0; // epochs a second
  pace = 0;
  problem = ""; // what went wrong, in words
  inPage = false; // no worker: it runs between frames
  listener: (() => void) | null = null;
  private worker: { postMessage(order: Order): void } | null = null;
  private readonly asked = new Map<number, (result: Result) => void>();
  private sent: Order[] = []; // until the worker has answered: what a host in the page would have to do instead
  private count = 0;

  /** script: the text of the page's own script, which is the worker's too; null where it cannot be found. */
  constructor(
    private readonly play: PlayDoc,
    private readonly script: string | null,
  ) {}

  start(settings: Settings): void {
    this.settings = settings;
    [this.report, this.problem, this.running] = [null, "", false];
    this.order({ kind: "start", play: this.play, settings });
    this.order({ kind: "pace", pace: this.pace });
  }

  run(on: boolean): void {
    this.running = on;
    this.order({ kind: "run", on });
    this.listener?.();
  }

  setPace(pace: number): void {
    this.order({ kind: "pace", pace: (this.pace = pace) });
  }

  step(): void {
    this.order({ kind: "step" });
  }

  rewind(epoch: number): void {
    this.order({ kind: "rewind", epoch });
  }

  hold(held: Record<string, number>): void {
    this.settings!.held = held;
    this.order({ kind: "hold", held });
  }

  result(): Promise<Result> {
    const id = ++this.count;
    return new Promise((done) => {
      this.asked.set(id, done);
      this.order({ kind: "result", id });
    });
  }

  private order(order: Order): void {
    this.worker ??= this.open();
    if (!this.inPage && !this.report) this.sent.push(order);
    this.worker.postMessage(order);
  }

  private open(): { postMessage(order: Order): void } {
    try {
      if (this.script === null) throw new Error("no script");
      const address = URL.createObjectURL(new Blob([this.script], { type: "text/javascript" }));
      const worker = new Worker(address);
      worker.onmessage = ({ data }) => this.hear(data as Reply);
      worker.onerror = (event) => {
        event.preventDefault();
        if (this.worker !== worker) return;
        worker.terminate();
        this.worker = this.openInPage();
        for (const order of this.sent) this.worker.postMessage(order);
      };
      return worker;
    } catch {
      return this.openInPage();
    }
  }

  private openInPage(): { postMessage(order: Order): void } {
    this.inPage = true;
    const host = new Host((reply) => this.hear(reply), PAGE_SLICE);
    return { postMessage: (order) => void setTimeout(() => host.receive(structuredClone(order)), 0) };
  }

  private hear(reply: Reply): void {
    if (reply.kind === "result") {
      this.asked.get(reply.id)?.(reply.result);
      this.asked.delete(reply.id);
      return;
    }
    this.sent = [];
    if (reply.kind === "failed") [this.problem, this.running] = [reply.message, false];
    else [this.report, this.running, this.speed] = [reply.report, reply.running, reply.speed];
    this.listener?.();
  }
}
