/** Reading the document: checking what must hold for anything to be shown, and unpacking its numbers. */

import type { Doc, Packed } from "./schema";

/** A document that cannot be shown; the message is for people. */
export class BrokenDocument extends Error {}

/** As they are kept: float32 where that is all of them. */
export type Numbers = Float64Array | Float32Array;

/** A matrix, row after row. A vector is a matrix of one row. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Numbers;
}

const unpacked = new WeakMap<Packed, Numbers>();

/** All numbers of a packed array. Unpacked once, then kept. BrokenDocument. */
export function unpack(packed: Packed): Numbers {
  let data = unpacked.get(packed);
  if (!data) unpacked.set(packed, (data = decode(packed)));
  return data;
}

/** Numbers that were made in the page, as if they had been packed. */
export function given(data: Numbers, shape: number[]): Packed {
  const packed: Packed = { shape, dtype: "f8", data: "" };
  unpacked.set(packed, data);
  return packed;
}

export function matrix(packed: Packed): Matrix {
  const columns = columnsOf(packed);
  const data = unpack(packed);
  return { rows: columns ? data.length / columns : 0, columns, data };
}

function columnsOf({ shape }: Packed): number {
  return shape[shape.length - 1] ?? 1;
}

/** Numbers that may be written over, in float64. */
export function copied(packed: Packed): Float64Array {
  return Float64Array.from(unpack(packed));
}

const SIZES: Record<string, number> = { f2: 2, f4: 4, f8: 8, u1: 1, u2: 2 };

function decode(packed: Packed): Numbers {
  const { dtype } = packed;
  const bytes = bytesOf(packed.data);
  const count = packed.shape.reduce((product, size) => product * size, 1);
  const size = SIZES[dtype] ?? 0;
  if (!size || bytes.length !== count * size) {
    throw new BrokenDocument(`The page holds ${bytes.length} bytes where ${count} numbers (${dtype}) should be.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (dtype === "f8") return Float64Array.from({ length: count }, (_, k) => view.getFloat64(8 * k, true));
  if (dtype === "u1" || dtype === "u2") return levels(packed, count, view);
  const data = new Float32Array(count);
  if (dtype === "f4") for (let k = 0; k < count; k++) data[k] = view.getFloat32(4 * k, true);
  else for (let k = 0; k < count; k++) data[k] = half(view.getUint16(2 * k, true));
  return data;
}

function levels(packed: Packed, count: number, view: DataView): Float64Array {
  const [missing, columns, data] = [packed.dtype === "u1" ? 255 : 65535, columnsOf(packed), new Float64Array(count)];
  const end = (given: number | Packed | undefined, usual: number) =>
    typeof given === "object" ? unpack(given) : new Float64Array(columns).fill(given ?? usual);
  const [low, high] = [end(packed.low, 0), end(packed.high, 1)];
  for (let k = 0, column = 0; k < count; k++, column = column + 1 === columns ? 0 : column + 1) {
    const level = missing === 255 ? view.getUint8(k) : view.getUint16(2 * k, true);
    data[k] = level === missing ? NaN : low[column] + ((high[column] - low[column]) / (missing - 1)) * level;
  }
  return data;
}

/** A float16 by its bits: sign, five of the exponent, ten of the fraction. */
export function half(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * POWERS[exponent];
}

const POWERS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));

function bytesOf(base64: string): Uint8Array {
  let text: string;
  try {
    text = atob(base64);
  } catch {
    throw new BrokenDocument("The page holds numbers that are not base64: the file was cut short or changed.");
  }
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

/** The document in this text, or in this value. BrokenDocument says what is wrong with it. */
export function readDocument(given: unknown): Doc {
  let value = given;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      throw new BrokenDocument("What the page was given to show is not JSON: the file was cut short or changed.");
    }
  }
  const doc = value as Doc;
  if (typeof doc !== "object" || doc === null) throw new BrokenDocument("The page was given nothing to show.");
  if (doc.schema !== 1) {
    throw new BrokenDocument(`The page was given a document of version ${String(doc.schema)}; it can show version 1.`);
  }
  const lists: [string, unknown][] = [
    ["layers", doc.layers],
    ["items", doc.items],
    ["cell.sites", doc.cell?.sites],
  ];
  for (const [name, list] of lists) {
    if (!Array.isArray(list) || !list.length) throw new BrokenDocument(`The document has no ${name}.`);
  }
  if (doc.items.some((item) => !(item.steps >= 1))) throw new BrokenDocument("The document has a sequence without a step.");
  return doc;
}
