/** Which stages of the tour are solved, kept in the browser from one opening to the next. */

import { STAGES } from "./address";
import type { Kept } from "./kept";

const NAME = "tour";

export class Progress {
  private readonly solved: Set<number>;

  constructor(private readonly kept: Kept) {
    this.solved = new Set(numbersIn(kept.read(NAME)));
  }

  has(stage: number): boolean {
    return this.solved.has(stage);
  }

  add(stage: number): void {
    if (this.solved.has(stage)) return;
    this.solved.add(stage);
    this.kept.write(NAME, JSON.stringify([...this.solved]));
  }

  clear(): void {
    this.solved.clear();
    this.kept.write(NAME, "[]");
  }

  get count(): number {
    return this.solved.size;
  }

  /** The first stage that is not solved; the number of stages when all are. */
  get next(): number {
    for (let stage = 0; stage < STAGES; stage++) if (!this.solved.has(stage)) return stage;
    return STAGES;
  }
}

/** Out of what somebody else may have written. */
function numbersIn(text: string | null): number[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter((one) => Number.isInteger(one) && one >= 0 && one < STAGES) : [];
  } catch {
    return [];
  }
}
