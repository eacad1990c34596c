/** The edits as Python text that does the same. */

import type { CallDoc, Doc, LayerDoc } from "../document/schema";
import type { InitialEdit, InputEdit, SiteEdit, WeightEdit } from "../model/edits";
import type { Edit } from "../model/types";
import { moduleOf, torchName, weightNames } from "../model/weight_names";
import { ofTheModel } from "./own";

const USUAL: CallDoc = {
  around: null,
  packed: false,
  batched: true,
  batch_first: false,
  lengths: null,
  states: false,
  random: false,
};

/** How the text differs from the usual one. */
export interface Form {
  lines(call: string): string[]; // in place of the line that calls the model
  steps: number; // of x as the text has it: what is changed at later steps is, once there are as many
}

const PLAIN: Form = { lines: (call) => [call], steps: Infinity };

/** snapshot: of the training, whose weights the page shows; null: those that the model has. */
export function pythonOf(doc: Doc, edits: Edit[], snapshot: number | null = null, form: Form = PLAIN): string {
  const all = edits.filter((edit) => edit.on);
  const on = ofTheModel(doc, all);
  const sites = on.filter((edit) => edit.kind === "site");
  const weights = on.filter((edit) => edit.kind === "weight");
  const call = doc.call ?? USUAL;
  const { before, scope, line } = callOf(doc, call, on);
  const lines: string[] = on.length < all.length ? ["# Changes of what you typed or drew are left out: it is not in x."] : [];
  if (sites.length || call.converted) lines.push("import byhand");
  const block = sites.length ? editBlock(doc, sites, form.steps) : [];
  if (weights.length || block.some((one) => one.includes("torch."))) lines.push("import torch");
  const packing = ["pad_packed_sequence", "pack_padded_sequence"].filter((name) =>
    [...before, line].some((one) => one.includes(`${name}(`)),
  );
  if (packing.length) lines.push(`from torch.nn.utils.rnn import ${packing.join(", ")}`);
  if (lines.length) lines.push("");
  if (call.converted) lines.push(`byhand.convert(${doc.name})  # in place, with the same parameters; back=True undoes it`);
  if (call.random) lines.push(`${doc.name}.eval()`);
  if (snapshot !== null && doc.training) lines.push(...epochLines(doc, doc.training.epochs[snapshot]));
  if (weights.length) lines.push("with torch.no_grad():", ...indented(weights.map((edit) => weightLine(doc, edit))));
  let last = form.lines(line);
  if (scope) last = [scope, ...indented(last)];
  if (sites.length) last = [...block, ...indented(last)];
  return [...lines, ...before, ...last].join("\n");
}

/** Loads the weights of an earlier epoch. */
function epochLines(doc: Doc, epoch: number): string[] {
  const { module } = whose(doc, doc.layers[0].place);
  return [
    `# The weights as after epoch ${epoch}, which are not the last. snapshots: what was given as training=,`,
    `# or byhand.explorer.Snapshots.load("snapshots.safetensors"), of the folder of its run`,
    `${module}.load_state_dict(next(one.state for one in snapshots.kept if one.epoch == ${epoch}))`,
  ];
}

/** The call as the page shows it: what stands before it, around it, and the line itself. */
function callOf(doc: Doc, call: CallDoc, edits: Edit[]): { before: string[]; scope: string | null; line: string } {
  const inputs = edits.filter((edit) => edit.kind === "input");
  const initial = edits.filter((edit) => edit.kind === "initial");
  const given = call.around === null ? doc.name : "layer";
  const unpacked = call.packed && !call.lengths && inputs.length > 0;
  const lines: string[] = [];
  if (unpacked) lines.push("x, lengths = pad_packed_sequence(x)");
  if (inputs.length)
    lines.push(`x = x.clone()  # ${call.batched ? (call.batch_first ? "sequence, time" : "time, sequence") : "time"}, feature`);
  lines.push(...inputs.map((edit) => `x[${inputIndex(call, edit)}] = ${number(edit.value)}`));
  const first = call.batch_first ? ", batch_first=True" : "";
  const padded = call.lengths ? `[${call.lengths.join(", ")}]` : unpacked ? "lengths" : null;
  const packed = padded && `x = pack_padded_sequence(x, ${padded}${first}, enforce_sorted=False)`;
  if (packed && (call.around === null || unpacked)) lines.push(packed);
  if (initial.length) lines.push(...initialLines(doc, call, given, initial));
  const states = initial.length ? `, ${firstStates(doc)}` : call.states ? (call.around === null ? ", hx" : ", *hx") : "";
  if (call.around === null) return { before: lines, scope: null, line: `y, _ = ${doc.name}(x${states})` };
  const line = `y = ${doc.name}(${call.around})`;
  if (!inputs.length && !initial.length) return { before: [], scope: null, line };
  const body = [call.states ? "x, *hx = given" : "x, = given", ...lines, states ? `return x${states}` : "return (x,)"];
  const { module } = whose(doc, doc.layers[0].place);
  return {
    before: ["def changed(layer, given):", ...indented(body), ""],
    scope: `with ${module}.register_forward_pre_hook(changed):`,
    line,
  };
}

