/** How many results are kept, so that a long text does not fill the browser's memory. */

import type { Done } from "./recurrence";

const KEPT_RUNS = 6;

const MANY = 2e7; // numbers of a run, 160 MB: of such two are kept, as edited and as it was

/** Runs of so many numbers that are kept. */
export function runsOf(numbers: number): number {
  return numbers > MANY ? 2 : KEPT_RUNS;
}

const KEPT_LAYERS = 4;

const ROOM = 5e7; // numbers of a layer's results that are kept, beside the newest

/** The newest, and as many of the others as there is room for. */
export function kept(results: Done[]): Done[] {
  let room = ROOM;
  const fits = ({ sites }: Done): boolean => (room -= Object.values(sites).reduce((sum, { data }) => sum + data.length, 0)) > 0;
  return results.slice(0, KEPT_LAYERS).filter((one, k) => k === 0 || fits(one));
}
