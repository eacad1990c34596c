/** Adam, as torch.optim.Adam steps: Kingma & Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1. */

const [FIRST, SECOND, EPSILON] = [0.9, 0.999, 1e-8];

export class Adam {
  readonly mean: Float64Array;
  readonly square: Float64Array;

  constructor(
    count: number,
    public step = 0,
  ) {
    this.mean = new Float64Array(count);
    this.square = new Float64Array(count);
  }

  update(numbers: Float64Array, gradient: Float64Array, rate: number): void {
    const { mean, square } = this;
    this.step += 1;
    const size = rate / (1 - FIRST ** this.step);
    const root = Math.sqrt(1 - SECOND ** this.step);
    for (let k = 0; k < numbers.length; k++) {
      const slope = gradient[k];
      mean[k] += (slope - mean[k]) * (1 - FIRST);
      square[k] = square[k] * SECOND + (1 - SECOND) * slope * slope;
      numbers[k] -= (size * mean[k]) / (Math.sqrt(square[k]) / root + EPSILON);
    }
  }
}

/** A gradient longer than `most` is shortened to it: Pascanu, Mikolov & Bengio 2013. */
export function clip(gradient: Float64Array, most: number): void {
  let squares = 0;
  for (let k = 0; k < gradient.length; k++) squares += gradient[k] * gradient[k];
  const length = Math.sqrt(squares);
  if (length > most) for (let k = 0; k < gradient.length; k++) gradient[k] *= most / length;
}
