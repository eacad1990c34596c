/** The fast Fourier transform of a power of two, and with it the products of two rows with a third one turned round by every step. */

export class Fourier {
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  private readonly swaps: Uint32Array;

  /** size: a power of two. */
  constructor(readonly size: number) {
    this.cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sin = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    this.swaps = new Uint32Array(size);
    for (let k = 1; k < size; k++) this.swaps[k] = (this.swaps[k >> 1] >> 1) | (k & 1 ? size >> 1 : 0);
  }

  /** In place: X_k = Σ x_t e^(−2πi kt / size). */
  transform(real: Float64Array, imaginary: Float64Array): void {
    const { size, cos, sin, swaps } = this;
    for (let k = 0; k < size; k++) {
      const other = swaps[k];
      if (other <= k) continue;
      [real[k], real[other]] = [real[other], real[k]];
      [imaginary[k], imaginary[other]] = [imaginary[other], imaginary[k]];
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [c, s, low] = [cos[k * stride], sin[k * stride], start + k];
          const high = low + half;
          const re = real[high] * c + imaginary[high] * s;
          const im = imaginary[high] * c - real[high] * s;
          real[high] = real[low] - re;
          imaginary[high] = imaginary[low] - im;
          real[low] += re;
          imaginary[low] += im;
        }
      }
    }
  }
}

/** The transform of one row, or of two as real and imaginary part. */
export interface Spectrum {
  real: Float64Array;
  imaginary: Float64Array;
}

/** Rows of so many steps, turned round in time: what runs out at the end comes in at the start. */
export class Turning {
  private readonly fourier: Fourier;
  private readonly real: Float64Array;
  private readonly imaginary: Float64Array;

  constructor(readonly steps: number) {
    let size = 2;
    while (size < 2 * steps) size *= 2; // room for the row beside itself
    this.fourier = new Fourier(size);
    this.real = new Float64Array(size);
    this.imaginary = new Float64Array(size);
  }

  spectrum(row: Float64Array, other?: Float64Array): Spectrum {
    const [real, imaginary] = [new Float64Array(this.fourier.size), new Float64Array(this.fourier.size)];
    real.set(row);
    if (other) imaginary.set(other);
    this.fourier.transform(real, imaginary);
    return { real, imaginary };
  }

  /** a·b_s for every s, b_s = b turned round by s steps; the second row of `a` in `second`. */
  products(a: Spectrum, b: Spectrum, first: Float64Array, second: Float64Array): void {
    const { real, imaginary, steps } = this;
    const { size } = this.fourier;
    for (let k = 0; k < size; k++) {
      // conj(A · conj(B)): the transform of it is the conjugate of the way back
      real[k] = a.real[k] * b.real[k] + a.imaginary[k] * b.imaginary[k];
      imaginary[k] = a.real[k] * b.imaginary[k] - a.imaginary[k] * b.real[k];
    }
    this.fourier.transform(real, imaginary);
    for (let s = 0; s < steps; s++) {
      const around = size - steps + s;
      first[s] = (real[s] + (s ? real[around] : 0)) / size;
      second[s] = -(imaginary[s] + (s ? imaginary[around] : 0)) / size;
    }
  }
}
