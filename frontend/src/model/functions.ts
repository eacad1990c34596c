/** The functions of single numbers that a byhand program can hold (byhand.engine.program.FUNCTIONS), and their derivatives. */

/** A function over all units at once: out[j] = f(a[j], b[j], c[j]). */

export type Kernel = (out: Float64Array, a: Float64Array, b: Float64Array, c: Float64Array) => void;

const one =
  (f: (a: number) => number): Kernel =>
  (out, a) => {
    for (let j = 0; j < out.length; j++) out[j] = f(a[j]);
  };

const two =
  (f: (a: number, b: number) => number): Kernel =>
  (out, a, b) => {
    for (let j = 0; j < out.length; j++) out[j] = f(a[j], b[j]);
  };

export function sigmoid(a: number): number {
  return a >= 0 ? 1 / (1 + Math.exp(-a)) : 1 - 1 / (1 + Math.exp(a));
}

/** Half to even, as torch rounds. */
function round(a: number): number {
  const low = Math.floor(a);
  const rest = a - low;
  if (rest === 0.5) return low % 2 === 0 ? low : low + 1;
  return rest < 0.5 ? low : low + 1;
}

/** The error function: its power series near 0, its continued fraction further out; to about 1e-15. */
export function erf(a: number): number {
  const x = Math.abs(a);
  if (Number.isNaN(a)) return NaN;
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
      if (x === 0) break;
    }
    return (Math.sign(a) * 2 * sum) / Math.sqrt(Math.PI);
  }
  return Math.sign(a) * (1 - tail(x));
}

/** erfc for x ≥ 2.5. */
function tail(x: number): number {
  if (x > 28) return 0;
  let fraction = 0;
  for (let k = 120; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

export function erfc(a: number): number {
  if (a >= 2.5) return tail(a);
  return a <= -2.5 ? 2 - tail(-a) : 1 - erf(a);
}

/** 0 of NaN, as torch has it. */
const sign = (a: number): number => Number(a > 0) - Number(a < 0);

const bool = (a: boolean): number => (a ? 1 : 0);

export const FUNCTIONS: Record<string, (a: number, b: number, c: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  where: (a, b, c) => (a ? b : c),
  and: (a, b) => bool(!!a && !!b),
  or: (a, b) => bool(!!a || !!b),
  not: (a) => bool(!a),
  gt: (a, b) => bool(a > b),
  ge: (a, b) => bool(a >= b),
  lt: (a, b) => bool(a < b),
  le: (a, b) => bool(a <= b),
  eq: (a, b) => bool(a === b),
  ne: (a, b) => bool(a !== b),
  pow: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b), // 1 of any, as C and torch have it

  atan2: (a, b) => Math.atan2(a, b),
  sigmoid: (a) => sigmoid(a),
  tanh: (a) => Math.tanh(a),
  exp: (a) => Math.exp(a),
  expm1: (a) => Math.expm1(a),
  log: (a) => Math.log(a),
  log1p: (a) => Math.log1p(a),
  sqrt: (a) => Math.sqrt(a),
  abs: (a) => Math.abs(a),
  sign: (a) => sign(a),
  floor: (a) => Math.floor(a),
  ceil: (a) => Math.ceil(a),
  round: (a) => round(a),
  erf: (a) => erf(a),
  erfc: (a) => erfc(a),
  sin: (a) => Math.sin(a),
  cos: (a) => Math.cos(a),
  tan: (a) => Math.tan(a),
  asin: (a) => Math.asin(a),
  acos: (a) => Math.acos(a),
  atan: (a) => Math.atan(a),
  sinh: (a) => Math.sinh(a),
  cosh: (a) => Math.cosh(a),
  asinh: (a) => Math.asinh(a),
  acosh: (a) => Math.acosh(a),
  atanh: (a) => Math.atanh(a),
  exp2: (a) => 2 ** a,
  log2: (a) => Math.log2(a),
};

/** The same over all units. The commonest are written out: a loop with one operation in it is what a browser makes fast. */
export const KERNELS: Record<string, Kernel> = {
  ...Object.fromEntries(Object.entries(FUNCTIONS).map(([name, f]) => [name, f.length < 2 ? one(f as never) : two(f as never)])),
  add: (out, a, b) => {
    for (let j = 0; j < out.length; j++) out[j] = a[j] + b[j];
  },
  sub: (out, a, b) => {
    for (let j = 0; j < out.length; j++) out[j] = a[j] - b[j];
  },
  mul: (out, a, b) => {
    for (let j = 0; j < out.length; j++) out[j] = a[j] * b[j];
  },
  where: (out, a, b, c) => {
    for (let j = 0; j < out.length; j++) out[j] = a[j] ? b[j] : c[j];
  },
  copy: (out, a) => out.set(a),
};

const half = (first: boolean, same: boolean): number => (same ? 0.5 : first ? 1 : 0);

const root = Math.sqrt;

/** d f / d arguments, one after the other, given the arguments and the value y = f(a, b, c); torch's conventions at the corners. */
export const SLOPES: Record<string, (a: number, b: number, c: number, y: number) => number[]> = {
  copy: () => [1],
  add: () => [1, 1],
  sub: () => [1, -1],
  mul: (a, b) => [b, a],
  div: (_a, b, _c, y) => [1 / b, -y / b],
  neg: () => [-1],
  maximum: (a, b) => [half(a > b, a === b), half(b > a, a === b)],
  minimum: (a, b) => [half(a < b, a === b), half(b < a, a === b)],
  where: (a) => [0, a ? 1 : 0, a ? 0 : 1],
  pow: (a, b, _c, y) => [b === 0 ? 0 : b * a ** (b - 1), y === 0 ? 0 : y * Math.log(a)],
  atan2: (a, b) => [b / (a * a + b * b), -a / (a * a + b * b)],
  sigmoid: (_a, _b, _c, y) => [y * (1 - y)],
  tanh: (_a, _b, _c, y) => [1 - y * y],
  exp: (_a, _b, _c, y) => [y],
  expm1: (_a, _b, _c, y) => [y + 1],
  log: (a) => [1 / a],
  log1p: (a) => [1 / (1 + a)],
  sqrt: (_a, _b, _c, y) => [0.5 / y],
  abs: (a) => [sign(a)],
  erf: (a) => [(2 / root(Math.PI)) * Math.exp(-a * a)],
  erfc: (a) => [(-2 / root(Math.PI)) * Math.exp(-a * a)],
  sin: (a) => [Math.cos(a)],
  cos: (a) => [-Math.sin(a)],
  tan: (_a, _b, _c, y) => [1 + y * y],
  asin: (a) => [1 / root(1 - a * a)],
  acos: (a) => [-1 / root(1 - a * a)],
  atan: (a) => [1 / (1 + a * a)],
  sinh: (a) => [Math.cosh(a)],
  cosh: (a) => [Math.sinh(a)],
  asinh: (a) => [1 / root(a * a + 1)],
  acosh: (a) => [1 / root(a * a - 1)],
  atanh: (a) => [1 / (1 - a * a)],
  exp2: (_a, _b, _c, y) => [y * Math.LN2],
  log2: (a) => [1 / (a * Math.LN2)],
}; // comparisons, connectives, sign and roundings have slope 0 everywhere
