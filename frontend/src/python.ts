/** The edits as Python text that does the same. */

import type { SiteEdit, InitialEdit, WeightEdit } from "./changes";
import type { Doc, Edit } from "./types";

export function pythonOf(doc: Doc, edits: Edit[]): string {
  const on = edits.filter((edit) => edit.on);
  const sites = on.filter((edit) => edit.kind === "site");
  const weights = on.filter((edit) => edit.kind === "weight");
  const inputs = on.filter((edit) => edit.kind === "input");
  const initial = on.filter((edit) => edit.kind === "initial");
  const lines: string[] = [];
  if (sites.length) lines.push("import byhand");
  if (weights.length) lines.push("import torch");
  if (lines.length) lines.push("");
  if (weights.length) lines.push("with torch.no_grad():", ...weights.map((edit) => `    ${weightLine(doc, edit)}`));
  if (inputs.length) lines.push("x = x.clone()  # time, sequence, feature");
  lines.push(...inputs.map((edit) => `x[${edit.time}, ${edit.item}, ${edit.feature}] = ${number(edit.value)}`));
  if (initial.length) lines.push(...initialLines(doc, initial));
  const call = `y, _ = ${doc.name}(x${initial.length ? `, ${firstStates(doc)}` : ""})`;
  if (!sites.length) return [...lines, call].join("\n");
  return [...lines, ...editBlock(doc, sites), `    ${call}`].join("\n");
}

/** As a layer takes them: a tuple, or the one state there is. */
function firstStates({ cell }: Doc): string {
  const names = cell.state.map((state) => `${state}0`);
  return names.length > 1 ? `(${names.join(", ")})` : names[0];
}

/** with byhand.edit(lstm, {"l0.f": byhand.at(0.0, time=5, unit=3)}): */
function editBlock(doc: Doc, edits: SiteEdit[]): string[] {
  const byName = new Map<string, string[]>();
  for (const { place, site, value, time, unit } of edits) {
    const where = [time === null ? "" : `time=${time}`, unit === null ? "" : `unit=${unit}`].filter(Boolean);
    const change = where.length ? `byhand.at(${[number(value), ...where].join(", ")})` : number(value);
    const name = place ? `${place}.${site}` : site;
    byName.set(name, [...(byName.get(name) ?? []), change]);
  }
  const entries = [...byName].map(([name, changes]) => `${quoted(name)}: ${changes.length > 1 ? `[${changes.join(", ")}]` : changes[0]}`);
  const line = `with byhand.edit(${doc.name}, {${entries.join(", ")}}):`;
  if (line.length <= 100) return [line];
  return [`with byhand.edit(${doc.name}, {`, ...entries.map((entry) => `    ${entry},`), "}):"];
}

function weightLine(doc: Doc, { place, part, row, column, value }: WeightEdit): string {
  const { module, layer, reverse, hidden } = whose(doc, place);
  const suffix = place ? `_l${layer}${reverse ? "_reverse" : ""}` : "";
  if (part === "projection") return `${module}.weight_hr${suffix}[${row}, ${column}] = ${number(value)}`;
  const gate = doc.cell.gates[Math.floor(row / hidden)];
  const unit = row % hidden;
  const parts: Record<string, string> = {
    input: `weight_x[${unit}, ${column}]`,
    recurrent: `weight_h[${unit}, ${column}]`,
    bias_input: `bias[${unit}]`,
    bias_recurrent: `bias_h[${unit}]`,
  };
  if (!(part in parts)) return `${module}.${part}${suffix}[${row}] = ${number(value)}`;
  const which = place ? `layer=${layer}${reverse ? ", direction=1" : ""}` : "";
  return `${module}.gates(${which})[${quoted(gate)}].${parts[part]} = ${number(value)}`;
}

function initialLines(doc: Doc, edits: InitialEdit[]): string[] {
  const directions = new Set(doc.layers.map((layer) => layer.reverse)).size;
  const count = doc.layers.length;
  const lines = doc.cell.state.map((state, k) => {
    const width = k === 0 ? doc.layers[0].output : doc.layers[0].hidden;
    return `${state}0 = x.new_zeros(${count}, ${doc.items.length}, ${width})  # place, sequence, unit`;
  });
  for (const { place, item, state, unit, value } of edits) {
    const { layer, reverse } = whose(doc, place);
    lines.push(`${state}0[${layer * directions + (reverse ? 1 : 0)}, ${item}, ${unit}] = ${number(value)}`);
  }
  return lines;
}

/** The module that a place belongs to, as Python finds it. */
function whose(doc: Doc, place: string): { module: string; layer: number; reverse: boolean; hidden: number } {
  const found = doc.layers.find((one) => one.place === place);
  const path = place.replace(/\.?l\d+(\.reverse)?$/, "");
  const plain = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(path);
  const module = !path ? doc.name : plain ? `${doc.name}.${path}` : `${doc.name}.get_submodule(${quoted(path)})`;
  return { module, layer: found?.layer ?? 0, reverse: found?.reverse ?? false, hidden: found?.hidden ?? 1 };
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
