/** Random numbers that depend on a key alone, so that a training that is rewound goes on as it did. */

export class Source {
  private state: number;

  constructor(...key: number[]) {
    this.state = key.reduce((state, one) => mixed(state ^ mixed(one + 0x9e3779b9)), 0x243f6a88);
  }

  /** From 0 up to 1, 1 left out: 53 bits out of two draws of splitmix32. */
  share(): number {
    return (this.bits() * 2 ** 21 + (this.bits() >>> 11)) / 2 ** 53;
  }

  private bits(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    return mixed(this.state) >>> 0;
  }

  /** A whole number from 0 up to, not including, count. */
  below(count: number): number {
    return Math.floor(this.share() * count);
  }

  /** Evenly from −most up to most. */
  even(most: number): number {
    return (2 * this.share() - 1) * most;
  }

  /** The normal distribution, of mean 0 and variance 1: Box & Muller 1958. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.share())) * Math.cos(2 * Math.PI * this.share());
  }
}

/** The finaliser of splitmix32. */
function mixed(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return bits ^ (bits >>> 15);
}