function inputIndex({ batched, batch_first }: CallDoc, { time, item, feature }: InputEdit): string {
  if (!batched) return `${time}, ${feature}`;
  return batch_first ? `${item}, ${time}, ${feature}` : `${time}, ${item}, ${feature}`;
}

/** As a layer takes them: a tuple, or the one state there is. */
function firstStates({ cell }: Doc): string {
  const names = cell.state.map((state) => `${state}0`);
  return names.length > 1 ? `(${names.join(", ")})` : names[0];
}

export function indented(lines: string[]): string[] {
  return lines.map((line) => line && `    ${line}`);
}

/** with byhand.edit(lstm, {"l0.f": byhand.at(0.0, time=5, unit=3)}): */
function editBlock(doc: Doc, edits: SiteEdit[], steps: number): string[] {
  const byName = new Map<string, SiteEdit[]>();
  for (const edit of edits) {
    const name = edit.place ? `${edit.place}.${edit.site}` : edit.site;
    byName.set(name, [...(byName.get(name) ?? []), edit]);
  }
  const entries = [...byName].map(([name, of]) => {
    const changes = alike(doc, of).map((group) => changeText(group, steps));
    return `${quoted(name)}: ${changes.length > 1 ? `[${changes.join(", ")}]` : changes[0]}`;
  });
  const line = `with byhand.edit(${doc.name}, {${entries.join(", ")}}):`;
  if (line.length <= 100) return [line];
  return [`with byhand.edit(${doc.name}, {`, ...entries.map((entry) => `    ${entry},`), "}):"];
}

const FEW = 3; // units that are written one by one

/** Edits of all units of a layer at the same steps, which stand one behind the other, as one; the others alone. */
function alike(doc: Doc, edits: SiteEdit[]): SiteEdit[][] {
  const groups: SiteEdit[][] = [];
  for (const edit of edits) {
    const last = groups.at(-1);
    if (last && edit.unit === last.length && last[0].unit === 0 && edit.time === last[0].time) last.push(edit);
    else groups.push([edit]);
  }
  const { output, hidden } = whose(doc, edits[0].place).found;
  const all = edits[0].site === doc.cell.state[0] ? output : hidden;
  return groups.flatMap((group) => (group.length === all && all > FEW ? [group] : group.map((one) => [one])));
}

function changeText(group: SiteEdit[], steps: number): string {
  const [{ time, unit }] = group;
  const values = group.map(({ value }) => number(value));
  const many = values.length > 1;
  const change = many ? `torch.tensor([${values.join(", ")}], dtype=torch.float64)` : values[0];
  const when = time === null ? "" : `time=${time < steps ? time : `slice(${time}, ${time + 1})`}`;
  const where = [when, many || unit === null ? "" : `unit=${unit}`].filter(Boolean);
  return where.length ? `byhand.at(${[change, ...where].join(", ")})` : change;
}

/** lstm.weight_hh_l0[1, 0] = 0.5  # w_blue1, U_f */
function weightLine(doc: Doc, edit: WeightEdit): string {
  const names = weightNames(doc, edit);
  const symbol = names.symbol && names.summed.length ? `part of ${names.symbol}` : names.symbol;
  const also = [names.lesson, symbol].filter((one) => one && one !== torchName(names)).join(", ");
  const { module } = whose(doc, edit.place);
  return `${module}.${names.parameter}[${names.index.join(", ")}] = ${number(edit.value)}${also && `  # ${also}`}`;
}

function initialLines(doc: Doc, call: CallDoc, lstm: string, edits: InitialEdit[]): string[] {
  const directions = new Set(doc.layers.map((layer) => layer.reverse)).size;
  const names = doc.cell.state.map((state) => `${state}0`);
  const from = call.states ? (call.around === null ? "hx" : "hx[0]") : `${lstm}.first_states(x)`;
  const copy = call.states || call.batched ? "clone()" : "squeeze(1).clone()";
  const one = call.states ? from : `${from}[0]`;
  const lines = [names.length > 1 ? `${names.join(", ")} = (state.${copy} for state in ${from})` : `${names[0]} = ${one}.${copy}`];
  lines[0] += `  # place, ${call.batched ? "sequence, " : ""}unit`;
  for (const { place, item, state, unit, value } of edits) {
    const { layer, reverse } = whose(doc, place).found;
    const index = [layer * directions + (reverse ? 1 : 0), ...(call.batched ? [item] : []), unit];
    lines.push(`${state}0[${index.join(", ")}] = ${number(value)}`);
  }
  return lines;
}

/** The module that a place belongs to, as Python finds it. */
function whose(doc: Doc, place: string): { module: string; found: LayerDoc } {
  const found = doc.layers.find((one) => one.place === place)!;
  const path = moduleOf(place).module;
  const plain = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(path);
  const module = !path ? doc.name : plain ? `${doc.name}.${path}` : `${doc.name}.get_submodule(${quoted(path)})`;
  return { module, found };
}

/** A float in Python. */
function number(value: number): string {
  if (Number.isNaN(value)) return 'float("nan")';
  if (!Number.isFinite(value)) return `float("${value > 0 ? "inf" : "-inf"}")`;
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
