/** Numbers as places on an axis, the marks of an axis, and lines through points. */

export interface Scale {
  (value: number): number;
  invert(at: number): number;
  domain: [low: number, high: number];
  ticks(count: number): number[];
}

/** Steps of 1, 2 or 5 times a power of ten, about `count` of which lie between two numbers; each in the middle of the ratios it is for. */
function stepOf(from: number, to: number, count: number): number {
  const wanted = (to - from) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const left = wanted / power;
  return power * (left >= Math.sqrt(50) ? 10 : left >= Math.sqrt(10) ? 5 : left >= Math.SQRT2 ? 2 : 1);
}

/** k steps, as the nearest float: 3 · 0.1 is not 0.3, 3 / 10 is. */
const steps = (k: number, step: number): number => (step < 1 ? k / Math.round(1 / step) : k * step);

/** Round numbers from one to the other, about `count`. */
export function ticks(from: number, to: number, count: number): number[] {
  if (!(to > from)) return from === to ? [from] : [];
  const step = stepOf(from, to, count);
  const [first, last] = [Math.ceil(from / step - 1e-9), Math.floor(to / step + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, k) => steps(first + k, step));
}

/** round: its ends go out to the next round numbers, with about that count in between. */
export function linear([low, high]: number[], [start, end]: number[], round = 0): Scale {
  for (let turn = 0, step = 0; round && high > low && turn < 9; turn++) {
    const now = stepOf(low, high, round);
    if (now === step) break; // wider ends may have wider steps
    step = now;
    low = steps(Math.floor(low / step + 1e-9), step);
    high = steps(Math.ceil(high / step - 1e-9), step);
  }
  const each = (end - start) / (high - low || 1);
  const middle = high === low ? (start + end) / 2 : start;
  return Object.assign((value: number) => middle + (value - low) * each, {
    invert: (at: number) => low + (at - middle) / each,
    domain: [low, high] as [number, number],
    ticks: (count: number) => ticks(low, high, count),
  });
}

/** Powers of ten are as far from each other everywhere. round: its ends go out to the next ones. Below and above them it stays there. */
export function logarithmic([low, high]: number[], range: number[], round = true): Scale {
  let ends = [Math.log10(low), Math.log10(high)];
  if (round) ends = [Math.floor(ends[0] + 1e-9), Math.ceil(ends[1] - 1e-9)];
  const scale = linear(ends, range);
  return Object.assign((value: number) => scale(Math.max(ends[0], Math.min(ends[1], Math.log10(value)))), {
    invert: (at: number) => 10 ** scale.invert(at),
    domain: ends.map((power) => 10 ** power) as [number, number],
    ticks: (count: number) =>
      ticks(ends[0], ends[1], count)
        .filter(Number.isInteger)
        .map((power) => 10 ** power),
  });
}

/** The d of a line through points; where there is none, it has a gap. A point by itself is drawn as one. */
export function pathOf(points: Iterable<[x: number, y: number] | null>): string {
  let found = "";
  let length = 0;
  const close = (): void => {
    if (length === 1) found += "Z";
    length = 0;
  };
  for (const point of points) {
    if (point) found += `${length++ ? "L" : "M"}${point.map((one) => Math.round(one * 1000) / 1000).join()}`;
    else close();
  }
  close();
  return found;
}
