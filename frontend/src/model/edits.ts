/** Edits, sorted by what they change and where. Only those that are switched on count. */

import type { Edit } from "./types";

export type SiteEdit = Extract<Edit, { kind: "site" }>;

export type InputEdit = Extract<Edit, { kind: "input" }>;

export type WeightEdit = Extract<Edit, { kind: "weight" }>;

export type InitialEdit = Extract<Edit, { kind: "initial" }>;

export function siteEdits(edits: Edit[], place: string): SiteEdit[] {
  return edits.filter((edit): edit is SiteEdit => edit.on && edit.kind === "site" && edit.place === place);
}

export function inputEdits(edits: Edit[], item: number): InputEdit[] {
  return edits.filter((edit): edit is InputEdit => edit.on && edit.kind === "input" && edit.item === item);
}

export function weightEdits(edits: Edit[], place: string): WeightEdit[] {
  return edits.filter((edit): edit is WeightEdit => edit.on && edit.kind === "weight" && edit.place === place);
}

export function initialEdits(edits: Edit[], item: number, place: string): InitialEdit[] {
  return edits.filter((edit): edit is InitialEdit => edit.on && edit.kind === "initial" && edit.item === item && edit.place === place);
}

/** Where an edit stands: two edits of the same target are one, the later value counts. */
export function targetOf(edit: Edit): string {
  switch (edit.kind) {
    case "site":
      return `site ${edit.place} ${edit.site} ${edit.time} ${edit.unit}`;
    case "input":
      return `input ${edit.item} ${edit.time} ${edit.feature}`;
    case "weight":
      return `weight ${edit.place} ${edit.part} ${edit.row} ${edit.column}`;
    case "initial":
      return `initial ${edit.item} ${edit.place} ${edit.state} ${edit.unit}`;
  }
}

/** The step from which on two lists of site edits differ; `steps` if they do not. In a reverse layer: counted from the end. */
export function firstDifference(a: SiteEdit[], b: SiteEdit[], steps: number, reverse: boolean): number {
  const word = (edit: SiteEdit): string => JSON.stringify([edit.site, edit.value, edit.time, edit.unit]);
  const [one, other] = [a.map(word), b.map(word)];
  if (one.join() === other.join()) return steps;
  const times = [...a.filter((_, k) => one[k] !== other[k]), ...b.filter((_, k) => one[k] !== other[k])].map((edit) => edit.time);
  return Math.min(...times.map((time) => (time === null ? 0 : reverse ? steps - 1 - time : time)));
}
