/** Reading protocol buffers: a message as its fields, by number. protobuf.dev, Encoding. */

import { UnreadableFile } from "./tensor";

/** Whole numbers are varints or parts of 4 and 8 bytes; all else are bytes. */
export type Field = bigint | Uint8Array;
export type Message = Map<number, Field[]>;

const BROKEN = "what it holds is not what an .onnx file holds: it was cut short, or is something else";

/** The fields of a message. UnreadableFile. */
export function fieldsOf(bytes: Uint8Array): Message {
  const message: Message = new Map();
  const reader = new Reader(bytes);
  while (!reader.done) {
    const key = Number(reader.varint());
    const field = reader.field(key & 7);
    const number = Math.floor(key / 8);
    const list = message.get(number);
    if (list) list.push(field);
    else message.set(number, [field]);
  }
  return message;
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.done) throw new UnreadableFile(BROKEN);
      const byte = this.bytes[this.at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new UnreadableFile(BROKEN);
  }

  /** What stands after a key of this kind. */
  field(kind: number): Field {
    if (kind === 0) return this.varint();
    if (kind === 1) return this.take(8);
    if (kind === 2) return this.take(Number(this.varint()));
    if (kind === 5) return this.take(4);
    throw new UnreadableFile(BROKEN);
  }

  private take(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) throw new UnreadableFile(BROKEN);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}

export function messages(message: Message, number: number): Message[] {
  return bytesOf(message, number).map(fieldsOf);
}

/** The parts of a field of bytes: messages, texts, or packed numbers. */
export function bytesOf(message: Message, number: number): Uint8Array[] {
  return (message.get(number) ?? []).map((field) => {
    if (typeof field === "bigint") throw new UnreadableFile(BROKEN);
    return field;
  });
}

export function texts(message: Message, number: number): string[] {
  return bytesOf(message, number).map((bytes) => new TextDecoder().decode(bytes));
}

/** Whole numbers, signed, packed or one by one. */
export function integers(message: Message, number: number): number[] {
  return (message.get(number) ?? []).flatMap((field) => {
    if (typeof field === "bigint") return [Number(BigInt.asIntN(64, field))];
    const reader = new Reader(field);
    const found: number[] = [];
    while (!reader.done) found.push(Number(BigInt.asIntN(64, reader.varint())));
    return found;
  });
}

/** Floats of 4 or 8 bytes, packed or one by one. */
export function floats(message: Message, number: number, width: 4 | 8 = 4): number[] {
  return bytesOf(message, number).flatMap((bytes) => {
    if (bytes.length % width) throw new UnreadableFile(BROKEN);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.length / width }, (_, k) =>
      width === 4 ? view.getFloat32(4 * k, true) : view.getFloat64(8 * k, true),
    );
  });
}
