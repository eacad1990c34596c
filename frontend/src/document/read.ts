/** Reading the document: checking what must hold for anything to be shown, and unpacking its numbers. */

import type { Doc, Packed } from "./schema";

/** A document that cannot be shown; the message is for people. */
export class BrokenDocument extends Error {}

/** A matrix, row after row. A vector is a matrix of one row. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Float64Array;
}

const unpacked = new WeakMap<Packed, Float64Array>();

/** All numbers of a packed array, in float64. Unpacked once, then kept. BrokenDocument. */
export function unpack(packed: Packed): Float64Array {
  let data = unpacked.get(packed);
  if (!data) {
    data = decode(packed);
    unpacked.set(packed, data);
  }
  return data;
}

export function matrix(packed: Packed): Matrix {
  const columns = packed.shape[packed.shape.length - 1] ?? 1;
  const data = unpack(packed);
  return { rows: columns ? data.length / columns : 0, columns, data };
}

function decode(packed: Packed): Float64Array {
  const bytes = bytesOf(packed.data);
  const count = packed.shape.reduce((product, size) => product * size, 1);
  const size = packed.dtype === "f8" ? 8 : packed.dtype === "f4" ? 4 : packed.dtype === "u1" ? 1 : 0;
  if (!size || bytes.length !== count * size) {
    throw new BrokenDocument(`The page holds ${bytes.length} bytes where ${count} numbers (${packed.dtype}) should be.`);
  }
  const data = new Float64Array(count);
  if (size === 1) {
    const low = packed.low ?? 0;
    const step = ((packed.high ?? 1) - low) / 254;
    for (let k = 0; k < count; k++) data[k] = bytes[k] === 255 ? NaN : low + step * bytes[k];
    return data;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let k = 0; k < count; k++) data[k] = size === 8 ? view.getFloat64(8 * k, true) : view.getFloat32(4 * k, true);
  return data;
}

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
