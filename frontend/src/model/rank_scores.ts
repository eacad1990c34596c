/** How well values go with a track, by ranks: as src/byhand/explain/rank_scores.py, where the equations stand. */

/** The ranks, less their mean; of equal values the mean of their ranks. */
export function centredRanks(values: Float64Array): Float64Array {
  const steps = values.length;
  const ordered = values.slice().sort();
  const ranks = new Float64Array(steps); // of the ordered ones
  for (let first = 0; first < steps; ) {
    let last = first;
    while (last + 1 < steps && ordered[last + 1] === ordered[first]) last++;
    ranks.fill((first + last) / 2 - (steps - 1) / 2, first, last + 1);
    first = last + 1;
  }
  return values.map((value) => ranks[below(ordered, value)]); // to look a value up is faster than to sort the steps by it
}

/** How many of the ordered ones are below. */
export function below(ordered: Float64Array, value: number): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordered[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether it is 0 or 1 throughout. */
export const isFlag = (track: Float64Array): boolean => track.every((one) => one === 0 || one === 1);

export const onesOf = (track: Float64Array): number => track.reduce((sum, one) => sum + (one === 1 ? 1 : 0), 0);

export function centred(track: Float64Array): Float64Array {
  if (!isFlag(track)) return centredRanks(track);
  const mean = onesOf(track) / track.length;
  return track.map((one) => one - mean);
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/** What a·b is multiplied with to be the score; a, b: centred. NaN where the values never change. */
export function perProduct(track: Float64Array, a: Float64Array, b: Float64Array): number {
  if (a.every((one) => one === 0)) return NaN;
  const ones = onesOf(track);
  // 2 AUC − 1 = 2 a·b / (n₀ n₁); Spearman's ρ = a·b / (|a| |b|)
  return isFlag(track) ? 2 / (ones * (track.length - ones)) : 1 / Math.sqrt(dot(a, a) * dot(b, b));
}
