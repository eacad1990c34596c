/** Reading a .safetensors file. github.com/huggingface/safetensors, README: Format. */

import { sizeOf, type Tensor, tensorOf, UnreadableFile, WIDTHS } from "./tensor";

const MOST = 100_000_000; // bytes of a header, by the format's own rule

export interface Safetensors {
  tensors: Map<string, Tensor>; // of floats, by name
  others: string[]; // the names of all others
  about: Record<string, unknown>; // what else the header says
}

/** UnreadableFile. */
export function readSafetensors(file: Uint8Array): Safetensors {
  const header = headerOf(file);
  const from = 8 + header.length;
  const tensors = new Map<string, Tensor>();
  const others: string[] = [];
  let end = 0;
  const entries = Object.entries(header.entries).filter(([name]) => name !== "__metadata__");
  for (const [name, { dtype, shape, offsets }] of entries.map(([name, entry]) => [name, checked(name, entry)] as const).sort(byOffset)) {
    if (offsets[0] !== end) throw new UnreadableFile(`the numbers of ${name} begin at byte ${offsets[0]}: expected ${end}`);
    end = offsets[1];
    if (from + end > file.length) throw new UnreadableFile(`it ends in ${name}: the file was cut short`);
    if (!Object.hasOwn(WIDTHS, dtype)) {
      others.push(name);
      continue;
    }
    const bytes = WIDTHS[dtype] * sizeOf(shape);
    if (end - offsets[0] !== bytes)
      throw new UnreadableFile(`${name} holds ${end - offsets[0]} bytes: expected ${bytes} for [${shape.join(", ")}]`);
    tensors.set(name, tensorOf(dtype, shape, file.subarray(from + offsets[0], from + end)));
  }
  if (from + end !== file.length) throw new UnreadableFile(`it has ${file.length - from} bytes of numbers: expected ${end}`);
  const about = header.entries["__metadata__"];
  return { tensors, others, about: typeof about === "object" && about !== null ? { ...about } : {} };
}

function headerOf(file: Uint8Array): { length: number; entries: Record<string, unknown> } {
  if (file.length < 8) throw new UnreadableFile(`it has ${file.length} bytes: expected a header`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > Math.min(MOST, file.length - 8))
    throw new UnreadableFile("the length of its header is more than the file has: is it a .safetensors file?");
  let entries: unknown;
  try {
    entries = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, 8 + length)));
  } catch {
    throw new UnreadableFile("its header is not JSON: is it a .safetensors file?");
  }
  if (typeof entries !== "object" || entries === null || Array.isArray(entries))
    throw new UnreadableFile("its header is no list of tensors");
  return { length, entries: entries as Record<string, unknown> };
}

interface Entry {
  dtype: string;
  shape: number[];
  offsets: [number, number];
}

function checked(name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== "string" || !counts(shape) || !counts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    throw new UnreadableFile(`what its header says of ${name} is not a type, a shape and a place`);
  return { dtype, shape, offsets: [offsets[0], offsets[1]] };
}

function counts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

function byOffset([, one]: readonly [string, Entry], [, other]: readonly [string, Entry]): number {
  return one.offsets[0] - other.offsets[0] || one.offsets[1] - other.offsets[1];
}
