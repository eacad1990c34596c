/** A trained network as a .safetensors file: float32, under torch's names. github.com/huggingface/safetensors, its README: Format. */

import { bytesOf } from "../document/pack";
import type { Part } from "./net";
import type { Settings } from "./settings";

const ALIGNED = 8; // bytes, at which the numbers begin

/** numbers: all, in the order of the parts. biases: of each gate; torch's second, where the training had only one, is 0. */
export function safetensors(parts: Part[], numbers: Float64Array, settings: Settings, biases: number): Uint8Array<ArrayBuffer> {
  const named: [name: string, shape: number[], values: ArrayLike<number>][] = [];
  for (const { name, shape, from, to } of parts) named.push([name, shape, numbers.subarray(from, to)]);
  const bias = parts.find(({ name }) => name === "bias_ih_l0")!;
  const names = parts.map(({ name }) => name);
  if (biases > 1 && names.includes("weight_hh_l0") && !names.includes("bias_hh_l0"))
    named.push(["bias_hh_l0", bias.shape, new Float64Array(bias.to - bias.from)]);
  const held = Object.entries(settings.held).map(([site, value]) => `${site}=${value}`);
  const about: Record<string, string> = { format: "pt", task: settings.task, cell: settings.cell };
  if (held.length) about["held"] = held.join(", ");
  const header: Record<string, unknown> = { __metadata__: about };
  let end = 0;
  const data = named.map(([name, shape, values]) => {
    const bytes = bytesOf(values, "f4");
    header[name] = { dtype: "F32", shape, data_offsets: [end, (end += bytes.length)] };
    return bytes;
  });
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / ALIGNED) * ALIGNED;
  const file = new Uint8Array(8 + length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(0x20, 8, 8 + length); // spaces, which JSON may end with
  file.set(text, 8);
  let at = 8 + length;
  for (const bytes of data) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/** The Python that reads the file again. */
export function pythonFor(settings: Settings, file: string): string {
  const cells: Record<string, string> = { lstm: "", gru: "", no_forget_gate: "no_forget_gate(byhand.cells.lstm)" };
  const own = cells[settings.cell] ?? settings.cell;
  return `lstm = byhand.load_weights("${file}"${own ? `, cell=byhand.cells.${own}` : ""})`;
}
