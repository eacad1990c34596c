/** The current values as CSV, in full: one unit with its inputs, or every unit of the layer. */

import type { Values } from "../model/types";
import { holds, valueAt } from "../model/values";
import type { Store } from "../state/types";
import { feature } from "../text/labels";
import { outputName } from "./outputs";

/** Quoted where it must be; a text that a spreadsheet would run as a formula is made harmless. */
export function field(value: string | number): string {
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : String(value);
  const text = value.length > 1 && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Empty where the unit was left out of the file. */
const cell = (values: Values, time: number, unit: number): string | number => (holds(values, unit) ? valueAt(values, time, unit) : "");

const lines = (rows: (string | number)[][]): string => `${rows.map((row) => row.map(field).join(",")).join("\r\n")}\r\n`;

/** A row for each step: the inputs, all sites of the chosen unit, the outputs. */
export function unitCsv(store: Store): string {
  const { state, model } = store;
  const run = store.run();
  const sites = run.places[state.place]?.sites ?? {};
  const letters = model.doc.items[state.item]?.characters;
  const columns: [name: string, value: (time: number) => string | number][] = [
    ["step", (time) => time + 1],
    ...(letters ? [["character", (time: number) => letters[time] ?? ""] as [string, (time: number) => string]] : []),
    ...columnsOf(run.input, (index) => feature(model.doc, index)),
    ...Object.keys(sites).map((site): [string, (time: number) => string | number] => [site, (time) => cell(sites[site], time, state.unit)]),
    ...(run.head ? columnsOf(run.head, (index) => outputName(model.doc, index)) : []),
  ];
  const rows = Array.from({ length: run.steps }, (_, time) => columns.map(([, value]) => value(time)));
  return lines([columns.map(([name]) => name), ...rows]);
}

function columnsOf(values: Values, name: (index: number) => string): [string, (time: number) => number][] {
  return Array.from({ length: values.width }, (_, index) => [name(index), (time) => valueAt(values, time, index)]);
}

/** A row for each step and unit, a column for each site. */
export function layerCsv(store: Store): string {
  const { state } = store;
  const run = store.run();
  const sites = run.places[state.place]?.sites ?? {};
  const names = Object.keys(sites);
  const units = [
    ...new Set(names.flatMap((site) => sites[site].units ?? Array.from({ length: sites[site].width }, (_, unit) => unit))),
  ].sort((a, b) => a - b);
  const every = Math.min(...names.map((site) => sites[site].every));
  const rows: (string | number)[][] = [["step", "unit", ...names]];
  for (let time = 0; time < run.steps; time += every)
    for (const unit of units) rows.push([time + 1, unit, ...names.map((site) => cell(sites[site], time, unit))]);
  return lines(rows);
}
