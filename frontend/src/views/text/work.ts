/** Work that is done between frames, a slice at a time, and can be stopped. */

const SLICE = 12; // milliseconds that the page may stand still

const REST = 4; // milliseconds in which it answers its reader

export class Work<Result> {
  private timer: ReturnType<typeof setTimeout> | 0 = 0;

  constructor(
    private readonly tell: (share: number) => void,
    private readonly ended: (result: Result | Error) => void,
  ) {}

  get running(): boolean {
    return this.timer !== 0;
  }

  start(steps: Generator<number, Result>): void {
    this.stop();
    const go = (): void => {
      this.timer = 0;
      const until = performance.now() + SLICE;
      try {
        for (;;) {
          const { done, value } = steps.next();
          if (done) return this.ended(value);
          if (performance.now() < until) continue;
          this.timer = setTimeout(go, REST);
          return this.tell(value);
        }
      } catch (problem) {
        this.ended(problem as Error);
      }
    };
    this.timer = setTimeout(go);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
